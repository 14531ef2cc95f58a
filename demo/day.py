"""Plays a rep's day against the demo: over HTTP what happens with network, with a real phone what happens without."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from app.core.geo import Position
from app.core.locales import in_terminal
from app.core.settings import Settings
from app.positions.datum import Datum, from_wgs84
from app.positions.regions import Region
from demo.people import Person, Say, wait_until_ready
from demo.seed import demo_password
from demo.story import OWNERS

_ROOT = Path(__file__).resolve().parent.parent
_PHONE = _ROOT / "examples" / "watermelondb" / "day.mjs"
_HOUR_MS = 3_600_000


def day(settings: Settings, say: Say) -> int:
    """Play the day of ``rep.zh``; return 0 when every step came out as it should."""
    pick = in_terminal()
    wait_until_ready(settings.public_url)
    password = demo_password(settings)
    with (
        Person(settings.public_url, "rep.zh", password, say) as rep,
        Person(settings.public_url, "manager", password, say) as manager,
    ):
        _with_network(rep, manager, say)
    say(pick("On the phone (WatermelonDB)", "在手机上（WatermelonDB）"))
    return _on_the_phone(settings.public_url, password, say)


def _with_network(rep: Person, manager: Person, say: Say) -> None:
    pick = in_terminal()
    customer = next(one for one in rep.get("/customers")["items"] if one["code"] == OWNERS[0].code)
    site = rep.get(f"/sites?customer_id={customer['id']}")["items"][0]
    _leave(rep, site)
    say(pick("In the morning", "早上"))
    home = rep.get("/mobile/home")["sections"]
    say("  " + pick("home: ", "首页：") + ", ".join(f"{section['title']} {section['total']}" for section in home))
    found = rep.get("/search?q=pcwl")["items"][0]
    say("  " + pick("search for “pcwl”", "搜索“pcwl”") + f": {found['title']} ({found['matched']['text']})")
    _expect(found, id=customer["id"])
    say(pick("Arriving, with a phone whose map is shifted", "到达客户处，手机地图使用偏移坐标"))
    _visit_with_shifted_map(rep, manager, site, say)
    say(pick("A customer that is there already", "重复的客户"))
    _duplicate(rep, customer, site, say)


def _visit_with_shifted_map(rep: Person, manager: Person, site: dict[str, Any], say: Say) -> None:
    pick = in_terminal()
    visit = _plan(rep, site)
    shown = rep.do(
        pick("Check in with a position in GCJ-02", "以 GCJ-02 坐标签到"),
        f"/visits/{visit}/check-in",
        _fix(site, Datum.GCJ02),
        "nearness",
        "distance_m",
        "state",
        "grade",
    )
    _expect(shown, nearness="inside", state="accepted")
    told = f"{shown['told_lat']:.5f}, {shown['told_lon']:.5f}"
    kept = f"{shown['lat']:.5f}, {shown['lon']:.5f}"
    say("      " + pick(f"the phone told {told}; it stood at {kept} (WGS-84)", f"手机上报 {told}；实际位置 {kept}（WGS-84）"))
    outcome = {"outcome": pick("wants a second van", "想再买一辆车"), "next_step": pick("send a quote", "发送报价")}
    rep.do(pick("Check out", "签退"), f"/visits/{visit}/check-out", _fix(site, Datum.GCJ02) | outcome, "nearness", "state")
    visit = _plan(rep, site)
    waiting = rep.do(
        pick("The same without saying which datum: nothing is guessed", "不注明坐标系时不作猜测"),
        f"/visits/{visit}/check-in",
        _fix(site, Datum.GCJ02) | {"datum": "unknown"},
        "nearness",
        "state",
        "reasons",
    )
    _expect(waiting, nearness="unsure", state="needs_review")
    why = {"text": pick("I stood at the gate, the app forgot the datum", "我就在门口，应用没有上报坐标系")}
    rep.do(pick("The rep says why it is right", "业务员申诉"), f"/check-ins/{waiting['id']}/appeal", why, "state")
    decision = {"accepted": True, "reason": pick("plausible", "情况属实")}
    manager.do(pick("The manager decides", "主管裁定"), f"/check-ins/{waiting['id']}/decide", decision, "state")
    rep.do(pick("Check out", "签退"), f"/visits/{visit}/check-out", _fix(site, Datum.GCJ02), "state")


def _duplicate(rep: Person, customer: dict[str, Any], site: dict[str, Any], say: Say) -> None:
    pick = in_terminal()
    name = f"深圳{customer['name']}有限公司"
    made = rep.do(
        pick("Typed in again by a colleague, another way", "同事换了一种写法重复录入"),
        "/customers",
        {"name": name, "territory_id": customer["territory_id"]},
        "code",
        "name",
        expect=201,
    )
    place = {"name": site["name"], "address": site["address"], "lat": site["lat"] + 0.0003, "lon": site["lon"]}
    rep.do(pick("with its site", "及其地点"), f"/customers/{made['id']}/sites", place, "name", expect=201)
    found = rep.get(f"/customers/{customer['id']}/duplicates")["items"]
    twin = next(one for one in found if one["customer"]["id"] == made["id"])
    say(f"  {twin['score']} %: " + "; ".join(sign["text"] for sign in twin["signs"]))
    other = {"other_id": made["id"]}
    rep.do(pick("Merge them", "合并"), f"/customers/{customer['id']}/merge", other, "state")
    heir = rep.get(f"/customers/{made['id']}")
    say("  " + pick(f"who asks for the other one gets {heir['code']}", f"查询另一个客户时返回 {heir['code']}"))
    _expect(heir, id=customer["id"])
    rep.do(pick("It was wrong: undo it", "合并有误，撤销"), f"/customers/{customer['id']}/unmerge", other, "state")
    _expect(rep.get(f"/customers/{made['id']}"), id=made["id"], name=name)
    rep.delete(f"/customers/{made['id']}")


def _leave(rep: Person, site: dict[str, Any]) -> None:
    """Check out of what a day that was stopped left open."""
    for visit in rep.get("/visits?state=in_progress")["items"]:
        path = f"/visits/{visit['id']}/check-out"
        rep.do(in_terminal()("Check out of an earlier visit", "签退之前未结束的拜访"), path, _fix(site, Datum.GCJ02), "state")


def _plan(rep: Person, site: dict[str, Any]) -> str:
    pick = in_terminal()
    now_ms = _now_ms()
    window = {"planned_from": _instant(now_ms - _HOUR_MS), "planned_until": _instant(now_ms + _HOUR_MS)}
    made = rep.do(pick("Plan a visit", "计划拜访"), "/visits", {"site_id": site["id"], **window}, "number", expect=201)
    return str(made["id"])


def _fix(site: dict[str, Any], datum: Datum) -> dict[str, Any]:
    """Return what a phone a few metres from the site tells, in the datum of its map."""
    spread = random.Random()
    here = Position(site["lat"] + spread.uniform(1e-5, 4e-5), site["lon"] + spread.uniform(1e-5, 4e-5))
    shown = from_wgs84(here, datum, frozenset({Region.MAINLAND}))
    now_ms = _now_ms()
    accuracy_m = round(spread.uniform(5, 12), 1)
    told = {"lat": shown.lat, "lon": shown.lon, "datum": str(datum), "accuracy_m": accuracy_m, "provider": "gps"}
    return told | {"at_ms": now_ms, "sent_ms": now_ms}


def _on_the_phone(base: str, password: str, say: Say) -> int:
    own = Path(sys.executable).parent / "node"
    node = str(own) if own.exists() else shutil.which("node")
    if node is None or not (_ROOT / "examples" / "node_modules").exists():
        say("  " + in_terminal()("needs Node and the client libraries: make day", "需要 Node 和客户端库，请运行 make day"))
        return 1
    environ = os.environ | {
        "FIELDLOOP_URL": f"{base}/api/v1",
        "FIELDLOOP_LOGIN": "rep.zh",
        "FIELDLOOP_PASSWORD": password,
        "FIELDLOOP_LOCALE": in_terminal()("en", "zh-CN"),
    }
    run = subprocess.run([node, str(_PHONE)], env=environ, cwd=_ROOT, check=False, timeout=120)
    return run.returncode


def _expect(answer: dict[str, Any], **wanted: Any) -> None:
    found = {name: answer.get(name) for name in wanted}
    if found != wanted:
        raise RuntimeError(f"expected {wanted}, got {found}")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _instant(ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ms / 1000))
