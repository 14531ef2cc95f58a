"""Two customers are one: everything goes to the survivor and can go back, and what comes late for the other is not lost."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from app.assets import operations as assets
from app.assets.models import DeviceProfile
from app.core.db import Base, Database
from app.core.settings import Settings
from app.core.tracked import add
from app.customers.belongings import BELONGINGS
from app.customers.models import Customer, Site
from app.jobs import JOBS
from app.service_offers.models import ServiceOffer
from app.tracks.models import Shift, VisitProposal
from app.users.models import User
from app.work_orders.models import WorkOrder
from tests.factories import World, make_asset, make_user
from tests.iot.vehicles import BOSS
from tests.people import Http
from tests.races.together import together

# What a merge may touch of a row that it does not change otherwise.
STAMPS = {"version", "change_no", "updated_at"}


def tables_of(db: Database, *, but: set[str] = frozenset()) -> dict[str, list[tuple[Any, ...]]]:  # type: ignore[assignment]
    """Return every row of everything that belongs to customers, without stamps."""
    found = {}
    with db.reading() as session:
        for name in sorted({"customers", *(belonging.table for belonging in BELONGINGS)} - but):
            table = Base.metadata.tables[name]
            columns = [column for column in table.c if column.name not in STAMPS]
            found[name] = sorted((tuple(row) for row in session.execute(select(*columns))), key=repr)
    return found


def owner_of(db: Database, belonging_table: str, row_id: str) -> str:
    with db.reading() as session:
        table = Base.metadata.tables[belonging_table]
        column = next(one.column for one in BELONGINGS if one.table == belonging_table)
        return str(session.scalar(select(table.c[column]).where(table.c.id == row_id)))


@pytest.fixture
def served(db: Database, settings: Settings, world: World, other: dict[str, Any]) -> str:
    """The other record has a vehicle with an alarm, so that it has an order, an offer, a grant, a portal user and a photo."""
    with db.transaction() as session:
        customer = session.get_one(Customer, other["id"])
        site = session.scalars(select(Site).where(Site.customer_id == other["id"])).one()
        profile = session.get_one(DeviceProfile, world.profile)
        since = db.clock.now() - timedelta(days=400)
        asset, _, device = make_asset(session, BOSS, customer, site, profile, "0002", since)
        make_user(session, settings, "customer", "owner2", customer_id=customer.id)
    world.report(74.9, 74.5, 74.1, device=device.id)
    return asset.id


def photo_of(http: Http, world: World, customer_id: str, row_id: str) -> None:
    phone = http.as_(world.rep)
    row = {"id": row_id, "subject_kind": "customer", "subject_id": customer_id, "name": "a.jpg", "mime": "image/jpeg", "size": 3}
    sent = {"attachments": {"created": [row | {"sha256": "0" * 64, "made_at": 1}], "updated": [], "deleted": []}}
    answer = phone.call("POST", "/sync/watermelon?last_pulled_at=0", sent, X_Installation="phone-000001")
    assert (answer.status_code, answer.json["experimentalRejectedIds"]) == (200, {})


def report_of(db: Database, http: Http, office: Http, customer_id: str) -> None:
    """Let somebody who signs in as a customer report something."""
    with db.reading() as session:
        owner_id = session.scalars(select(User.id).where(User.customer_id == customer_id)).one()
    step = {"code": "stock", "kind": "stock", "label_zh": "盘点", "label_en": "Stock"}
    form = office.post("/report-forms", {"code": "shop", "name_zh": "门店", "name_en": "Shop", "steps": [step]}, expect=201)
    told = {"stock": {"stock": [{"product": "P-1", "count": 1}]}}
    body = {"id": "report-of-other", "version_id": form["version_id"], "steps": told}
    http.as_(owner_id).post("/customer-reports", body, expect=201)


def propose_visit(db: Database, world: World, customer_id: str, site_id: str) -> None:
    """Propose a visit at a site, as a track would."""
    with db.transaction() as session:
        at = db.clock.now()
        times = {"began_at": at, "latest_end_at": at, "latest_end": "by_calendar", "keep_until": at}
        shift = add(session, Shift(user_id=world.rep, findings=[], **times))
        where = {"shift_id": shift.id, "customer_id": customer_id, "site_id": site_id}
        add(session, VisitProposal(user_id=world.rep, came_at=at, left_at=at, distance_m=1.0, **where))


def test_every_column_that_names_a_customer_goes_with_a_merge_or_is_about_merging_itself() -> None:
    own = {"customers", "customer_keys", "customer_prints", "duplicate_pairs", "customer_merges"}
    # Facts go and come back by whom they were said of; a scan and its task are of the record, and end with it.
    own |= {"customer_facts", "completeness_scans", "repair_tasks"}
    own |= {"entitlements"}  # balances: counted anew on both sides
    naming = {
        table.name for table in Base.metadata.sorted_tables for key in table.foreign_keys if key.column.table.name == "customers"
    }
    assert naming - own == {belonging.table for belonging in BELONGINGS} - {"attachments"}


def test_everything_of_the_other_customer_goes_to_the_survivor(
    db: Database, http: Http, world: World, office: Http, other: dict[str, Any], served: str
) -> None:
    photo_of(http, world, other["id"], "photo-of-other")
    report_of(db, http, office, other["id"])
    site = office.get(f"/sites?customer_id={other['id']}")["items"][0]["id"]
    at = "2026-03-02T01:00:00Z"
    office.post("/visits", {"site_id": site, "user_id": world.rep, "planned_from": at, "planned_until": at}, expect=201)
    people = [office.post(f"/customers/{other['id']}/contacts", {"name": name}, expect=201)["id"] for name in ("Li", "Wu")]
    office.post("/contact-relations", {"from_id": people[0], "to_id": people[1], "kind": "knows"}, expect=201)

    propose_visit(db, world, other["id"], site)
    office.post("/follow-ups", {"customer_id": other["id"], "kind": "note", "summary": "two vans"}, expect=201)
    asked = {"name": "Li", "phone": "+8613800138001", "interest": "vans", "territory_id": world.territory}
    lead = office.post("/leads", asked, expect=201)["id"]
    called = {"lead_id": lead, "kind": "call", "duration_s": 60, "summary": "wants two"}
    office.post("/follow-ups", called, expect=201)
    office.post(f"/leads/{lead}/qualify")
    office.post(f"/leads/{lead}/convert", {"customer_id": other["id"]})

    hours = {"code": "hours", "name_zh": "课时", "name_en": "hours", "unit": "hour"}
    kind = office.post("/entitlement-kinds", hours, expect=201)["id"]
    of_it = {"customer_id": other["id"], "kind_id": kind, "amount": "1.00"}
    office.post("/entitlement-grants", of_it | {"valid_from": "2026-01-01"}, expect=201)
    office.post("/entitlement-spends", of_it | {"id": "spend-of-other"}, expect=201)

    merge = office.post(f"/customers/{world.customer}/merge", {"other_id": other["id"]})

    assert merge["rivals"] | {"phone": "+8613812345678", "name": "Lin Logistics Ltd."} == merge["rivals"]
    told = "site, asset, order, offer, grant, owner, photo, visit, proposed visit, two contacts, relation, follow-up, lead"
    told += ", what was granted, what was used"
    assert merge["rows"] == 17, told
    left = {belonging.table: owner_of_all(db, belonging.table) for belonging in BELONGINGS}
    assert left == {belonging.table: {world.customer} for belonging in BELONGINGS}
    office.refused("DELETE", f"/customers/{other['id']}", 404, "not_found", If_Match="*")
    office.refused("POST", f"/customers/{other['id']}/undelete", 404, "not_found")
    assert office.get(f"/customers/{other['id']}")["id"] == world.customer
    assert office.get(f"/customers/{world.customer}")["phone"] == "+8613812345678", "it had none"


def owner_of_all(db: Database, belonging_table: str) -> set[str]:
    with db.reading() as session:
        table = Base.metadata.tables[belonging_table]
        belonging = next(one for one in BELONGINGS if one.table == belonging_table)
        return {owner for owner in session.scalars(select(table.c[belonging.column])) if owner is not None}


def test_a_merge_that_is_undone_leaves_everything_as_it_was(
    db: Database, http: Http, world: World, office: Http, other: dict[str, Any], served: str
) -> None:
    photo_of(http, world, other["id"], "photo-of-other")
    before = tables_of(db)

    office.post(f"/customers/{world.customer}/merge", {"other_id": other["id"]})
    assert tables_of(db) != before
    undone = office.post(f"/customers/{world.customer}/unmerge", {"other_id": other["id"]})

    assert undone["state"] == "undone"
    assert tables_of(db) == before
    office.refused("POST", f"/customers/{world.customer}/unmerge", 422, "validation_failed", {"other_id": other["id"]})


def test_what_was_made_since_stays_unless_it_hangs_on_what_goes_back(
    db: Database, settings: Settings, world: World, office: Http, other: dict[str, Any], served: str
) -> None:
    office.post(f"/customers/{world.customer}/merge", {"other_id": other["id"]})
    stays = office.post(f"/customers/{world.customer}/sites", {"name": "New", "lat": 22.5, "lon": 114.0}, expect=201)["id"]
    goes = office.post(f"/customers/{other['id']}/sites", {"name": "Late", "lat": 22.5, "lon": 114.0}, expect=201)["id"]
    assert owner_of(db, "sites", goes) == world.customer
    [yard] = [site for site in office.get(f"/sites?customer_id={world.customer}")["items"] if site["name"] == "Yard"]
    values = {"serial": "VIN-NEW", "model": "M", "customer_id": world.customer}
    on_yard = office.post("/assets", values | {"site_id": yard["id"]}, expect=201)["id"]
    on_new = office.post("/assets", values | {"serial": "VIN-NEW-2", "site_id": stays}, expect=201)["id"]

    office.post(f"/customers/{world.customer}/unmerge", {"other_id": other["id"]})

    assert {row: owner_of(db, "sites", row) for row in (stays, goes, yard["id"], world.site)} == {
        stays: world.customer, goes: other["id"], yard["id"]: other["id"], world.site: world.customer,
    }  # fmt: skip
    assert {row: owner_of(db, "assets", row) for row in (on_yard, on_new, served, world.asset)} == {
        on_yard: other["id"], on_new: world.customer, served: other["id"], world.asset: world.customer,
    }  # fmt: skip


def test_the_causal_log_tells_it_on_both_sides(http: Http, world: World, office: Http, other: dict[str, Any]) -> None:
    office.post(f"/customers/{world.customer}/merge", {"other_id": other["id"]})

    story = office.get(f"/history/customer/{world.customer}")
    kinds = [(entry["kind"], entry["subject"]["id"]) for entry in story["about"]]
    assert ("customer.created", other["id"]) in kinds, "its story goes on in this one"
    [gone] = [entry for entry in story["about"] if entry["kind"] == "customer.merged_away"]
    [came] = [entry for entry in story["about"] if entry["kind"] == "customer.merged"]
    assert gone["id"] in came["because_of"]
    told = f"Lin Logistics Ltd. ({other['code']}) turned out to be the same customer and was merged into this one"
    assert came["reason"] == f"{told}: 1 rows came with it."
    assert [entry["kind"] for entry in http.as_(world.rep).get(f"/history/customer/{other['id']}")["about"]] == [
        "customer.created", "customer.merged_away",
    ]  # fmt: skip
    office.post(f"/customers/{world.customer}/unmerge", {"other_id": other["id"]})
    assert [entry["kind"] for entry in office.get(f"/history/customer/{other['id']}")["about"]][-1] == "customer.came_back"


def test_a_rep_merges_only_customers_that_both_are_theirs(http: Http, world: World, office: Http, other: dict[str, Any]) -> None:
    rep, path = http.as_(world.rep), f"/customers/{world.customer}/merge"
    office.edit(f"/customers/{other['id']}", {"owner_id": None}, other["version"])
    rep.refused("POST", path, 403, "forbidden", {"other_id": other["id"]})
    http.as_(world.owner).refused("POST", path, 403, "forbidden", {"other_id": other["id"]})
    rep.refused("POST", path, 422, "validation_failed", {"other_id": "nobody-at-all"})
    rep.refused("POST", path, 422, "validation_failed", {"other_id": world.customer})
    office.edit(f"/customers/{other['id']}", {"owner_id": world.rep}, other["version"] + 1)

    assert rep.post(path, {"other_id": other["id"]})["merged_by"] == world.rep


def test_an_edit_of_the_old_id_by_an_old_version_is_refused_and_by_the_present_one_reaches_the_survivor(
    world: World, office: Http, other: dict[str, Any]
) -> None:
    office.post(f"/customers/{world.customer}/merge", {"other_id": other["id"]})
    present = office.get(f"/customers/{other['id']}")

    office.edit(f"/customers/{other['id']}", {"name": "x"}, 99, expect=412)
    office.edit(f"/customers/{other['id']}", {"name": "Lin & Sons"}, present["version"])

    assert office.get(f"/customers/{world.customer}")["name"] == "Lin & Sons"


def test_what_was_edited_and_said_by_the_old_id_goes_back_with_it(world: World, office: Http, other: dict[str, Any]) -> None:
    kept = office.get(f"/customers/{world.customer}")
    office.post(f"/customers/{world.customer}/merge", {"other_id": other["id"]})
    present = office.get(f"/customers/{other['id']}")
    edited = {"name": "Lin & Sons", "phone": "+8613300000029"}
    office.edit(f"/customers/{other['id']}", edited, present["version"])
    office.post(f"/customers/{other['id']}/facts", {"values": {"email": "lin@sons.test"}})
    now_one = office.get(f"/customers/{world.customer}")
    assert (now_one["name"], now_one["phone"], now_one["email"]) == ("Lin & Sons", "+8613300000029", "lin@sons.test")

    office.post(f"/customers/{world.customer}/unmerge", {"other_id": other["id"]})

    back, stayed = office.get(f"/customers/{other['id']}"), office.get(f"/customers/{world.customer}")
    assert (back["name"], back["phone"], back["email"]) == ("Lin & Sons", "+8613300000029", "lin@sons.test")
    assert [(name, stayed[name]) for name in ("name", "phone", "email")] == [
        (name, kept[name]) for name in ("name", "phone", "email")
    ]


def test_a_chain_of_merges_is_undone_link_by_link(db: Database, world: World, office: Http, other: dict[str, Any]) -> None:
    last = office.post("/customers", {"name": "Lin", "territory_id": world.territory}, expect=201)["id"]
    before = tables_of(db)
    office.post(f"/customers/{world.customer}/merge", {"other_id": other["id"]})
    between = tables_of(db)
    office.post(f"/customers/{last}/merge", {"other_id": world.customer})
    late = office.post(f"/customers/{other['id']}/sites", {"name": "Late", "lat": 22.5, "lon": 114.0}, expect=201)["id"]
    assert owner_of(db, "sites", late) == last

    office.refused("POST", f"/customers/{last}/unmerge", 422, "validation_failed", {"other_id": other["id"]})
    office.post(f"/customers/{last}/unmerge", {"other_id": world.customer})
    assert tables_of(db, but={"sites"}) == {name: rows for name, rows in between.items() if name != "sites"}
    assert owner_of(db, "sites", late) == world.customer
    office.post(f"/customers/{world.customer}/unmerge", {"other_id": other["id"]})

    assert tables_of(db, but={"sites"}) == {name: rows for name, rows in before.items() if name != "sites"}
    assert owner_of(db, "sites", late) == other["id"]


def test_a_row_that_was_made_for_the_other_at_the_very_moment_follows_by_the_clock(
    db: Database, settings: Settings, world: World, office: Http, other: dict[str, Any]
) -> None:
    """Planted: an asset that names the customer it read just before the merge."""
    [yard] = office.get(f"/sites?customer_id={other['id']}")["items"]
    office.post(f"/customers/{world.customer}/merge", {"other_id": other["id"]})
    with db.transaction() as session:
        values = {"serial": "VIN-LATE", "model": "M", "customer_id": world.customer, "site_id": yard["id"]}
        late = assets.create_asset(session, BOSS, values)
        late.customer_id = other["id"]
        session.flush()

    [job] = [job for job in JOBS if job.id == "follow_late_rows"]
    assert (job.work(db, settings), job.work(db, settings)) == (1, 0)
    assert owner_of(db, "assets", late.id) == world.customer
    office.post(f"/customers/{world.customer}/unmerge", {"other_id": other["id"]})
    assert owner_of(db, "assets", late.id) == other["id"]


def test_the_owner_who_is_merged_reads_and_answers_what_belongs_to_the_survivor(
    db: Database, http: Http, world: World, office: Http, other: dict[str, Any], served: str
) -> None:
    with db.reading() as session:
        owner = session.scalar(select(Base.metadata.tables["users"].c.id).where(Base.metadata.tables["users"].c.name == "owner2"))
        offer = session.scalars(select(ServiceOffer).where(ServiceOffer.asset_id == served)).one().id
        order = session.scalars(select(WorkOrder).where(WorkOrder.asset_id == served)).one().id
    office.post(f"/customers/{world.customer}/merge", {"other_id": other["id"]})
    door = http.as_(str(owner))

    assert {row["id"] for row in door.get("/assets")["items"]} == {served, world.asset}
    assert door.get(f"/work-orders/{order}")["customer_id"] == world.customer
    assert door.post(f"/service-offers/{offer}/decline", {})["state"] == "declined"


def test_a_survivor_that_is_gone_takes_nothing(world: World, office: Http, other: dict[str, Any]) -> None:
    empty = office.post("/customers", {"name": "Empty", "territory_id": world.territory}, expect=201)
    office.post(f"/customers/{empty['id']}/merge", {"other_id": other["id"]})
    gone = office.get(f"/customers/{empty['id']}")
    office.edit(f"/customers/{empty['id']}", None, gone["version"], method="DELETE")

    office.refused("POST", f"/customers/{other['id']}/sites", 409, "state_conflict", {"name": "x", "lat": 1, "lon": 1})
    back = office.post(f"/customers/{empty['id']}/undelete")
    assert {site["name"] for site in office.get(f"/sites?customer_id={back['id']}")["items"]} == {"Yard"}


def test_of_two_merges_at_once_into_each_other_one_is_refused(
    db: Database, http: Http, world: World, office: Http, other: dict[str, Any]
) -> None:
    doors = [office, http.as_(world.admin)]
    paths = [(world.customer, other["id"]), (other["id"], world.customer)]
    answers = together(
        *(
            partial(door.call, "POST", f"/customers/{one}/merge", {"other_id": two})
            for door, (one, two) in zip(doors, paths, strict=True)
        )
    )

    assert sorted(answer.status_code for answer in answers) in ([200, 404], [200, 409], [200, 422])
    with db.reading() as session:
        live = session.scalars(select(Customer.id).where(Customer.deleted_at.is_(None))).all()
        assert len(live) == 1
        assert set(session.scalars(select(Site.customer_id))) == set(live)
