"""What a person may not see does not exist for them: by id, in lists, in bodies, in filters and along the causal log."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.core.clock import to_ms
from app.core.db import Database
from app.core.history import HistoryEntry
from app.core.http import PUBLIC
from app.core.settings import Settings
from app.users import auth
from app.users.models import User
from app.users.rights import Actor, allows
from app.work_orders.operations import lapse_tasks
from offline_sync.collections import COLLECTIONS
from tests.conftest import SetClock
from tests.factories import make_world
from tests.http.conftest import ANY_ID, Route, routes_of
from tests.http.estate import PHONES, SIDE_WORDS, SIDES, STATION_WORDS, Estate
from tests.people import Http

# What a verb needs besides the id in its path; routes that are not here take no body.
BODIES: dict[str, Any] = {
    "PATCH /customers/<customer_id>": {"name": "x"},
    "PATCH /sites/<site_id>": {"name": "x"},
    "POST /customers/<customer_id>/sites": {"name": "x", "lat": 1, "lon": 1},
    "POST /customers/<customer_id>/dismiss-duplicate": {"other_id": ANY_ID},
    "POST /customers/<customer_id>/merge": {"other_id": ANY_ID},
    "POST /customers/<customer_id>/unmerge": {"other_id": ANY_ID},
    "POST /customers/<customer_id>/facts": {"values": {"phone": "13800000009"}},
    "POST /customers/<customer_id>/facts/<field>/choose": {"fact_id": ANY_ID, "reason": "x"},
    "PATCH /custom-fields/<custom_field_id>": {"label_en": "x"},
    "POST /code-mappings/<code_mapping_id>/map": {"ours": "x"},
    "POST /customers/<customer_id>/contacts": {"name": "x"},
    "PATCH /contacts/<contact_id>": {"name": "x"},
    "POST /contacts/<contact_id>/merge": {"other_id": ANY_ID},
    "PATCH /contact-relations/<contact_relation_id>": {"strength": 1},
    "POST /visits/<visit_id>/participants": {"participants": [{"name": "x"}]},
    "POST /fittings/<fitting_id>/undo": {"reason": "x"},
    "PATCH /assets/<asset_id>": {"model": "x"},
    "PATCH /device-profiles/<profile_id>": {"name": "x"},
    "POST /assets/<asset_id>/fittings": {"component_id": ANY_ID, "fitted_at": "2026-01-01T00:00:00Z"},
    "POST /assets/<asset_id>/devices": {"profile_id": ANY_ID},
    "POST /assets/<asset_id>/device-claims": {"code": "x"},
    "POST /devices/<device_id>/commands": {"body": {"ask": 1}},
    "PUT /devices/<device_id>/settings": {"settings": {"a": 1}},
    "POST /devices/<device_id>/secret-rotations": {},
    "POST /devices/<device_id>/placements": {"asset_id": ANY_ID, "at": "2026-03-01T00:00:00Z"},
    "PATCH /stations/<station_id>": {"name": "x"},
    "POST /stations/<station_id>/stock": {"part_no": "x", "on_hand": 1},
    "POST /work-orders/<order_id>/assign": {"station_id": ANY_ID},
    "POST /work-orders/<order_id>/cancel": {"reason": "x"},
    "PATCH /leads/<lead_id>": {"company": "x"},
    "POST /leads/<lead_id>/give-back": {"reason": "x"},
    "POST /leads/<lead_id>/assign": {"user_id": ANY_ID},
    "POST /leads/<lead_id>/lose": {"reason": "x"},
    "POST /leads/<lead_id>/convert": {},
    "PATCH /lead-forms/<lead_form_id>": {"name": "x"},
    "POST /lead-forms/<lead_form_id>/retry": {},
    "POST /lead-form-submissions/<submission_id>/mend": {"values": {"a": "x"}},
    "POST /lead-form-submissions/<submission_id>/dismiss": {"reason": "x"},
    "POST /follow-ups/<follow_up_id>/done": {},
    "PATCH /imports/<import_id>": {"key": "code"},
    "POST /imports/<import_id>/run": {},
    "PATCH /visits/<visit_id>": {"purpose": "x"},
    "POST /visits/<visit_id>/cancel": {"reason": "x"},
    "POST /visits/<visit_id>/move": {
        "planned_from": "2026-03-03T02:00:00Z",
        "planned_until": "2026-03-03T03:00:00Z",
        "reason": "x",
    },
    "POST /visits/<visit_id>/no-show": {"lat": 22.5, "lon": 114.0, "at_ms": 0, "reason": "x"},
    "POST /visits/<visit_id>/explain": {"reason": "x"},
    "POST /visits/<visit_id>/steps/<step>": {"stock": []},
    "PATCH /visit-types/<visit_type_id>": {"name_en": "x"},
    "PATCH /report-forms/<report_form_id>": {"name_en": "x"},
    "POST /customer-reports/<customer_report_id>/answer": {"text": "x"},
    "PATCH /entitlement-kinds/<entitlement_kind_id>": {"name_en": "x"},
    "POST /entitlement-grants/<entitlement_grant_id>/withdraw": {"reason": "x"},
    "POST /entitlement-spends/<entitlement_spend_id>/return": {"reason": "x"},
    "POST /entitlement-spends/<entitlement_spend_id>/forgive": {"reason": "x"},
    "PATCH /visit-plans/<visit_plan_id>": {"name": "x"},
    "PATCH /bring-rules/<bring_rule_id>": {"name": "x"},
    "POST /visits/<visit_id>/check-in": {"lat": 22.5, "lon": 114.0, "at_ms": 0},
    "POST /visits/<visit_id>/check-out": {"lat": 22.5, "lon": 114.0, "at_ms": 0},
    "POST /check-ins/<check_in_id>/appeal": {"text": "x"},
    "POST /check-ins/<check_in_id>/decide": {"accepted": True, "reason": "x"},
    "POST /track-consents/<consent_id>/withdraw": {"erase": False},
    "POST /track-shifts/<shift_id>/end": {},
    "POST /track-shifts/<shift_id>/look": {"purpose": "mileage", "reason": "a claim"},
    "POST /visit-proposals/<proposal_id>/confirm": {},
    "POST /visit-proposals/<proposal_id>/reject": {},
    "POST /station-tasks/<task_id>/reject": {"reason": "x"},
    "POST /station-tasks/<task_id>/finish": {"serial": "x"},
    "POST /service-offers/<offer_id>/accept": {"slot_at": "2026-03-03T02:00:00Z"},
    "POST /service-offers/<offer_id>/decline": {},
    "POST /service-offers/<offer_id>/withdraw": {"reason": "x"},
    "PATCH /rules/<rule_id>": {"enabled": True},
    "POST /alarms/<alarm_id>/close": {"reason": "x"},
    "POST /alarms/<alarm_id>/snooze": {"hours": 1},
    "PUT /users/<user_id>/territories": {"territory_ids": []},
    "PATCH /users/<user_id>": {"name": "x"},
    "PATCH /teams/<team_id>": {"name": "x"},
    "POST /users/<user_id>/deactivate": {},
}
QUERIES = {
    "GET /customers/<customer_id>/known": "?fields=phone",
    "GET /devices/<device_id>/telemetry": "?metric=soh_pct",
    "GET /field-figures": "?by=user&from=2026-02-01&until=2026-03-31",
    "GET /field-figures/export": "?by=day&from=2026-02-01&until=2026-03-31",
    "GET /suggestions": "?field=leads.interest",
    "GET /search": "?q=ltd&limit=50",
    "GET /sync/digest": "?collection=customers",
    "GET /sync/explain": f"?collection=customers&id={ANY_ID}&user={ANY_ID}",
}
# Parameters that name no row somebody may or may not see: a collection, a channel, a token; and what only the office reads.
WITHOUT_SCOPE = {"token", "scheme", "channel", "day", "profile", "collection", "installation", "problem", "conflict", "intent"}
WITHOUT_SCOPE |= {
    "report_form",
    "entitlement_kind",
    "visit_type",
    "visit_plan",
    "bring_rule",
    "step",
    "field",
}  # one for all who read visits, or the office's
# Kinds of subject of the causal log, by the kind of thing they are here.
SUBJECTS = {
    "customer": "customer",
    "site": "site",
    "contact": "contact",
    "contact_relation": "contact_relation",
    "asset": "asset",
    "component": "component",
    "device": "device",
    "fault_code": "fault_code",
    "command": "device_command",
    "order": "work_order",
    "lead": "lead",
    "lead_form": "lead_form",
    "submission": "form_submission",
    "follow_up": "follow_up",
    "customer_report": "customer_report",
    "entitlement_grant": "entitlement_grant",
    "entitlement_spend": "entitlement_spend",
    "import": "import",
    "mapping": "import_mapping",
    "visit": "visit",
    "check_in": "check_in",
    "day_plan": "day_plan",
    "consent": "track_consent",
    "shift": "track_shift",
    "proposal": "visit_proposal",
    "deletion": "track_deletion",
    "task": "station_task",
    "offer": "service_offer",
    "coupon": "coupon",
    "alarm": "alarm",
    "incident": "incident",
    "notification": "notification",
    "attachment": "attachment",
    "station": "station",
    "user": "user",
    "partner": "partner",
    "territory": "territory",
    "team": "team",
}
LISTS = {
    "/customers": "customer",
    "/sites": "site",
    "/assets": "asset",
    "/components": "component",
    "/devices": "device",
    "/alarms": "alarm",
    "/leads": "lead",
    "/follow-ups": "follow_up",
    "/customer-reports": "customer_report",
    "/entitlements": "entitlement",
    "/entitlement-grants": "entitlement_grant",
    "/entitlement-spends": "entitlement_spend",
    "/visits": "visit",
    "/check-ins": "check_in",
    "/day-plans": "day_plan",
    "/track-consents": "consent",
    "/track-shifts": "shift",
    "/visit-proposals": "proposal",
    "/track-looks": "look",
    "/track-deletions": "deletion",
    "/incidents": "incident",
    "/work-orders": "order",
    "/station-tasks": "task",
    "/service-offers": "offer",
    "/stations": "station",
    "/teams": "team",
}
# One of each kind of person who sees one side, or nothing at all.
SHORT_SIGHTED = ("rep1", "owner1", "staff1", "partner_manager1", "partner_admin1", "partner_rep1")


@pytest.fixture
def actors(estate: Estate, db: Database) -> dict[str, Actor]:
    with db.reading() as session:
        return {name: auth.actor_of(session, session.get_one(User, user_id)) for name, user_id in estate.people.items()}


@pytest.fixture
def doors(estate: Estate, http: Http) -> dict[str, Http]:
    return {name: http.as_(user_id) for name, user_id in estate.people.items()}


def call(door: Http, route: Route, **ids: str) -> TestResponse:
    operation = f"{route.method} {route.path}"
    headers = {"If_Match": "*"} if route.method in {"PUT", "PATCH", "DELETE"} else {}
    if route.path.startswith("/uploads"):
        headers = {"Tus_Resumable": "1.0.0", "Upload_Offset": "0", "Content_Length": "0"}
        headers["Content_Type"] = "application/offset+octet-stream"
    return door.call(route.method, route.filled(**ids) + QUERIES.get(operation, ""), BODIES.get(operation), **headers)


def told(answer: TestResponse) -> tuple[Any, ...]:
    """Return everything an answer tells, except for what is its own: request id, date, length of nothing."""
    body = {name: value for name, value in (answer.get_json(silent=True) or {}).items() if name != "request_id"}
    headers = sorted((name, value) for name, value in answer.headers if name not in {"X-Request-Id", "Date"})
    return answer.status_code, body, headers


def foreign_words(estate: Estate, person: str) -> set[str]:
    """Return every word and id that may stand in no answer to a person."""
    words: set[str] = set()
    for side in set(SIDES) - estate.sees(person, "customer"):
        words |= {SIDE_WORDS[side], SIDE_WORDS[side].lower(), PHONES[side]}
        words |= {
            thing
            for kind, thing in estate.things[side].items()
            if kind not in {"rule", "letter", "profile", "visit_type", "report_form", "entitlement_kind"}
        }
    for side in set(SIDES) - estate.sees(person, "station"):
        words |= {STATION_WORDS[side], STATION_WORDS[side].lower()}
    for side in estate.sees(person, "station"):
        words -= {estate.things[side][kind] for kind in ("station", "partner", "user")}  # whose shop it is stands on the shop
    return words


def test_every_route_with_an_id_answers_an_unseen_thing_like_one_that_does_not_exist(
    app: Flask, estate: Estate, actors: dict[str, Actor], doors: dict[str, Http]
) -> None:
    leaks, seen, unseen = [], 0, 0
    for route in routes_of(app):
        kinds = [name.removesuffix("_id") for name in route.parameters]
        if not kinds or kinds == ["kind", "subject"] or kinds[0] in WITHOUT_SCOPE:
            continue
        [kind] = [name for name in kinds if name not in WITHOUT_SCOPE]
        for name in ("manager", *SHORT_SIGHTED):
            door = doors[name]
            if not allows(actors[name], route.policy or ""):
                continue
            unknown = call(door, route)
            assert (unknown.status_code, unknown.get_json()["code"]) == (404, "not_found"), (route, name, unknown.json)
            for side in SIDES:
                if side in estate.sees(name, kind):
                    if route.method == "GET":
                        answer = call(door, route, **{f"{kind}_id": estate.things[side][kind]})
                        assert answer.status_code == 200, (route, name, side, answer.json)
                        seen += 1
                    continue
                answer = call(door, route, **{f"{kind}_id": estate.things[side][kind]})
                unseen += 1
                if told(answer) != told(unknown):
                    leaks.append((name, route.method, route.path, side, answer.status_code, answer.json))
    assert leaks == []
    assert seen > 90
    assert unseen > 90


def test_lists_show_exactly_the_own_rows(app: Flask, estate: Estate, actors: dict[str, Actor], doors: dict[str, Http]) -> None:
    for route in routes_of(app):
        kind = LISTS.get(route.path)
        if kind is None or route.method != "GET":
            continue
        for name, door in doors.items():
            if allows(actors[name], route.policy or ""):
                shown = {item["id"] for item in door.get(route.path)["items"]}
                assert shown == {estate.things[side][kind] for side in estate.sees(name, kind)}, (route.path, name)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_answer_holds_a_word_or_an_id_of_the_other_side(
    app: Flask, estate: Estate, actors: dict[str, Actor], doors: dict[str, Http]
) -> None:
    read = 0
    for name in SHORT_SIGHTED:
        door, words = doors[name], foreign_words(estate, name)
        paths = []
        for route in routes_of(app):
            if route.method != "GET" or route.policy == PUBLIC or not allows(actors[name], route.policy or ""):
                continue
            query = QUERIES.get(f"GET {route.path}", "")
            if not route.parameters:
                paths.append(route.path + query)
            elif route.parameters == ["collection"]:
                paths += [route.filled(collection=collection) for collection in COLLECTIONS]
            elif route.parameters != ["kind", "subject"]:
                kind = route.parameters[0].removesuffix("_id")
                paths += [route.filled(**{f"{kind}_id": estate.things[side][kind]}) + query for side in SIDES]
        paths += [f"/history/{subject}/{estate.things[side][kind]}" for kind, subject in SUBJECTS.items() for side in SIDES]
        for path in paths:
            answer = door.call("GET", path, X_Installation="phone-000001")
            assert answer.status_code in {200, 404}, (name, path, answer.status_code)
            text = answer.get_data(as_text=True)
            assert [word for word in words if word in text] == [], (name, path)
            read += answer.status_code == 200
    assert read > 200


def test_ids_in_filters_and_cursors_show_nothing_more(estate: Estate, doors: dict[str, Http]) -> None:
    rep, theirs = doors["rep1"], estate.things["2"]

    for path, name in (("/assets", "customer"), ("/sites", "customer"), ("/alarms", "asset")):
        assert rep.get(f"{path}?{name}_id={theirs[name]}") == rep.get(f"{path}?{name}_id={ANY_ID}") == {"items": [], "next": None}
    for path, kind in LISTS.items():
        cursor = base64.urlsafe_b64encode(theirs[kind].encode()).decode()
        shown = {item["id"] for item in rep.get(f"{path}?cursor={cursor}&limit=200")["items"]}
        assert shown <= {estate.things[side][kind] for side in estate.sees("rep1", kind)}


def body_of(what: str, side: str, estate: Estate, **changes: Any) -> dict[str, Any]:
    own = estate.things[side]
    bodies: dict[str, dict[str, Any]] = {
        "customer": {"code": "new", "name": "New", "territory_id": own["territory"]},
        "lead": {"name": "New", "phone": "13800138000", "interest": "x"},
        "call": {"kind": "call"},
        "edit": {"name": "New"},
        "asset": {"serial": "new", "model": "New", "customer_id": own["customer"], "site_id": own["site"]},
        "order": {"asset_id": own["asset"], "component_id": own["component"], "job": "inspection"},
        "fitting": {"component_id": own["component"], "fitted_at": "2026-03-01T00:00:00Z"},
        "station": {"code": "new", "name": "New", "lat": 1, "lon": 1, "opening_hours": "24/7"},
        "assign": {"station_id": own["station"]},
        "territories": {"territory_ids": [own["territory"]]},
    }
    return bodies[what] | changes


# person, method, path (with own ids in braces), body, field, the kind of foreign thing it names
REFERENCES = [
    ("rep1", "POST", "/customers", "customer", "territory_id", "territory"),
    ("rep1", "POST", "/customers", "customer", "owner_id", "rep"),
    ("manager", "POST", "/customers", "customer", "owner_id", "partner_rep"),
    ("rep1", "POST", "/leads", "lead", "territory_id", "territory"),
    ("manager", "POST", "/leads", "lead", "owner_id", "partner_rep"),
    ("rep1", "POST", "/follow-ups", "call", "lead_id", "lead"),
    ("rep1", "POST", "/follow-ups", "call", "customer_id", "customer"),
    ("rep1", "POST", "/assets", "asset", "customer_id", "customer"),
    ("rep1", "POST", "/assets", "asset", "site_id", "site"),
    ("rep1", "POST", "/work-orders", "order", "asset_id", "asset"),
    ("rep1", "POST", "/work-orders", "order", "component_id", "component"),
    ("partner_manager1", "POST", "/stations", "station", "territory_ids", "territory"),
    ("partner_admin1", "PATCH", "/stations/{station}", "edit", "territory_ids", "territory"),
]


def test_an_id_in_a_body_that_names_an_unseen_thing_is_refused_like_an_unknown_one(
    estate: Estate, doors: dict[str, Http]
) -> None:
    for person, method, path, what, field, kind in REFERENCES:
        foreign = estate.things["2"].get(kind) or estate.people.get(f"{kind}2") or estate.people[f"{kind}1"]
        answers = []
        for named in (foreign, ANY_ID):
            body = body_of(what, "1", estate, **{field: [named] if field.endswith("s") else named})
            answers.append(doors[person].call(method, path.format(**estate.things["1"]), body, If_Match="*"))

        assert told(answers[0]) == told(answers[1]), (person, method, path, field)
        refusal = answers[0].get_json()
        assert (answers[0].status_code, refusal["code"]) == (422, "validation_failed"), (person, method, path, field)
        assert (field, "unknown_reference") in [(fault["field"], fault["code"]) for fault in refusal["errors"]]


def test_a_rep_who_names_what_only_the_office_sets_learns_nothing_of_it(estate: Estate, doors: dict[str, Http]) -> None:
    path = f"/customers/{estate.things['1']['customer']}"
    for field, foreign in (("owner_id", estate.people["rep2"]), ("territory_id", estate.things["2"]["territory"])):
        answers = [doors["rep1"].call("PATCH", path, {field: named}, If_Match="*") for named in (foreign, ANY_ID)]

        assert told(answers[0]) == told(answers[1])
        assert [(fault["field"], fault["code"]) for fault in answers[0].get_json()["errors"]] == [(field, "unknown")]


def test_an_order_names_a_station_that_exists_and_a_component_of_its_asset(estate: Estate, doors: dict[str, Http]) -> None:
    order, wrong = estate.things["1"]["order"], body_of("order", "1", estate, component_id=estate.things["2"]["component"])
    for path, body, field in (
        (f"/work-orders/{order}/assign", {"station_id": ANY_ID}, "station_id"),
        ("/work-orders", wrong, "component_id"),
    ):
        refusal = doors["manager"].refused("POST", path, 422, "validation_failed", body)
        assert [(fault["field"], fault["code"]) for fault in refusal["errors"]] == [(field, "unknown_reference")]


def test_station_staff_see_the_spare_component_they_registered_themselves_and_no_others(
    estate: Estate, doors: dict[str, Http]
) -> None:
    new = {"serial": "SPARE-1", "kind": "filter", "part_no": "F-1"}
    ours = doors["staff1"].post("/components", new, expect=201)["id"]
    theirs = doors["staff2"].post("/components", new | {"serial": "SPARE-2"}, expect=201)["id"]

    seen = {item["id"] for item in doors["staff1"].get("/components")["items"]}
    assert ours in seen
    assert theirs not in seen


def test_an_office_fits_a_spare_component_that_its_owner_then_reads_of(estate: Estate, doors: dict[str, Http]) -> None:
    body = {"component_id": ANY_ID, "fitted_at": "2026-03-01T00:00:00Z"}
    path = f"/assets/{estate.things['1']['asset']}/fittings"
    new = {"serial": "SPARE-1", "kind": "filter", "part_no": "F-1"}
    spare = doors["manager"].post("/components", new, expect=201)["id"]

    assert doors["manager"].call("POST", path, body).status_code == 422
    for name in ("staff1", "partner_manager1"):
        doors[name].refused("POST", path, 403, "forbidden", body | {"component_id": spare})
    doors["manager"].post(path, body | {"component_id": spare}, expect=201)
    assert doors["owner1"].get(f"/history/component/{spare}")["about"]


def test_the_causal_log_answers_an_unseen_subject_like_one_that_does_not_exist(
    estate: Estate, doors: dict[str, Http], db: Database
) -> None:
    with db.reading() as session:
        newest = select(HistoryEntry.subject_id).where(HistoryEntry.kind == "reading.observed").order_by(HistoryEntry.id.desc())
        reading = session.scalars(newest).first() or ""
    for name in SHORT_SIGHTED:
        unknown = told(doors[name].call("GET", f"/history/customer/{ANY_ID}"))
        assert unknown[0] == 404
        unseen = {(SUBJECTS[kind], estate.things["2"][kind]) for kind in SUBJECTS if "2" not in estate.sees(name, kind)}
        for kind, subject in sorted(unseen | {("reading", reading)}):
            assert told(doors[name].call("GET", f"/history/{kind}/{subject}")) == unknown, (name, kind)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_causal_log_stops_at_what_the_caller_may_not_see(estate: Estate, doors: dict[str, Http]) -> None:
    """Whatever subject a walk shows is one that the same person can open."""
    for name in (*SHORT_SIGHTED, "manager"):
        shown: set[tuple[str, str]] = set()
        for kind in ("coupon", "order", "task", "alarm", "component", "asset"):
            answer = doors[name].call("GET", f"/history/{SUBJECTS[kind]}/{estate.things['1'][kind]}")
            if answer.status_code != 200:
                continue
            entries = [entry for part in ("about", "causes", "effects") for entry in answer.get_json()[part]]
            ids = {entry["id"] for entry in entries}
            assert all(set(entry["because_of"]) <= ids for entry in entries)
            shown |= {(entry["subject"]["kind"], entry["subject"]["id"]) for entry in entries}
        assert (len(shown) > 8) == (name != "partner_rep1")
        for kind, subject in sorted(shown):
            assert doors[name].call("GET", f"/history/{kind}/{subject}").status_code == 200, (name, kind)


def test_a_partner_never_sees_another_partner(estate: Estate, doors: dict[str, Http]) -> None:
    theirs, others = estate.things["2"], estate.people
    for person in ("partner_manager1", "partner_admin1"):
        door = doors[person]
        assert {item["id"] for item in door.get("/partners")["items"]} == {estate.things["1"]["partner"]}
        assert {item["id"] for item in door.get("/users")["items"]} == {
            others[name] for name in ("staff1", "partner_manager1", "partner_admin1", "partner_rep1")
        }
        for path in (
            f"/stations/{theirs['station']}",
            f"/stations/{theirs['station']}/stock",
            f"/station-tasks/{theirs['task']}",
        ):
            door.refused("GET", path, 404, "not_found")
        for user_id in (others["staff2"], others["admin"], others["rep1"], others["owner1"]):
            door.refused("GET", f"/users/{user_id}", 404, "not_found")


def test_a_partners_people_do_not_decide_for_the_principal(estate: Estate, doors: dict[str, Http]) -> None:
    """They see a customer through a task; that does not let them write to it, nor to what all share."""
    own = estate.things["1"]
    for person in ("partner_manager1", "partner_admin1"):
        door = doors[person]
        for method, path, body in (
            ("PATCH", f"/customers/{own['customer']}", {"phone": None}),
            ("POST", f"/customers/{own['customer']}/sites", {"name": "x", "lat": 1, "lon": 1}),
            ("POST", "/assets", body_of("asset", "1", estate)),
            ("POST", f"/devices/{own['device']}/secret", None),
            ("DELETE", f"/devices/{own['device']}", None),
            ("POST", f"/devices/{own['device']}/commands", {"body": {}}),
            ("PUT", f"/devices/{own['device']}/settings", {"settings": {}}),
            ("POST", "/device-profiles", {"code": "x", "name": "x", "adapter": "native", "metrics": {}}),
            ("POST", f"/work-orders/{own['order']}/cancel", {"reason": "x"}),
            ("POST", "/work-orders", body_of("order", "1", estate)),
            ("POST", f"/service-offers/{own['offer']}/withdraw", {"reason": "x"}),
            ("POST", f"/alarms/{own['alarm']}/acknowledge", None),
            ("POST", f"/alarms/{own['alarm']}/close", {"reason": "x"}),
            ("POST", f"/alarms/{own['alarm']}/snooze", {"hours": 1}),
            ("POST", f"/alarms/{own['alarm']}/wake", None),
            ("PATCH", f"/rules/{own['rule']}", {"enabled": False}),
            ("POST", "/rules", {"code": "x", "document": {}}),
            ("POST", "/territories", {"code": "x", "name": "x"}),
            ("POST", "/partners", {"name": "x"}),
            ("GET", "/dead-letters", None),
            ("POST", f"/dead-letters/{own['letter']}/replay", None),
        ):
            door.refused(method, path, 403, "forbidden", body, If_Match="*")


def test_a_partners_administrator_assigns_only_territories_they_see(estate: Estate, doors: dict[str, Http]) -> None:
    path = f"/users/{estate.people['partner_manager1']}/territories"
    answers = [
        doors["partner_admin1"].call("PUT", path, {"territory_ids": [named]}, If_Match="*")
        for named in (estate.things["2"]["territory"], ANY_ID)
    ]
    assert told(answers[0]) == told(answers[1])


def test_a_station_that_lost_its_task_sees_neither_order_nor_asset_any_more(
    db: Database, settings: Settings, clock: SetClock, http: Http
) -> None:
    world = make_world(db, settings)
    world.report(74.9, 74.5, 74.1)
    loser, winner = http.as_(world.staff[0]), http.as_(world.staff[1])
    [task] = loser.get("/station-tasks")["items"]
    ids = {"order": task["work_order_id"], "asset": world.asset, "customer": world.customer, "device": world.device}
    paths = [f"/work-orders/{ids['order']}", f"/work-orders/{ids['order']}/slots", f"/assets/{world.asset}"]
    paths += [f"/customers/{world.customer}", f"/devices/{world.device}", f"/devices/{world.device}/latest"]
    paths += [f"/devices/{world.device}/rate"]
    paths += [f"/history/work_order/{ids['order']}", f"/history/asset/{world.asset}", f"/history/component/{world.pack}"]
    for path in paths:
        loser.get(path)
        winner.refused("GET", path, 404, "not_found")

    clock.advance(minutes=31)
    with db.transaction() as session:
        lapse_tasks(session, settings)

    for path in paths:
        winner.get(path)
        assert told(loser.call("GET", path)) == told(loser.call("GET", "/assets/" + ANY_ID)), path
    for path in ("/work-orders", "/assets", "/customers", "/sites", "/components", "/devices", "/alarms"):
        assert loser.get(path)["items"] == []
    chain = loser.get(f"/history/station_task/{task['id']}")
    assert {entry["subject"]["id"] for part in ("about", "causes", "effects") for entry in chain[part]} == {task["id"]} | {
        note["id"] for note in loser.get("/notifications")["items"]
    }
    assert all(entry["facts"] == {} for part in ("about", "causes", "effects") for entry in chain[part])


def test_a_rejected_task_ends_the_sight_at_once_and_a_finished_one_keeps_it(db: Database, settings: Settings, http: Http) -> None:
    world = make_world(db, settings)
    world.report(74.9, 74.5, 74.1)
    first, second = http.as_(world.staff[0]), http.as_(world.staff[1])
    [task] = first.get("/station-tasks")["items"]

    first.post(f"/station-tasks/{task['id']}/reject", {"reason": "no time"})

    first.refused("GET", f"/assets/{world.asset}", 404, "not_found")
    first.refused("POST", f"/station-tasks/{task['id']}/accept", 409, "state_conflict")
    second.get(f"/assets/{world.asset}")


def test_moving_a_rep_or_a_customer_moves_the_sight_with_them(estate: Estate, doors: dict[str, Http], db: Database) -> None:
    customer = estate.things["1"]["customer"]
    rep1, rep2 = doors["rep1"], doors["rep2"]
    rep2.refused("GET", f"/customers/{customer}", 404, "not_found")

    change = {"owner_id": estate.people["rep2"], "territory_id": estate.things["2"]["territory"]}
    doors["admin"].edit(f"/customers/{customer}", change, 1)

    rep2.get(f"/customers/{customer}")
    rep2.get(f"/assets/{estate.things['1']['asset']}")
    rep1.get(f"/customers/{customer}")  # who is at a customer's site keeps what they need there until they leave
    fix = {"lat": 22.5, "lon": 114.0, "datum": "wgs84", "accuracy_m": 5, "at_ms": to_ms(db.clock.now())}
    rep1.post(f"/visits/{estate.things['1']['visit']}/check-out", fix)
    rep1.refused("GET", f"/customers/{customer}", 404, "not_found")
    rep1.refused("GET", f"/service-offers/{estate.things['1']['offer']}", 404, "not_found")
