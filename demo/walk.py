"""Plays the rest of the demo's story over HTTP, as its people would, and prints each step with its answer."""

from __future__ import annotations

from app.core.locales import in_terminal
from app.core.settings import Settings
from demo.people import Person, Say, wait_for, wait_until_ready
from demo.seed import demo_password


def walk(settings: Settings, say: Say) -> int:
    """Play the story for the first open offer of the demo; return 0 when every step came out as it should."""
    pick = in_terminal()
    password = demo_password(settings)
    wait_until_ready(settings.public_url)

    def person(login: str) -> Person:
        return Person(settings.public_url, login, password, say)

    owner, manager, rep = person("owner.zh"), person("manager"), person("rep.zh")
    say(pick("What happened by itself", "系统自动完成的部分"))
    offer = wait_for(lambda: next((o for o in owner.get("/service-offers")["items"] if o["state"] in {"issued", "viewed"}), None))
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
    cleared = wait_for(lambda: found if (found := rep.get(f"/alarms/{alarm['id']}"))["state"] == "cleared" else None)
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
