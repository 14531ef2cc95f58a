"""The files an operator takes as they are: alerts and panels over metrics there are, units and services that are well formed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import REGISTRY

from app.core.db import Database
from app.core.http import LARGEST_BODY
from app.core.leases import beat
from app.core.settings import Settings
from app.jobs import JOBS, Scheduler
from app.meta import gauges
from tests.conftest import SetClock
from tests.factories import make_world
from tests.iot.vehicles import message, values
from tests.push.conftest import Outbox

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
ALERTS = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())["groups"][0]["rules"]
PANELS = json.loads((DEPLOY / "grafana/fieldloop.json").read_text())["panels"]
EXPRESSIONS = {rule["alert"]: rule["expr"] for rule in ALERTS} | {p["title"]: p["targets"][0]["expr"] for p in PANELS}

# Of PromQL what these files use. https://prometheus.io/docs/prometheus/latest/querying/
FUNCTIONS = {"rate", "increase", "changes", "histogram_quantile"}
AGGREGATIONS = {"sum", "max", "min"}
WORDS = {"by", "unless", "and", "or"}
_TOKEN = re.compile(
    r"\s*(?:(?P<name>[a-zA-Z_][a-zA-Z0-9_]*)|(?P<number>-?\d+(?:\.\d+)?)|(?P<span>\[\d+[smhd]\])"
    r"|(?P<match>\{(?:[a-z_]+(?:=~|!~|!=|=)\"[^\"]*\",?)+\})|(?P<compare>[<>]=?|==|!=)|(?P<mark>[(),]))"
)


def tokens(expression: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(expression.rstrip()):
        token = _TOKEN.match(expression, at)
        assert token is not None, f"not PromQL from here on: {expression[at:]!r}"
        found.append((str(token.lastgroup), token.group().strip()))
        at = token.end()
    return found


def metrics_in(expression: str) -> set[str]:
    """Return the metrics an expression reads; fail where it is not well formed as far as this can tell."""
    depth, labels, found = 0, False, set()
    told = tokens(expression)
    for i, (kind, text) in enumerate(told):
        following = told[i + 1][1] if i + 1 < len(told) else ""
        if text == "(":
            labels = i > 0 and told[i - 1][1] == "by"
            depth += 1
        elif text == ")":
            depth, labels = depth - 1, False
            assert depth >= 0, expression
        elif kind == "span":
            assert told[i - 1][0] in {"name", "match"}, expression
        elif kind == "name" and not labels and text not in WORDS:
            if text in FUNCTIONS:
                assert following == "(", expression
            elif text in AGGREGATIONS:
                assert following in {"(", "by"}, expression
            else:
                assert following not in {"(", '"'}, f"unknown function {text}"
                found.add(text)
    assert depth == 0, expression
    ranged = re.findall(r"(\w+)\((?:\w+)(?:\{[^}]*\})?(\[)?", expression)
    assert all(span for name, span in ranged if name in {"rate", "increase", "changes"}), expression
    return found


@pytest.fixture
def shown(db: Database, settings: Settings, clock: SetClock) -> dict[str, set[str]]:
    """Every metric that a deployment shows in which each thing happened once, with its labels."""
    world = make_world(db, settings)
    world.send(*[message(world, world.device, value) for value in values(clock.now(), clock.now() - clock.now(), 80.0)])
    outbox = Outbox(db, clock)
    outbox.queue(outbox.person("phone-a"))
    world.report(70.0, 70.0, 70.0)
    world.send(world.telemetry(1.0)[0]._replace(payload=b"{"))
    Scheduler(db, settings).run(JOBS[0])
    with db.transaction() as session:
        beat(session, "ingest-0", connected=True, broker_dropped=3)
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(gauges(db)):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    for metric in REGISTRY.collect():
        if metric.name.startswith("fieldloop_"):
            labels = set(vars(REGISTRY._names_to_collectors[metric.name])["_labelnames"])
            suffixes = ("_bucket", "_sum", "_count") if metric.type == "histogram" else ("_total",)
            for suffix in suffixes:
                found.setdefault(metric.name + suffix, set()).update(labels | {"le"})
    return found


def test_every_metric_of_alerts_and_panels_exists_with_the_labels_they_name(shown: dict[str, set[str]]) -> None:
    for name, expression in EXPRESSIONS.items():
        for metric in metrics_in(expression) - {"up"}:
            assert metric in shown, f"{name}: {metric}"
            grouped = {label.strip() for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(",")}
            matched = set(re.findall(r"([a-z_]+)(?:=~|!~|!=|=)\"", expression))
            if metric.startswith("fieldloop_"):
                assert grouped | matched <= shown[metric], f"{name}: {metric}"


def test_every_label_that_an_alert_tells_of_is_one_of_its_expression(shown: dict[str, set[str]]) -> None:
    for rule in ALERTS:
        told = set(re.findall(r"\$labels\.([a-z_]+)", rule["annotations"]["summary"] + rule["annotations"]["summary_zh"]))
        known = set().union(*(shown.get(metric, set()) for metric in metrics_in(rule["expr"])))
        assert told <= known, rule["alert"]


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS.keys())
def test_every_expression_is_well_formed(expression: str) -> None:
    assert metrics_in(expression)


@pytest.mark.parametrize(
    "wrong",
    [
        "sum(rate(fieldloop_x_total[5m])",
        "rate(fieldloop_x_total)",
        "summ(fieldloop_x)",
        "fieldloop_x{a=b} > 1",
        "fieldloop_x > [5m]",
    ],
)
def test_an_expression_that_is_not_well_formed_is_seen(wrong: str) -> None:
    with pytest.raises(AssertionError):
        metrics_in(wrong)


def test_every_alert_says_how_bad_and_what_in_both_languages() -> None:
    assert len({rule["alert"] for rule in ALERTS}) == len(ALERTS) >= 10
    for rule in ALERTS:
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert re.fullmatch(r"\d+[smh]", rule["for"])
        assert rule["annotations"]["summary"].isascii()
        assert re.search(r"[\u4e00-\u9fff]", rule["annotations"]["summary_zh"])


def test_a_job_that_does_not_end_any_more_is_late(db: Database, settings: Settings, clock: SetClock) -> None:
    scheduler = Scheduler(db, settings)
    job = JOBS[0]
    assert scheduler.run(job)
    assert f'fieldloop_job_overdue_seconds{{job_id="{job.id}"}} 0.0' in gauges(db)

    clock.advance(seconds=job.every_s + 90)

    assert f'fieldloop_job_overdue_seconds{{job_id="{job.id}"}} 90.0' in gauges(db)


def test_every_figure_of_the_deployment_is_documented(shown: dict[str, set[str]]) -> None:
    docs = [(DEPLOY.parent / "docs" / name).read_text() for name in ("operation.md", "operation.zh-CN.md")]
    names = {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown if not name.endswith("_created")}
    assert {name for name in names for text in docs if name not in text} == set()


@pytest.mark.parametrize("name", ["operation.md", "operation.zh-CN.md"])
def test_the_proxies_of_the_documents_let_the_largest_body_through(name: str) -> None:
    """A phone's push after weeks, and a part of an upload: what the proxy refuses the phone sends again for ever."""
    text = (DEPLOY.parent / "docs" / name).read_text()
    sizes = re.findall(r"(?:client_max_body_size|max_size|request_buffers) (\d+)(?:m|MB)", text)
    assert len(sizes) == 3
    assert min(map(int, sizes)) * 1_000_000 > LARGEST_BODY


