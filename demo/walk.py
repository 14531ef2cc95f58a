"""Plays the rest of the demo's story over HTTP, as its people would, and prints each step with its answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx

from app.core.locales import EN, ZH, in_terminal
from app.core.settings import Settings
from demo.seed import demo_password

Say = Callable[[str], None]
_PATIENCE_S = 60.0


class Person:
    """Somebody signed in, speaking to the API."""

    def __init__(self, base: str, login: str, password: str, say: Say) -> None:
        """Sign in."""
        self.login, self._say = login, say
        self._http = httpx.Client(base_url=f"{base}/api/v1", timeout=15)
        tokens = self._http.post("/auth/sign-in", json={"login": login, "password": password}).raise_for_status().json()
        self._http.headers["Accept-Language"] = in_terminal()(EN, ZH)
        self._http.headers["Authorization"] = f"Bearer {tokens['access_token']}"

    def get(self, path: str) -> Any:
        """Read something quietly."""
        return self._http.get(path).raise_for_status().json()

    def do(self, what: str, path: str, body: dict[str, Any] | None, *show: str, expect: int = 200) -> Any:
        """Do something and print it with some fields of the answer."""
        answer = self._http.post(path, json=body) if body is not None else self._http.post(path)
        found = answer.json()
        told = ", ".join(f"{name}={found.get(name)}" for name in show)
        self._say(f"  {what}\n      {self.login}: POST /api/v1{path} -> {answer.status_code}  {told}")
        if answer.status_code != expect:
            raise RuntimeError(f"expected {expect}, got {answer.status_code}: {answer.text}")
        return found


def walk(settings: Settings, say: Say) -> int:
    """Play the story for the first open offer of the demo; return 0 when every step came out as it should."""
    pick = in_terminal()
    password = demo_password(settings)
    _wait(lambda: _answers(settings.public_url))

    def person(login: str) -> Person:
        return Person(settings.public_url, login, password, say)

    owner, manager, rep = person("owner.zh"), person("manager"), person("rep.zh")
    say(pick("What happened by itself", "系统自动完成的部分"))
    offer = _wait(lambda: next((o for o in owner.get("/service-offers")["items"] if o["state"] in {"issued", "viewed"}), None))
    alarm = rep.get(f"/alarms/{offer['alarm_id']}")
    value, count = f"{alarm['metric']} {alarm['last_value']}", alarm["readings"]
    say(f"  alarm {alarm['state']}: " + pick(f"{value} after {count} readings below 75", f"{value}，已有 {count} 次低于 75"))
    say(f"  offer {offer['state']}: {offer['price']} - {offer['discount']} = {offer['amount_due']} {offer['currency']}")
    task = next(t for t in manager.get("/station-tasks?state=offered")["items"] if t["work_order_id"] == offer["work_order_id"])
    station = manager.get(f"/stations/{task['station_id']}")
    staff = person(f"station.{station['code'].lower()}")
    part = task["part_no"]
    say(f"  task {task['state']}: {station['name']}, " + pick(f"one {part} reserved", f"已预留 1 件 {part}"))
    for who in (owner, staff, rep):
        title = who.get("/notifications")["items"][0]["title"]
        say(f"  {who.login}: " + pick(f"reads “{title}”", f"收到通知「{title}」"))

    say(pick("What people do", "人的操作"))
    staff.do(pick("The station accepts", "服务站接单"), f"/station-tasks/{task['id']}/accept", None, "state")
    owner.do(pick("The owner opens the offer", "车主查看优惠"), f"/service-offers/{offer['id']}/view", None, "state")
    slots = owner.get(f"/work-orders/{offer['work_order_id']}/slots")["slots"]
    owner.do(
        pick("The owner accepts and picks a slot", "车主接受并选择时段"),
        f"/service-offers/{offer['id']}/accept",
        {"slot_at": slots[1]},
        "state",
    )
    coupon = owner.get(f"/service-offers/{offer['id']}/coupon")
    say("  " + pick(f"The owner shows the coupon {coupon['code']}", f"车主出示优惠券 {coupon['code']}"))
    finish = {"serial": f"NEW-{offer['id'][-8:]}"}
    staff.do(
        pick("Finishing before the coupon is refused", "未核销优惠券就完工会被拒绝"),
        f"/station-tasks/{task['id']}/finish",
        finish,
        "code",
        expect=409,
    )
    staff.do(pick("The station redeems the coupon", "服务站核销优惠券"), "/coupons/redeem", {"code": coupon["code"]}, "state")
    staff.do(
        pick("A second time is refused", "再次核销会被拒绝"), "/coupons/redeem", {"code": coupon["code"]}, "code", expect=409
    )
    staff.do(pick("The station fits a new pack", "服务站更换电池包"), f"/station-tasks/{task['id']}/finish", finish, "state")
    cleared = _wait(lambda: found if (found := rep.get(f"/alarms/{alarm['id']}"))["state"] == "cleared" else None)
    say(f"  alarm {cleared['state']}: {cleared['end_reason']}")

    say(pick("Why, from the redeemed coupon back to the readings", "为什么：从已核销的优惠券追溯到电池读数"))
    chain = rep.get(f"/history/coupon/{coupon['coupon_id']}")
    for entry in sorted(chain["causes"], key=lambda found: (found["occurred_at"], found["id"])):
        say(f"  {entry['occurred_at'][:19]}  {entry['kind']:26} {entry['reason']}")
    reading = next(entry for entry in chain["causes"] if entry["kind"] == "reading.observed")
    say(pick("What followed from the first of those readings", "从第一条读数向后看"))
    effects = rep.get(f"/history/reading/{reading['subject']['id']}")["effects"]
    say("  " + " > ".join(dict.fromkeys(entry["kind"] for entry in sorted(effects, key=lambda found: found["id"]))))
    return 0


def _answers(base: str) -> bool | None:
    try:
        return httpx.get(f"{base}/health/ready", timeout=5).status_code == 200 or None
    except httpx.TransportError:
        return None


def _wait(look: Callable[[], Any]) -> Any:
    """Ask again until there is an answer, at most a minute.

    Raises:
        TimeoutError: when there is none.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(0.5)
    raise TimeoutError(
        in_terminal()(
            "nothing came within a minute; is `make run` ready? see: python -m app doctor",
            "一分钟内没有结果；make run 就绪了吗？请运行 python -m app doctor",
        )
    )
