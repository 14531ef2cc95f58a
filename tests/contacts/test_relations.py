"""Relations between contacts, weighed influence, and the scheme that the business sets."""

from __future__ import annotations

import copy
import random
import threading
from typing import Any

import pytest

from app.contacts import relations, schemes
from app.contacts.influence import DAMPING, Edge, scores
from app.core.db import Database
from app.core.settings import Settings
from tests.contacts.test_contacts import contact, met
from tests.factories import World, make_world
from tests.people import Http
from tests.visits.test_check_ins import plan


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def rep(http: Http, world: World) -> Http:
    return http.as_(world.rep)


@pytest.fixture
def boss(http: Http, world: World) -> Http:
    return http.as_(world.manager)


def relate(door: Http, source: str, target: str, kind: str, strength: int = 3) -> str:
    body = {"from_id": source, "to_id": target, "kind": kind, "strength": strength}
    return str(door.post("/contact-relations", body, expect=201)["id"])


def document(**weights: int) -> dict[str, Any]:
    """Return the default with other weights of roles."""
    found = copy.deepcopy(schemes.DEFAULT)
    for row in found["roles"]:
        row["weight"] = weights.get(row["code"], row["weight"])
    return found


def test_scores_are_a_share_of_100_and_what_they_are_made_of_adds_up() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    for _ in range(50):
        people = {f"p{n}": float(chance.randint(0, 10)) for n in range(chance.randint(1, 12))}
        edges = [
            Edge(chance.choice(list(people)), chance.choice(list(people)), float(chance.randint(0, 25)), f"r{n}")
            for n in range(chance.randint(0, 30))
        ]
        found = scores(people, edges)
        assert sum(score.points for score in found.values()) == pytest.approx(100)
        for score in found.values():
            parts = score.by_role + score.shared_out + sum(part.points for part in score.by_relations)
            assert score.points == pytest.approx(parts, abs=1e-6)


def test_a_score_by_hand() -> None:
    """Two people of one weight, the first lends to the second: s = (1 - d) / 2 + d (W s), the second gives back to both."""
    found = scores({"a": 1.0, "b": 1.0}, [Edge("a", "b", 4.0, "r")])
    # a = (1-d)/2 + d b/2 and b = 1 - a, so a (1 + d/2) = 1/2
    assert found["a"].points == pytest.approx(100 * 0.5 / (1 + DAMPING / 2))
    assert found["b"].points == pytest.approx(100 - found["a"].points)
    assert scores({}, []) == {}
    assert scores({"a": 0.0, "b": 0.0}, [])["a"].points == pytest.approx(50), "without weights all are alike"


def test_the_graph_says_who_counts_why_and_who_is_missing(rep: Http, world: World) -> None:
    boss_ = contact(rep, world, "Director Lin", role="decider")
    buyer = contact(rep, world, "王芳", role="buyer")
    wife = contact(rep, world, "Mrs Lin")
    contact(rep, world, "Gone", role="user", left_at="2026-01-01T00:00:00Z")
    [unknown] = met(rep, plan(rep, world), {"name": "Driver"})
    relate(rep, buyer, boss_, "reports_to", 5)
    edge = relate(rep, wife, boss_, "influences", 5)

    graph = rep.get(f"/customers/{world.customer}/relations")
    nodes = {node["contact"]["id"]: node for node in graph["nodes"]}
    assert graph["nodes"][0]["contact"]["id"] in {boss_, wife}
    assert nodes[wife]["influence"] > nodes[buyer]["influence"], "she has no role, and the director listens to her"
    assert [(part["contact_id"], part["relation_id"]) for part in nodes[wife]["because"]["by_relations"]] == [(boss_, edge)]
    assert nodes[unknown["contact_id"]]["influence"] is None
    assert nodes[boss_]["role_name"] == "决策人"
    assert sum(node["influence"] or 0 for node in graph["nodes"]) == pytest.approx(100, abs=0.3)
    assert {row["code"] for row in graph["missing_roles"]} == {"influencer", "user"}, "who left holds no role any more"
    assert len(graph["edges"]) == 2


def test_a_relation_is_said_once_between_two_contacts_of_one_customer(rep: Http, world: World) -> None:
    one, two = contact(rep, world, "one"), contact(rep, world, "two")
    new = rep.post("/customers", {"name": "Other", "territory_id": world.territory}, expect=201)["id"]
    other = rep.post(f"/customers/{new}/contacts", {"name": "three"}, expect=201)["id"]
    relate(rep, one, two, "knows")
    for target, kind, field, code in (
        (two, "knows", "to_id", "already_exists"),
        (one, "knows", "to_id", "invalid"),
        (other, "knows", "to_id", "invalid"),
        ("no-such-contact", "knows", "to_id", "unknown_reference"),
        (two, "hates", "kind", "not_one_of"),
    ):
        body = {"from_id": one, "to_id": target, "kind": kind}
        answer = rep.refused("POST", "/contact-relations", 422, "validation_failed", body)
        assert [(fault["field"], fault["code"]) for fault in answer["errors"]] == [(field, code)]