UNITS = sorted(path.name for path in (DEPLOY / "systemd").iterdir() if path.suffix != ".conf")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine")
@pytest.mark.parametrize("unit", UNITS)
def test_systemd_takes_the_unit(unit: str, tmp_path: Path) -> None:
    """Programs and accounts are of the target machine, so only what systemd says of the file itself counts."""
    for name in UNITS:
        text = (DEPLOY / "systemd" / name).read_text()
        text = re.sub(r"(ExecStart=)/opt/fieldloop/.venv/bin/python", r"\1/bin/true", text)
        (tmp_path / name).write_text(re.sub(r"WorkingDirectory=.*", "WorkingDirectory=/", text))
    name = unit.replace("@.", "@0.")
    if name != unit:
        (tmp_path / name).write_text((tmp_path / unit).read_text())
    done = subprocess.run(["systemd-analyze", "verify", str(tmp_path / name)], capture_output=True, text=True, check=False)
    said = [line for line in done.stderr.splitlines() if "fieldloop" in line and "not found" not in line]

    assert said == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine")
def test_systemd_sees_a_key_it_does_not_know(tmp_path: Path) -> None:
    unit = tmp_path / "fieldloop-planted.service"
    unit.write_text("[Service]\nExecStart=/bin/true\nRestartAlways=yes\n")

    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)

    assert "RestartAlways" in done.stderr


def compose(path: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("check-jsonschema")
    arguments = [str(program), "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(arguments, capture_output=True, text=True, check=False)


def test_the_compose_file_is_one_and_a_wrong_key_in_it_is_seen(tmp_path: Path) -> None:
    done = compose(DEPLOY / "compose.yaml")
    assert done.returncode == 0, done.stdout

    wrong = tmp_path / "compose.yaml"
    wrong.write_text((DEPLOY / "compose.yaml").read_text().replace("stop_grace_period", "stop_grace"))
    assert compose(wrong).returncode == 1


def test_the_compose_file_starts_every_process_and_an_ingest_for_each_shard() -> None:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = found["services"]
    shards = services["web"]["environment"]["FIELDLOOP_MQTT_SHARDS"].split(",")
    assert {name for name in services if name.startswith("ingest-")} == {f"ingest-{shard}" for shard in shards}
    assert all(services[f"ingest-{shard}"]["command"][-2:] == ["--shard", shard] for shard in shards)
    assert {"web", "worker", "postgres", "mosquitto", "migrate"} <= set(services)
    known = {name.upper() for name in Settings.__dataclass_fields__}
    for service in services.values():
        given = {name.removeprefix("FIELDLOOP_") for name in service.get("environment", {}) if name.startswith("FIELDLOOP_")}
        assert given <= known
