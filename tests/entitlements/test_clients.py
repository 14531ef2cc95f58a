"""The last hour, used by two real phones offline: WatermelonDB and RxDB come back in either order, and twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.entitlements.conftest import figures, grant, used
from tests.factories import World
from tests.people import Http
from tests.sync.conftest import server, webs
from tests.sync.test_clients import Client, client

__all__ = ["client", "server", "webs"]  # fixtures

# RxDB's free edition takes 13 collections in one process.
HELD = ["customers", "intents", "notifications", "entitlement_kinds", "entitlements", "entitlement_spends"]
EARLY, LATE = "2026-03-01T23:00:00Z", "2026-03-02T00:30:00Z"


def tell(phone: Client, n: int, spend: dict[str, Any], stamps: dict[str, int]) -> None:
    row = {"id": f"intent-spend-{n:04}", "kind": "entitlement.spend", "body": json.dumps(spend), "made_at": n}
    phone.call("create", collection="intents", row=row | stamps)


def held(phone: Client) -> tuple[Any, ...]:
    """Return how the two spends and the balance stand on a phone."""
    spends = phone.rows("entitlement_spends")
    [balance] = phone.rows("entitlements").values()
    return (
        {row_id: (row["state"], row["covered"], row["lack"]) for row_id, row in spends.items()},
        tuple(balance[name] for name in ("granted", "spent", "left", "beyond", "text")),
    )


@pytest.mark.parametrize("first", ["watermelon", "rxdb"])
def test_the_last_hour_used_offline_on_two_real_phones_is_the_earliers(
    office: Http, world: World, kind: str, colleague: Http, client: Callable[..., Client], first: str
) -> None:
    grant(office, world.customer, kind, "1.00", until="2026-12-31")
    melon, rx = client("watermelon", "rep"), client("rxdb", "colleague", collections=HELD)
    for phone in (melon, rx):
        phone.call("sync")
        assert held(phone)[1] == ("1.00", "0.00", "1.00", "0.00", "培训课时：剩余 1，共 1，2026年12月31日到期")
    # Both use the last hour without network: the one on WatermelonDB earlier.
    tell(melon, 1, used(world.customer, kind, 2, at=EARLY), {})
    tell(rx, 2, used(world.customer, kind, 1, at=LATE), {"created_at": 0, "updated_at": 0})
    back = (melon, rx) if first == "watermelon" else (rx, melon)
    for phone in back:
        # The server takes it; its answer is lost, so the phone sends it again.
        phone.call("fault", kind="drop_response", path="/sync/", method="POST", times=1)
        phone.ask("sync")
        phone.call("fault", kind="none")
    for phone in (*back, *back):
        phone.call("sync")

    for phone in (melon, rx):
        assert held(phone) == (
            {"spend-000002": ("covered", "1.00", None), "spend-000001": ("beyond", "0.00", "used_up")},
            ("1.00", "1.00", "0.00", "1.00", "培训课时：剩余 0，共 1；另有 1 超出额度"),
        )
        assert {row["verdict"] for row in phone.rows("intents").values()} == {"accepted"}
        assert phone.call("pending")["count"] == 0
        assert phone.complaints() == []
    assert figures(office, world.customer, kind) == ("1.00", "1.00", "0.00", "1.00")
    # Whoever was covered first and is beyond now was told so, once; who told theirs last was not.
    told = [row["kind"] for row in rx.rows("notifications").values()]
    assert told == (["entitlement_changed"] if first == "rxdb" else [])
    assert melon.rows("notifications") == {}
