"""Finding customers, sites and assets: by parts of names, pinyin, numbers; only what one may see; never what is gone."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import pytest
from sqlalchemy import Connection, Table, delete, func, insert, select

from app.core.db import Database
from app.customers.models import Customer
from app.search import operations
from app.search.models import SearchRow, SearchTerm
from app.search.queries import statement
from app.search.searchables import SEARCHABLES
from app.search.terms import MOST_TERMS, Text, Tier, terms_of
from tests.factories import World, make_user
from tests.people import Http
from tests.races.together import together


def found(http: Http, asked: str, **more: str) -> list[str]:
    query = "&".join(f"{name}={value}" for name, value in {"q": asked, **more}.items())
    return [item["title"] for item in http.get(f"/search?{query}")["items"]]


@pytest.fixture
def office(http: Http, world: World) -> Http:
    return http.as_(world.manager)


def add(office: Http, world: World, name: str, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = office.post("/customers", {"name": name, "territory_id": world.territory} | more, 201)
    return made


@pytest.mark.parametrize(
    "asked",
    [
        "鹏程",
        "鹏程物流",
        "深圳市鹏",
        "物流有",
        "鵬程",
        "深圳市鹏程物流有限公司",
        "pengcheng",
        "pengchengwuliu",
        "peng cheng",
        "pcwl",
        "szs",
        "ＰＣＷＬ",
        "鹏程 物流",
    ],
)
def test_a_chinese_name_is_found_by_any_part_of_it_and_by_its_sound(office: Http, world: World, asked: str) -> None:
    add(office, world, "深圳市鹏程物流有限公司")
    add(office, world, "广州大海贸易有限公司")

    assert found(office, asked) == ["深圳市鹏程物流有限公司"]


@pytest.mark.parametrize("asked", ["zhongqing", "chongqing", "cqcf", "zqcf", "changfa", "zhangfa"])
def test_characters_of_several_sounds_are_found_by_each(office: Http, world: World, asked: str) -> None:
    add(office, world, "重庆长发机械厂")

    assert found(office, asked) == ["重庆长发机械厂"]


@pytest.mark.parametrize("asked", ["lvzhou", "luzhou"])
def test_the_sound_that_keyboards_have_no_letter_for_is_typed_in_both_ways(office: Http, world: World, asked: str) -> None:
    add(office, world, "绿洲科技")

    assert found(office, asked) == ["绿洲科技"]


@pytest.mark.parametrize("asked", ["nort", "star", "north star", "star north", "NORTH STAR L", "Nörth"])
def test_an_english_name_is_found_by_the_beginnings_of_its_words(office: Http, world: World, asked: str) -> None:
    add(office, world, "North Star Ltd")
    add(office, world, "Southern Cross Ltd")

    assert found(office, asked) == ["North Star Ltd"]
    assert found(office, "tar") == []


@pytest.mark.parametrize("asked", ["13800001234", "%2B86 138 0000 1234", "138-0000", "1234", "00001234", "8613800"])
def test_a_telephone_number_is_found_whole_by_its_beginning_and_by_its_end(office: Http, world: World, asked: str) -> None:
    add(office, world, "Anna", phone="13800001234")
    add(office, world, "Berta", phone="13900005678")

    assert found(office, asked) == ["Anna"]


def test_codes_credit_codes_serials_and_addresses_are_found(office: Http, world: World) -> None:
    made = add(office, world, "Anna", code="KD-77-0042")
    office.post(
        f"/customers/{made['id']}/sites", {"name": "Werk", "address": "深圳市南山区科技园路8号", "lat": 22.5, "lon": 113.9}, 201
    )

    assert found(office, "KD-77-0042") == found(office, "kd770042") == found(office, "0042", kinds="customer") == ["Anna"]
    assert found(office, "科技园路", kinds="site") == found(office, "南山区", kinds="site") == ["Werk"]
    assert found(office, "VIN-0001") == found(office, "0001", kinds="asset") == ["VIN-0001"]


def test_whole_texts_come_before_beginnings_beginnings_before_parts_and_names_before_other_fields(
    office: Http, world: World
) -> None:
    for name, code in (("大鹏程", "A1"), ("鹏程", "B1"), ("鹏程物流", "C1"), ("Zebra", "鹏程7"), ("Yak", "7鹏程7")):
        add(office, world, name, code=code)
    items = office.get("/search?q=鹏程&kinds=customer")["items"]

    assert [(item["title"], item["matched"]["place"], item["matched"]["field"]) for item in items] == [
        ("鹏程", "whole", "name"),
        ("鹏程物流", "start", "name"),
        ("Zebra", "start", "code"),
        ("大鹏程", "inside", "name"),
        ("Yak", "inside", "code"),
    ]
    assert items[2]["matched"]["text"] == "鹏程7"


def test_pages_follow_each_other_without_gap_or_double(office: Http, world: World) -> None:
    names = {add(office, world, f"鹏程{number}号店")["name"] for number in range(1, 8)}
    first = office.get("/search?q=鹏程&limit=3")
    second = office.get(f"/search?q=鹏程&limit=3&cursor={first['next']}")
    third = office.get(f"/search?q=鹏程&limit=3&cursor={second['next']}")

    titles = [item["title"] for page in (first, second, third) for item in page["items"]]
    assert len(titles) == 7
    assert set(titles) == names
    assert third["next"] is None


def test_an_edit_a_deletion_and_a_merge_are_seen_at_once(office: Http, world: World) -> None:
    one, other = add(office, world, "鹏程物流"), add(office, world, "鹏程运输", phone="13800001234")
    office.edit(f"/customers/{one['id']}", {"name": "大海物流"}, one["version"])
    assert (found(office, "鹏程"), found(office, "大海")) == (["鹏程运输"], ["大海物流"])

    office.post(f"/customers/{one['id']}/merge", {"other_id": other["id"]})
    assert found(office, "鹏程") == []
    assert found(office, "1234") == ["大海物流"]

    office.post(f"/customers/{one['id']}/unmerge", {"other_id": other["id"]})
    assert found(office, "鹏程") == found(office, "1234") == ["鹏程运输"]

    gone = office.get(f"/customers/{other['id']}")
    assert office.call("DELETE", f"/customers/{gone['id']}", If_Match="*").status_code == 200
    assert found(office, "鹏程") == []


def test_nobody_finds_what_they_may_not_see(http: Http, office: Http, world: World, db: Database) -> None:
    north = http.as_(world.admin).post("/territories", {"code": "N", "name": "North"}, 201)
    with db.transaction() as session:
        stranger = make_user(session, world.settings, "rep", "stranger", territory_ids=[north["id"]])
    add(office, world, "鹏程物流")
    theirs = office.post("/customers", {"name": "鹏程北方", "territory_id": north["id"]}, 201)

    assert found(http.as_(stranger.id), "鹏程") == [theirs["name"]]
    assert set(found(http.as_(world.rep), "鹏程")) == {"鹏程物流"}
    assert set(found(office, "鹏程")) == {"鹏程物流", "鹏程北方"}
    # The owner sees their own customer, a station what it was given a task for.
    assert found(http.as_(world.owner), "鹏程") == []
    assert set(found(http.as_(world.owner), "Lin")) == {"Lin Logistics"}
    assert found(http.as_(world.staff[0]), "Lin") == []


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("q=a", "q", "too_short"),
        ("q=-!", "q", "too_short"),
        ("q=a b c d e f", "q", "too_many"),
        ("q=" + "x" * 101, "q", "too_long"),
        ("q=abc&kinds=user", "kinds", "not_one_of"),
        ("q=abc&limit=51", "limit", "out_of_range"),
        ("q=abc&cursor=zzz", "cursor", "invalid"),
        ("q=abc&cursor=MTAwMDA%3D", "cursor", "invalid"),
        ("", "q", "required"),
    ],
)
def test_what_cannot_be_looked_for_is_refused(office: Http, query: str, field: str, code: str) -> None:
    told = office.refused("GET", f"/search?{query}", 422, "validation_failed")

    assert [(one["field"], one["code"]) for one in told["errors"]] == [(field, code)]


@pytest.mark.parametrize("asked", ["%25", "_", "' OR 1=1 --", "\\", "a%00b", "(", "%F0%9F%98%80%F0%9F%98%80"])
def test_signs_that_mean_something_to_a_database_mean_nothing_here(office: Http, world: World, asked: str) -> None:
    add(office, world, "鹏程物流")
    answer = office.call("GET", f"/search?q={asked}")

    assert answer.status_code in {200, 422}
    if answer.status_code == 200:
        assert answer.json["items"] == []


def test_many_rows_at_once_are_found_when_the_worker_has_seen_to_them(office: Http, db: Database, world: World) -> None:
    texts = {f"asset-{number:05d}": [Text("serial", f"Q{number:05d}", "code")] for number in range(operations.AT_ONCE + 1)}
    with db.transaction() as session:
        operations.rekey(session, "asset", texts)
        assert session.scalar(select(func.count()).select_from(SearchRow).where(SearchRow.stale)) == len(texts)
    with db.transaction() as session:
        assert operations.keep_stale(session) == len(texts)
    with db.reading() as session:  # there are no such assets: nothing of them stays
        assert session.scalar(select(func.count()).select_from(SearchRow).where(SearchRow.row_id.like("asset-%"))) == 0


def test_everything_can_be_made_anew(office: Http, db: Database, world: World) -> None:
    def terms() -> list[Any]:
        found = select(SearchTerm.kind, SearchTerm.tier, SearchTerm.term, SearchTerm.field, SearchRow.row_id)
        with db.reading() as session:
            return sorted(session.execute(found.join(SearchRow, SearchRow.no == SearchTerm.row_no)).all())

    add(office, world, "鹏程物流")
    before = terms()
    with db.transaction() as session:
        session.execute(delete(SearchTerm))
        session.execute(delete(SearchRow).where(SearchRow.kind == "site"))
    assert found(office, "鹏程") == []
    with db.transaction() as session:
        operations.rebuild(session)
    with db.transaction() as session:
        while operations.keep_stale(session):
            pass
    assert found(office, "鹏程") == ["鹏程物流"]
    assert terms() == before


def test_a_field_one_may_not_read_is_not_found_by(office: Http, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    add(office, world, "Anna", phone="13800001234")
    assert found(office, "1234") == ["Anna"]
    hiding = dataclasses.replace(SEARCHABLES["customer"], hides=lambda _session, _actor: ["phone"])
    monkeypatch.setitem(SEARCHABLES, "customer", hiding)
    assert found(office, "1234") == []
    assert found(office, "Anna 1234") == []
    assert found(office, "Anna") == ["Anna"]


def test_each_step_reads_a_range_of_the_key(office: Http, db: Database, world: World) -> None:
    """Of as many rows as make it worth it: among a few PostgreSQL may well begin with the customers."""
    made = add(office, world, "鹏程物流")
    query = statement(world.actor(world.rep), SEARCHABLES["customer"], Tier.NAME_INSIDE, ("物流",), whole=False).limit(50)
    text = str(query.compile(db.engine, compile_kwargs={"literal_binds": True})).replace("%%", "%")
    with db.engine.connect() as link:  # never committed
        copy_many(link, made["id"], 2000)
        link.exec_driver_sql("ANALYZE")
        if db.dialect == "sqlite":
            plan = " ".join(row[-1] for row in link.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}"))
            assert "search_terms USING PRIMARY KEY (kind=? AND tier=? AND term>? AND term<?)" in plan, plan
        else:
            plan = " ".join(row[0] for row in link.exec_driver_sql(f"EXPLAIN {text}"))
            assert "Index Only Scan using pk_search_terms" in plan, plan
            assert "term >= '物流'" in plan.split("pk_search_terms")[1].split("Filter")[0], plan
            assert "Sort" not in plan, plan  # the key's order is that of the answer: it ends as soon as enough was found


def copy_many(link: Connection, customer_id: str, count: int) -> None:
    """Add copies of a customer that others are found by, too: each in a place of its own in the key."""
    customers, rows, terms = (cast(Table, one.__table__) for one in (Customer, SearchRow, SearchTerm))
    customer = link.execute(select(customers).where(customers.c.id == customer_id)).mappings().one()
    row = link.execute(select(rows).where(rows.c.row_id == customer_id)).mappings().one()
    known = link.execute(select(terms).where(terms.c.row_no == row["no"])).mappings().all()
    copies = [(row["no"] + n, f"copy-{n}", f"{n:05d}") for n in range(1, count + 1)]
    link.execute(insert(customers), [{**customer, "id": id_, "code": id_} for _, id_, _ in copies])
    link.execute(insert(rows), [{**row, "no": no, "row_id": id_} for no, id_, _ in copies])
    link.execute(insert(terms), [{**one, "row_no": no, "term": one["term"] + sign} for no, _, sign in copies for one in known])


def test_the_terms_of_a_row_are_bounded() -> None:
    assert len(terms_of([Text("name", "重" * 200, "name"), Text("code", "9" * 40, "code")])) <= MOST_TERMS


def test_two_who_edit_one_customer_leave_the_terms_of_what_it_is_called_then(office: Http, http: Http, world: World) -> None:
    made = add(office, world, "鹏程物流")
    doors = [(office, "大海贸易"), (http.as_(world.admin), "长城机械")]
    together(
        *[
            lambda door=door, name=name: door.call("PATCH", f"/customers/{made['id']}", {"name": name}, If_Match="*")
            for door, name in doors
        ]
    )
    name = office.get(f"/customers/{made['id']}")["name"]
    titles = {one: found(office, one) for one in ("鹏程物流", "大海贸易", "长城机械")}

    assert titles == {one: [one] if one == name else [] for one in titles}
