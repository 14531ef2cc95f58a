"""What phones get to hold of entitlements, and what they tell of them offline."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.core.clock import EARLIEST, from_ms, to_ms
from app.core.db import Database
from app.core.errors import Conflict
from app.core.settings import Settings
from app.entitlements import operations as entitlements
from app.territories import operations as territories
from tests.conftest import SetClock
from tests.entitlements.conftest import figures, grant, make_kind, spend, used
from tests.entitlements.test_counting import ELEVEN, TEN, run
from tests.factories import World, make_user
from tests.iot.vehicles import BOSS
from tests.people import Http
from tests.sync.phones import Phone, digest_of
from tests.sync.rxdb_phones import RxdbPhone

Phones = Callable[..., Phone]
HOUR_MS = 3_600_000


def tell(device: Phone, n: int, what: str, body: dict[str, Any]) -> None:
    device.intend(f"intent-{device.name[-3:]}-{n:04}", what, json.dumps(body))


def of(device: Phone, table: str) -> dict[str, dict[str, Any]]:
    return dict(device.rows.get(table, {}))


def test_the_last_hour_used_by_two_offline_is_the_earliers(
    office: Http, world: World, kind: str, phone: Phones, colleague_id: str
) -> None:
    grant(office, world.customer, kind, "1.00", until="2026-12-31")
    early, late = phone(world.rep), phone(colleague_id)
    for device in (early, late):
        device.pull()
        [row] = of(device, "entitlements").values()
        assert (row["left"], row["text"]) == ("1.00", "培训课时：剩余 1，共 1，2026年12月31日到期")
    # Told in the same moment, and by ids the other way round: only when it was done decides.
    tell(early, 1, "entitlement.spend", used(world.customer, kind, 2, at=TEN))
    tell(late, 1, "entitlement.spend", used(world.customer, kind, 1, at=ELEVEN))

    for device in (late, early, late, early):
        device.sync()
    assert len(of(late, "entitlement_spends")) == 2
    for device in (late, early):
        device.sync()
        assert {row["verdict"] for row in of(device, "intents").values()} == {"accepted"}
        rows = of(device, "entitlement_spends")
        assert {row_id: (row["state"], row["covered"], row["lack"]) for row_id, row in rows.items()} == {
            "spend-000002": ("covered", "1.00", None), "spend-000001": ("beyond", "0.00", "used_up"),
        }  # fmt: skip
        assert rows["spend-000001"]["text"] == "超出额度：1 中仅有 0 可抵扣，其余此前已用完。"
        [row] = of(device, "entitlements").values()
        assert (row["left"], row["beyond"], row["state"]) == ("0.00", "1.00", "open")
    assert [row["kind"] for row in of(late, "notifications").values()] == ["entitlement_changed"]


def late_spend(device: Phone, world: World, kind: str, n: int, made_at: int, **told: str) -> dict[str, Any]:
    """Tell what was used, without a time unless one is given, and sync; return the row."""
    body = used(world.customer, kind, n)
    del body["happened_at"]
    device.intend(f"intent-{device.name[-3:]}-{n:04}", "entitlement.spend", json.dumps(body | told), made_at)
    device.sync()
    device.sync()
    return of(device, "entitlement_spends")[f"spend-{n:06}"]


def test_what_was_used_on_the_last_day_and_told_later_counts_from_when_the_phone_says(
    office: Http, world: World, kind: str, phone: Phones, clock: SetClock
) -> None:
    grant(office, world.customer, kind, "9.00", until="2026-03-02")
    silent, wrong = phone(world.rep), phone(world.rep)
    wrong.headers = lambda: {"X_Device_Time": str(to_ms(clock.now()) + 2 * HOUR_MS)}
    for device in (silent, wrong):
        device.pull()
    done_at = clock.now() + timedelta(hours=1)
    midnight = datetime(2026, 3, 2, 16, tzinfo=UTC)  # in Shanghai
    clock.set(midnight + timedelta(days=2))
    came_ms = to_ms(clock.now())

    for device, n, made_at, ahead_ms in ((silent, 1, to_ms(done_at), 0), (wrong, 2, to_ms(midnight) - 1, 2 * HOUR_MS)):
        row = late_spend(device, world, kind, n, made_at + ahead_ms)
        assert (row["happened_at"], row["state"], row["lack"]) == (made_at, "covered", None)
    said = (midnight + timedelta(hours=2) - timedelta(milliseconds=1)).isoformat()
    assert late_spend(wrong, world, kind, 3, came_ms, happened_at=said)["happened_at"] == to_ms(midnight) - 1
    said = (midnight - timedelta(milliseconds=1)).isoformat()
    assert late_spend(silent, world, kind, 4, came_ms, happened_at=said)["state"] == "covered"
    # What can be no time, and what is ahead of us, counts from when it came.
    for n, made_at in enumerate((0, 1, to_ms(EARLIEST) + 1, came_ms + 1, 2**53), 5):
        row = late_spend(silent, world, kind, n, made_at)
        assert (row["happened_at"], row["lack"]) == (came_ms, "no_grant")
    ahead = (clock.now() + timedelta(hours=3)).isoformat()
    for n, device in ((10, silent), (11, wrong)):
        assert late_spend(device, world, kind, n, 0, happened_at=ahead)["happened_at"] == came_ms


def test_a_spend_that_is_told_again_or_tried_again_keeps_its_time(
    office: Http, rep: Http, world: World, kind: str, phone: Phones, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant(office, world.customer, kind, "9.00", until="2026-03-02")
    first, second = phone(world.rep), phone(world.rep)
    for n, device in enumerate((first, second)):
        device.headers = lambda n=n: {"X_Device_Time": str(to_ms(clock.now()) + 2 * HOUR_MS + n * 1500)}  # type: ignore[misc]
        device.pull()
    done_ms = to_ms(clock.now())
    clock.advance(days=3)
    spent = [late_spend(device, world, kind, 1, done_ms + 2 * HOUR_MS + n) for n, device in enumerate((first, second))]
    assert [row["happened_at"] for row in spent] == [done_ms, done_ms]
    said = from_ms(done_ms + 2 * HOUR_MS).isoformat()
    spent = [late_spend(device, world, kind, 2, 0, happened_at=said) for device in (first, second)]
    assert [row["happened_at"] for row in spent] == [done_ms, done_ms]
    spend(rep, world, kind, 3, at=said)
    assert late_spend(first, world, kind, 3, 0, happened_at=said)["happened_at"] == done_ms + 2 * HOUR_MS
    assert {row["verdict"] for device in (first, second) for row in of(device, "intents").values()} == {"accepted"}
    other = used(world.customer, kind, 2, at=from_ms(done_ms - HOUR_MS).isoformat())
    tell(first, 9, "entitlement.spend", other)
    first.sync()
    assert of(first, "intents")[f"intent-{first.name[-3:]}-0009"]["verdict"] == "rejected"

    # The office carries out weeks later what could not be: it counts from when it was, or else from when it came.
    came_ms = to_ms(clock.now())
    with monkeypatch.context() as patched:

        def refuse(*_: Any) -> None:
            raise Conflict("conflict")

        patched.setattr(entitlements, "spend", refuse)
        for n, made_at in ((4, done_ms + 2 * HOUR_MS), (5, 0)):
            with pytest.raises(KeyError):
                late_spend(first, world, kind, n, made_at)
    clock.advance(days=20)
    for intent in office.get("/sync/intents?verdict=needs_review")["items"]:
        assert office.post(f"/sync/intents/{intent['id']}/settle", {"how": "retry"})["verdict"] == "accepted"
    first.sync()
    rows = of(first, "entitlement_spends")
    assert [(rows[one]["happened_at"], rows[one]["state"]) for one in ("spend-000004", "spend-000005")] == [
        (done_ms, "covered"), (came_ms, "beyond"),
    ]  # fmt: skip


def test_a_return_that_overtakes_its_spend_waits_for_it(office: Http, rep: Http, world: World, kind: str) -> None:
    grant(office, world.customer, kind, "1.00")
    device = RxdbPhone(rep, names=("customers", "intents", "entitlement_spends"))
    device.sync()
    back = {"spend_id": "spend-000001", "reason": "wrong customer"}
    device.intend("intent-return-01", "entitlement.return", json.dumps(back))
    device.sync()
    device.intend("intent-spend-001", "entitlement.spend", json.dumps(used(world.customer, kind, 1)))
    device.sync()
    device.sync()

    assert {row["verdict"] for row in device.live("intents").values()} == {"accepted"}
    assert device.live("entitlement_spends")["spend-000001"]["state"] == "returned"
    assert figures(office, world.customer, kind) == ("1.00", "0.00", "1.00", "0.00")


def test_a_phone_gets_and_loses_what_is_owed_with_the_customer(
    office: Http, world: World, kind: str, phone: Phones, http: Http, settings: Settings
) -> None:
    grant(office, world.customer, kind, "3.00")
    spend(http.as_(world.rep), world, kind, 1)
    with world.db.transaction() as session:
        stranger_id = make_user(session, settings, "rep", "stranger").id
    first, stranger, owner = phone(world.rep), phone(stranger_id), phone(world.owner)
    for device in (first, stranger, owner):
        device.pull()
    held = [(len(of(one, "entitlements")), len(of(one, "entitlement_spends"))) for one in (first, stranger, owner)]
    assert held == [(1, 1), (0, 0), (1, 1)]
    version = office.get(f"/customers/{world.customer}")["version"]
    with world.db.transaction() as session:
        beijing = territories.create_territory(session, BOSS, "BJ", "Beijing").id
    moved = {"territory_id": beijing, "owner_id": stranger_id}
    office.edit(f"/customers/{world.customer}", moved, version)
    for device in (first, stranger, owner):
        device.pull()
    held = [(len(of(one, "entitlements")), len(of(one, "entitlement_spends"))) for one in (first, stranger, owner)]
    assert held == [(0, 1), (1, 1), (1, 1)], "what a rep used themself stays with them"
    http.as_(stranger_id).refused("POST", "/entitlement-spends/spend-000001/return", 403, "forbidden", {"reason": "x"})


def test_a_kind_of_another_name_is_called_so_in_the_sentences_on_phones(
    office: Http, rep: Http, owner: Http, world: World, kind: str, phone: Phones
) -> None:
    grant(office, world.customer, kind, "3.00")
    other = make_kind(office, code="visits", name_en="visits")
    grant(office, world.customer, other, "2.00")
    names = ("entitlements", "entitlement_kinds")
    devices: list[Any] = [phone(world.rep), phone(world.owner), RxdbPhone(rep, names=names), RxdbPhone(owner, names=names)]
    for device in devices:
        device.sync()
    before = [device.live("entitlements") for device in devices]

    changes = {"name_zh": "辅导课时", "name_en": "tuition hours"}
    version = office.edit(f"/entitlement-kinds/{kind}", changes, 1)["version"]
    for device, rows in zip(devices, copy.deepcopy(before), strict=True):
        device.sync()
        now = device.live("entitlements")
        [renamed] = [row_id for row_id in rows if rows[row_id] != now[row_id]]
        assert rows[renamed]["kind_id"] == kind
        assert now[renamed] == rows[renamed] | {"text": now[renamed]["text"]}
        assert any(name in now[renamed]["text"] for name in changes.values())
        told = device.person.call("GET", "/sync/digest?collection=entitlements", X_Installation=device.name).get_json()
        assert told == {"collection": "entitlements"} | digest_of(now.values())
    # What stands in no sentence sends no balance again.
    at = devices[0].cursor
    office.edit(f"/entitlement-kinds/{kind}", {"active": False} | changes, version)
    path = f"/sync/watermelon?last_pulled_at={at}"
    told = devices[0].http("GET", path).get_json()["changes"]
    assert (len(told["entitlement_kinds"]["updated"]), told["entitlements"]["updated"]) == (1, [])


def test_old_spends_leave_the_phones_and_stay_on_record(
    office: Http, rep: Http, world: World, kind: str, phone: Phones, clock: SetClock, db: Database, settings: Settings
) -> None:
    grant(office, world.customer, kind, "3.00")
    spend(rep, world, kind, 1)
    device = phone(world.rep)
    device.pull()
    clock.advance(days=settings.entitlement_days)
    run(db, settings, "retire_spends")
    device.pull()
    assert set(of(device, "entitlement_spends")) == {"spend-000001"}

    clock.advance(days=1)
    run(db, settings, "retire_spends")
    device.pull()
    assert of(device, "entitlement_spends") == {}
    assert figures(rep, world.customer, kind) == ("3.00", "1.00", "2.00", "0.00")
    assert rep.get("/entitlement-spends/spend-000001")["state"] == "covered"


@pytest.mark.parametrize("wrong", [{"amount": "0.00"}, {"kind_id": "no-such-kind"}])
def test_what_cannot_be_taken_stays_on_the_phone_with_its_reason(
    world: World, kind: str, phone: Phones, wrong: dict[str, Any]
) -> None:
    device = phone(world.rep)
    device.pull()
    tell(device, 1, "entitlement.spend", used(world.customer, kind, 1) | wrong)
    device.sync()
    device.sync()
    [row] = of(device, "intents").values()
    assert (row["verdict"], row["code"]) == ("rejected", "validation_failed")
    assert of(device, "entitlement_spends") == {}
