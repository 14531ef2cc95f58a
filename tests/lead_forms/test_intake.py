"""What comes through a form: a lead as any other, once; nothing told to the sender; robots, strangers and floods kept out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from tests.lead_forms.conftest import ORIGIN, SENT, Form, document, lead_count, make_form
from tests.leads.conftest import Desk
from tests.people import Http
from tests.races.together import together


def test_whoever_fills_in_a_form_becomes_a_lead_of_the_rep_the_rules_say(form: Form, desk: Desk) -> None:
    answer = form.send()

    assert answer.get_json() == {"status": "accepted"}
    lead = form.lead()
    assert (lead["name"], lead["phone"], lead["interest"]) == ("陈伟", "+8613800138000", "叉车两台")
    assert (lead["budget"], lead["email"], lead["source"]) == ("200000.00", "chen@example.com", "fair")
    assert lead["owner_id"] in {desk.rep_id, desk.other_id}
    assert lead["first_touch_due_at"] is not None
    assert lead["score"] > 0
    assert len(desk.told(lead["owner_id"], "lead_assigned")) == 1
    [sent] = form.submissions("accepted")
    assert (sent["lead_id"], sent["sent"], sent["errors"]) == (lead["id"], SENT, [])


def test_a_browser_sends_the_same_as_a_program(form: Form) -> None:
    answer = form.raw(urlencode(SENT | {"留言": "请\r\n下午联系"}).encode())

    assert answer.status_code == 202
    assert form.lead()["interest"] == "叉车两台; 留言: 请 下午联系"


@pytest.mark.parametrize(
    "named", [lambda text: text.encode(), lambda text: text.encode()[:-1] + b"%%%02X" % text.encode()[-1]], ids=["raw", "mixed"]
)
def test_names_of_fields_and_values_may_be_raw_utf_8(form: Form, named: Callable[[str], bytes]) -> None:
    values = {name: quote(value).encode() for name, value in SENT.items()} | {"公司": "华南".encode()}
    answer = form.raw(b"&".join(named(name) + b"=" + value for name, value in values.items()))

    assert answer.status_code == 202
    [row] = form.submissions("accepted")
    assert row["sent"] == SENT | {"公司": "华南"}


def test_the_causal_log_leads_from_the_message_back_to_the_form_in_both_languages(form: Form, desk: Desk, http: Http) -> None:
    form.send()
    lead = form.lead()
    rep = desk.rep if lead["owner_id"] == desk.rep_id else desk.other

    chain = rep.get(f"/history/lead/{lead['id']}")
    assert [entry["kind"] for entry in chain["about"]] == ["lead.created", "lead.assigned"]
    [cause] = chain["causes"]  # the form itself is the office's
    assert (cause["kind"], cause["reason"]) == ("form.submitted", "有人填写了表单“春季展会”。")
    assert chain["about"][0]["because_of"] == [cause["id"]]
    message = rep.get("/notifications")["items"][0]
    told = rep.get(f"/notifications/{message['id']}/why")["causes"]
    assert {entry["kind"] for entry in told} == {"form.submitted", "lead.created", "lead.assigned"}
    assert {"lead_form.created"} <= {entry["kind"] for entry in desk.boss.get(f"/history/lead/{lead['id']}")["causes"]}
    version = rep.get("/me")["version"]
    rep.edit("/me", {"locale": "en"}, version)
    assert rep.get(f"/history/lead/{lead['id']}")["causes"][0]["reason"] == "Somebody filled in form “春季展会”."


def test_the_same_submission_twice_is_one_lead(form: Form) -> None:
    first, second = form.send(SENT | {"submission_id": "A-1"}), form.send(SENT | {"submission_id": "A-1", "手机": "13900139000"})

    assert first.get_json() == second.get_json()
    assert [row["submission_id"] for row in form.submissions()] == ["A-1"]
    assert form.lead()["phone"] == "+8613800138000"


def test_the_same_submissions_at_once_are_one_lead(form: Form, desk: Desk) -> None:
    answers = together(*[lambda: form.send(SENT | {"submission_id": "A-1"}).status_code for _ in range(4)])

    assert answers == [202] * 4
    assert (lead_count(desk), form.counts()) == (1, {"accepted": 1})


def test_different_submissions_with_one_number_at_once_are_one_lead(form: Form, desk: Desk, http: Http) -> None:
    other = make_form(desk, http)
    answers = together(*[lambda n=n: (form, other)[n % 2].send(SENT | {"submission_id": f"A-{n}"}).status_code for n in range(4)])

    assert answers == [202] * 4
    assert lead_count(desk) == 1
    assert form.counts().get("accepted", 0) + other.counts().get("accepted", 0) == 1
    assert form.counts()["repeated"] + other.counts()["repeated"] == 3


def test_the_same_id_through_another_form_is_another_submission(form: Form, desk: Desk, http: Http) -> None:
    other = make_form(desk, http)
    form.send(SENT | {"submission_id": "A-1"})
    other.send(SENT | {"submission_id": "A-1", "手机": "13900139000"})

    assert (form.counts(), other.counts()) == ({"accepted": 1}, {"accepted": 1})
    assert lead_count(desk) == 2


def test_who_asks_again_is_noted_on_the_live_lead_and_its_rep_is_told(form: Form, desk: Desk) -> None:
    form.send()
    lead = form.lead()
    desk.clock.advance(days=29)
    form.send(SENT | {"手机": "+86 138-0013-8000", "产品": "货架"})

    assert lead_count(desk) == 1
    assert [row["lead_id"] for row in form.submissions("repeated")] == [lead["id"]]
    about = desk.boss.get(f"/history/lead/{lead['id']}")["about"]
    assert about[-1]["kind"] == "lead.asked_again"
    assert "货架" in about[-1]["reason"]
    [told] = desk.told(lead["owner_id"], "lead_asked_again")
    assert (told["interest"], told["form_name"]) == ("货架", "春季展会")
    assert desk.read(lead)["first_touch_at"] is None  # what the person did is no touch of the rep's


@pytest.mark.parametrize("end", ["lost", "late"])
def test_after_the_lead_is_over_or_the_time_has_passed_it_is_a_new_lead(form: Form, desk: Desk, end: str) -> None:
    form.send()
    if end == "lost":
        desk.boss.post(f"/leads/{form.lead()['id']}/lose", {"reason": "x"})
    else:
        desk.clock.advance(days=31)
    form.send()

    assert (lead_count(desk), form.counts()) == (2, {"accepted": 2})


def test_a_lead_in_the_pool_takes_the_note_too(form: Form, desk: Desk) -> None:
    desk.boss.post("/lead-routings", {"document": {"rules": []}}, expect=201)
    form.send()
    form.send()

    assert form.lead()["owner_id"] is None
    assert desk.story(form.lead()) == ["lead.created", "lead.pooled", "lead.asked_again"]


def test_the_answer_is_the_same_whatever_comes_of_it(form: Form) -> None:
    def told(body: dict[str, str]) -> tuple[Any, ...]:
        answer = form.send(body)
        return answer.get_json(), sorted(name for name, _ in answer.headers)

    assert told(SENT) == told(SENT) == told({"姓名": "x"}) == told(SENT | {"website": "http://spam"})
    assert form.counts() == {"accepted": 1, "repeated": 1, "faulty": 1, "trapped": 1}


def test_a_filled_trap_makes_nothing_but_is_counted(form: Form, desk: Desk) -> None:
    version = form.read()["version"]
    for _ in range(3):
        form.send(SENT | {"website": "x"})
    form.send(SENT | {"website": "  "})

    assert form.counts() == {"trapped": 3, "accepted": 1}
    assert form.read()["version"] == version


def test_no_token_but_a_forms_own_is_heard_and_guessers_are_locked_out_but_nobody_else(form: Form, desk: Desk) -> None:
    path = "/form-submissions/" + "A" * 43
    codes = [form.nobody.call("POST", path, SENT).status_code for _ in range(31)]

    assert codes == [401] * 30 + [429]
    form.send()
    assert lead_count(desk) == 1


def test_a_token_ends_with_its_form_or_with_the_next_token(form: Form, desk: Desk) -> None:
    renewed = desk.boss.post(f"{form.path}/token")
    form.send(expect=401)
    form.token = renewed["token"]
    form.send()
    assert desk.boss.post(f"{form.path}/retire")["state"] == "retired"

    form.send(SENT | {"手机": "13900139000"}, expect=401)
    assert lead_count(desk) == 1
    desk.boss.refused("POST", f"{form.path}/token", 409, "state_conflict")
    desk.boss.refused("POST", f"{form.path}/retire", 409, "state_conflict")


def test_a_token_is_shown_once_and_kept_nowhere(form: Form, desk: Desk) -> None:
    shown = desk.boss.call("GET", form.path).get_data(as_text=True) + desk.boss.call("GET", "/lead-forms").get_data(as_text=True)
    with desk.world.db.engine.connect() as connection:
        tables = ("lead_forms", "history", "stored_answers", "form_submissions")
        kept = "".join(str(connection.exec_driver_sql(f"SELECT * FROM {name}").all()) for name in tables)

    assert form.id in shown
    assert form.id in kept
    assert form.token not in shown + kept


def test_too_many_within_a_minute_are_told_to_wait_by_form_and_address(form: Form, desk: Desk, http: Http) -> None:
    other = make_form(desk, http)
    path = f"/api/v1/form-submissions/{form.token}"
    for _ in range(30):
        form.send({"姓名": "x"})
    refused = form.send(expect=429)

    assert refused.get_json()["code"] == "too_many_requests"
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    other.send(SENT | {"手机": "13900139000"})
    elsewhere = form.nobody.app.test_client().post(path, json=SENT, environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert elsewhere.status_code == 202
    assert form.counts() == {"faulty": 30, "accepted": 1}
    desk.clock.advance(seconds=60)
    form.send()


def test_only_a_page_that_the_form_names_may_send(form: Form, desk: Desk, http: Http) -> None:
    other = make_form(desk, http, origins=[])
    answer = form.send(Origin=ORIGIN)
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Origin" in answer.headers["Vary"]
    for origin in ("https://evil.example.com", "http://fair.example.com", f"{ORIGIN}.evil.com", "null", ORIGIN.upper()):
        refused = form.send(SENT | {"手机": "13900139000"}, expect=403, Origin=origin)
        assert refused.get_json()["code"] == "origin_refused"
        assert "Access-Control-Allow-Origin" not in refused.headers
    other.send(expect=403, Origin=ORIGIN)
    assert lead_count(desk) == 1


def test_a_browser_that_asks_first_is_told_only_what_the_form_names(form: Form) -> None:
    def asked(token: str, origin: str) -> dict[str, str]:
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        answer = form.nobody.app.test_client().options(f"/api/v1/form-submissions/{token}", headers=headers)
        assert answer.status_code == 204
        return {name: value for name, value in answer.headers if name.startswith("Access-Control")}

    assert asked(form.token, ORIGIN) == {
        "Access-Control-Allow-Origin": ORIGIN,
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": "Content-Type",
        "Access-Control-Max-Age": "600",
    }
    assert asked(form.token, "https://evil.example.com") == asked("A" * 43, ORIGIN) == {}


def test_a_refusal_can_be_read_by_the_page_that_sent(form: Form) -> None:
    refused = form.raw(b"[]", "application/json", Origin=ORIGIN)

    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (422, ORIGIN)


def in_parts(*parts: tuple[str, str | None, bytes]) -> bytes:
    """Return fields (name, name of a file, value) as a browser sends a form of ``multipart/form-data``."""
    body = b""
    for name, file, value in parts:
        told = f'form-data; name="{name}"' + (f'; filename="{file}"' if file is not None else "")
        kind = "Content-Type: application/octet-stream\r\n" if file is not None else ""
        body += f"--frontier\r\nContent-Disposition: {told}\r\n{kind}\r\n".encode() + value + b"\r\n"
    return body + b"--frontier--\r\n"


PARTS = "multipart/form-data; boundary=frontier"


def test_a_form_in_parts_is_taken_as_any_other_and_twice_is_one(form: Form) -> None:
    fields = [(name, None, text.encode()) for name, text in SENT.items()]
    # Two boxes of one name, several lines, a chooser of files in which nothing was chosen, and the sender's own id.
    fields += [
        ("留言", None, "请\r\n下午".encode()),
        ("留言", None, "联系".encode()),
        ("图纸", "", b""),
        ("submission_id", None, b"A-1"),
    ]
    answers = [form.raw(in_parts(*fields), PARTS) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202, 202]
    [sent] = form.submissions()
    assert (sent["submission_id"], sent["sent"]) == ("A-1", SENT | {"留言": "请\r\n下午, 联系"})
    assert form.lead()["interest"] == "叉车两台; 留言: 请 下午, 联系"


def test_a_form_in_parts_meets_the_trap_the_origins_and_the_rate(form: Form) -> None:
    fields = [(name, None, text.encode()) for name, text in SENT.items()]
    body = in_parts(*fields)
    assert form.raw(in_parts(*fields, ("website", None, b"x")), PARTS).status_code == 202
    assert form.raw(body, PARTS, Origin="https://elsewhere.example.com").get_json()["code"] == "origin_refused"
    codes = [form.raw(body, PARTS).status_code for _ in range(form.desk.world.settings.lead_form_per_minute)]

    assert form.counts()["trapped"] == 1
    assert (codes[0], codes[-1]) == (202, 429)


def test_a_file_that_was_chosen_is_refused_by_the_name_of_its_field(form: Form) -> None:
    fields = [(name, None, text.encode()) for name, text in SENT.items()]
    answer = form.raw(in_parts(*fields, ("图纸", "plan.pdf", b"%PDF-1.7")), PARTS, **{"Accept-Language": "zh-CN"})

    assert answer.status_code == 422
    [fault] = answer.get_json()["errors"]
    assert (fault["field"], fault["code"], fault["text"]) == ("图纸", "file_not_taken", "是文件；表单只接受文本")
    assert (form.submissions(), form.leads()) == ([], [])


HOSTILE: list[tuple[bytes, str, int]] = [
    (b"", "application/json", 400),
    (b"{", "application/json", 400),
    (b"[1]", "application/json", 422),
    (b'"x"', "application/json", 422),
    (b'{"a": {"b": 1}}', "application/json", 422),
    (b'{"a": ["b"]}', "application/json", 422),
    (b'{"a": true}', "application/json", 422),
    (b'{"a": "\\u0000"}', "application/json", 400),
    (b'{"a": "\\ud800"}', "application/json", 400),
    (b"[" * 5000, "application/json", 400),
    (b'{"a": "' + b"x" * 2001 + b'"}', "application/json", 422),
    (b'{"' + b"x" * 101 + b'": "a"}', "application/json", 422),
    (b"{" + b",".join(b'"f%d": "x"' % n for n in range(61)) + b"}", "application/json", 422),
    (b'{"submission_id": "' + b"x" * 101 + b'"}', "application/json", 422),
    (b"x" * 1_200_001, "application/json", 413),
    (b"&".join(b"f%d=x" % n for n in range(61)), "application/x-www-form-urlencoded", 422),
    (b"&" * 100_000 + b"&".join(b"a=x" for _ in range(2000)), "application/x-www-form-urlencoded", 422),
    (b"a=%00", "application/x-www-form-urlencoded", 422),
    (b"a%00=b", "application/x-www-form-urlencoded", 400),
    (b"a=%ff%fe", "application/x-www-form-urlencoded", 400),
    (b"a=\xff", "application/x-www-form-urlencoded", 400),
    (b"\xd0\xd5=x", "application/x-www-form-urlencoded", 400),
    (b"a=%ff\xe5\xbc\xa0", "application/x-www-form-urlencoded", 400),
    ("张".encode() * 700 + b"=" + "张".encode() * 2001, "application/x-www-form-urlencoded", 422),
    ("a=张".encode() + b"x" * 1_200_000, "application/x-www-form-urlencoded", 413),
    (b"a=" + b"x" * 2001, "application/x-www-form-urlencoded", 422),
    (b"x", "multipart/form-data; boundary=x", 400),
    (in_parts(("a", None, b"b")), "multipart/form-data", 400),
    (in_parts(("a", None, b"b"))[:-5], "multipart/form-data; boundary=frontier", 400),
    (b"--frontier\r\nContent-Disposition: form-data\r\n\r\nb\r\n--frontier--\r\n", "multipart/form-data; boundary=frontier", 400),
    (in_parts(("a", None, b"b")), f"multipart/form-data; boundary={'x' * 201}", 400),
    (in_parts(("a", None, b"\xff\xfe")), "multipart/form-data; boundary=frontier", 400),
    (in_parts(("a", None, b"\0")), "multipart/form-data; boundary=frontier", 422),
    (in_parts(("a", None, b"x" * 2001)), "multipart/form-data; boundary=frontier", 422),
    (in_parts(("a", None, b"x" * 1_200_001)), "multipart/form-data; boundary=frontier", 413),
    (in_parts(*((f"f{n}", None, b"x") for n in range(61))), "multipart/form-data; boundary=frontier", 422),
    (in_parts(*(("a", None, b"x") for n in range(2000))), "multipart/form-data; boundary=frontier", 422),
    (in_parts(("a", "plan.pdf", b"%PDF-1.7")), "multipart/form-data; boundary=frontier", 422),
    (b"x", "text/plain", 415),
]


@pytest.mark.parametrize(("data", "content_type", "status"), HOSTILE)
def test_what_is_no_flat_object_of_texts_is_refused_and_leaves_nothing(
    form: Form, data: bytes, content_type: str, status: int
) -> None:
    answer = form.raw(data, content_type)

    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.get_data(as_text=True)
    assert form.submissions() == []


def test_as_much_as_is_allowed_is_taken_in(form: Form) -> None:
    many = {f"f{n}": "长" * 2000 for n in range(55)}
    form.send(SENT | many | {"submission_id": "x" * 100})

    [sent] = form.submissions("accepted")
    assert len(sent["sent"]) == 60


def test_texts_that_look_like_something_stay_texts(form: Form) -> None:
    form.send(
        SENT | {"姓名": "'; DROP TABLE leads; --", "产品": "<script>alert(1)</script> {number} %s", "留言": "a\x01b\u2028c"}
    )

    lead = form.lead()
    assert lead["name"] == "'; DROP TABLE leads; --"
    assert lead["interest"] == "<script>alert(1)</script> {number} %s; 留言: ab c"


def test_a_number_in_json_and_a_field_sent_twice_are_texts(form: Form) -> None:
    form.send(SENT | {"预算": 150000, "手机": 13800138000, "邮箱": None})
    assert (form.lead()["budget"], form.lead()["phone"], form.lead()["email"]) == ("150000.00", "+8613800138000", None)
    form.raw((urlencode(SENT | {"手机": "13900139000"}) + "&" + urlencode({"产品": "货架"})).encode())
    assert form.leads()[0]["interest"] == "叉车两台, 货架"


def test_a_form_that_ends_while_something_comes_takes_it_or_refuses_it(form: Form, desk: Desk) -> None:
    sent, retired = together(
        lambda: form.nobody.call("POST", f"/form-submissions/{form.token}", SENT).status_code,
        lambda: desk.boss.call("POST", f"{form.path}/retire").status_code,
    )

    assert retired == 200
    assert (sent, lead_count(desk)) in {(202, 1), (401, 0)}


def test_document_is_what_the_form_answers(form: Form, desk: Desk) -> None:
    given = form.read()["document"]
    assert given["defaults"] == document(desk)["defaults"]
    assert given["fields"][5] == {
        "from": "预算", "to": "budget", "required": False, "codes": None, "else": "refuse", "range": "upper",
    }  # fmt: skip