def test_a_customer_has_a_bounded_number_of_relations(rep: Http, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relations, "MOST_RELATIONS", 1)
    one, two = contact(rep, world, "one"), contact(rep, world, "two")
    relate(rep, one, two, "knows")
    body = {"from_id": two, "to_id": one, "kind": "trusts"}
    rep.refused("POST", "/contact-relations", 409, "too_many_relations", body)


def test_two_people_who_say_the_same_relation_at_once_make_one(http: Http, rep: Http, world: World) -> None:
    one, two = contact(rep, world, "one"), contact(rep, world, "two")
    gate, answers = threading.Barrier(2), []

    def say(door: Http) -> None:
        gate.wait()
        body = {"from_id": one, "to_id": two, "kind": "knows"}
        answers.append(door.call("POST", "/contact-relations", body).status_code)

    threads = [threading.Thread(target=say, args=(http.as_(user),)) for user in (world.rep, world.manager)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201, 422]
    assert len(rep.get(f"/customers/{world.customer}/relations")["edges"]) == 1


def test_relations_follow_their_contact_when_it_is_merged_or_deleted(rep: Http, world: World) -> None:
    one, twin, two = (contact(rep, world, name) for name in ("one", "one!", "two"))
    relate(rep, one, two, "knows")
    relate(rep, twin, two, "knows")
    relate(rep, twin, one, "trusts")
    relate(rep, two, twin, "reports_to")
    rep.post(f"/contacts/{one}/merge", {"other_id": twin})
    edges = rep.get(f"/customers/{world.customer}/relations")["edges"]
    assert sorted((edge["from_id"], edge["to_id"], edge["kind"]) for edge in edges) == sorted(
        [(one, two, "knows"), (two, one, "reports_to")]
    )
    version = rep.get(f"/contacts/{two}")["version"]
    rep.edit(f"/contacts/{two}", None, version, method="DELETE")
    assert rep.get(f"/customers/{world.customer}/relations")["edges"] == []


def test_a_new_version_of_weights_is_previewed_then_switched_on(rep: Http, boss: Http, world: World) -> None:
    boss_ = contact(rep, world, "Director", role="decider")
    buyer = contact(rep, world, "Buyer", role="buyer")
    contact(rep, world, "Keeper", role="gatekeeper")
    new = document(decider=1, buyer=10)
    new["roles"] = [row for row in new["roles"] if row["code"] != "gatekeeper"]
    draft = boss.post("/contact-schemes", {"document": new}, expect=201)
    before = rep.get(f"/customers/{world.customer}/relations")
    assert before["nodes"][0]["contact"]["id"] == boss_

    told = boss.get(f"/contact-schemes/{draft['id']}/preview")
    assert (told["customers"], told["changed"], told["new_first"], told["unknown_roles"]) == (1, 1, 1, 1)
    [change] = told["items"]
    assert (change["customer_name"], change["new_first"]) == ("Lin Logistics", True)
    assert rep.get(f"/customers/{world.customer}/relations") == before, "a draft changes nothing"

    boss.post(f"/contact-schemes/{draft['id']}/activate")
    after = rep.get(f"/customers/{world.customer}/relations")
    points = {node["contact"]["id"]: node["influence"] for node in after["nodes"]}
    assert (after["nodes"][0]["contact"]["id"], after["scheme_number"]) == (buyer, draft["number"])
    assert points[boss_] == next(row["after"] for row in change["people"] if row["contact_id"] == boss_)
    boss.refused("POST", f"/contact-schemes/{draft['id']}/activate", 409, "state_conflict")
    rep.refused("POST", "/contact-schemes", 403, "forbidden", {"document": new})


def test_of_two_versions_switched_on_at_once_one_holds(http: Http, boss: Http, world: World) -> None:
    drafts = [boss.post("/contact-schemes", {"document": document(decider=n)}, expect=201)["id"] for n in (1, 2)]
    gate, answers = threading.Barrier(2), []

    def switch(door: Http, draft: str) -> None:
        gate.wait()
        answers.append(door.call("POST", f"/contact-schemes/{draft}/activate").status_code)

    doors = [http.as_(world.manager), http.as_(world.admin)]
    threads = [threading.Thread(target=switch, args=pair) for pair in zip(doors, drafts, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) <= {200, 409}
    assert 200 in answers
    states = [row["state"] for row in boss.get("/contact-schemes")["items"]]
    assert states.count("active") == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"roles": [schemes.DEFAULT["roles"][0]] * 2}, "document.roles"),
        ({"roles": [schemes.DEFAULT["roles"][0] | {"weight": 101}]}, "document.roles.0.weight"),
        ({"roles": [schemes.DEFAULT["roles"][0] | {"code": "Big Boss"}]}, "document.roles.0.code"),
        ({"relations": [schemes.DEFAULT["relations"][0] | {"lends": "nowhere"}]}, "document.relations.0.lends"),
        ({"relations": [schemes.DEFAULT["relations"][0]] * 31}, "document.relations"),
    ],
)
def test_a_scheme_that_makes_no_sense_is_refused(boss: Http, change: dict[str, Any], field: str) -> None:
    answer = boss.refused("POST", "/contact-schemes", 422, "validation_failed", {"document": schemes.DEFAULT | change})
    assert [one["field"] for one in answer["errors"]] == [field]
