"""Settings that cannot have been meant are refused in one line that names the variable, whatever is started."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.settings import read_settings
from tests.iot.broker.brokers import ROOT

WRONG = [
    ("ENVIRONMENT", "prod", "development or production"),
    ("ENVIRONMENT", "Production", "development or production"),
    ("ENVIRONMENT", "", "development or production"),
    ("DATABASE_URL", "", "sqlite:///"),
    ("DATABASE_URL", "hunter2 is no url", "postgresql://user"),
    ("DATABASE_URL", "mysql://user:hunter2@host/name", "postgresql://user"),
    ("DATABASE_URL", "postgresql+asyncpg://user:hunter2@host/name", "postgresql://user"),
    ("DATABASE_URL", "postgresql://user:hunter2@host:port/name", "postgresql://user"),
    ("DATABASE_URL", "sqlite://", "sqlite:///<path of a file>"),
    ("DATABASE_URL", "sqlite:///:memory:", "sqlite:///<path of a file>"),
    ("TIME_ZONE", "Mars/Olympus", "Asia/Shanghai"),
    ("TIME_ZONE", "Asia", "Asia/Shanghai"),
    ("TIME_ZONE", "../etc/passwd", "Asia/Shanghai"),
    ("TIME_ZONE", "", "Asia/Shanghai"),
    ("HTTP_PORT", "0", "1 to 65535"),
    ("HTTP_PORT", "65536", "1 to 65535"),
    ("HTTP_PORT", "http", "1 to 65535"),
    ("HTTP_PORT", "", "1 to 65535"),
    ("HTTP_WORKERS", "0", "1 to 64"),
    ("HTTP_WORKERS", "-1", "1 to 64"),
    ("MQTT_PORT", "99999", "1 to 65535"),
    ("DEFAULT_LOCALE", "de", "zh-CN or en"),
    ("SLOT_MINUTES", "0", "5 to 1440"),
    ("ACCESS_TOKEN_S", "9" * 40, "30 to 86400"),
    ("REFRESH_TOKEN_DAYS", "1.5", "1 to 3650"),
    ("MQTT_SHARDS", "0,0", "0,1"),
    ("MQTT_SHARDS", "", "0,1"),
    ("MQTT_SHARDS", "-1", "0,1"),
    ("MQTT_BROKER", "mosquitto", "embedded or external"),
    ("MQTT_TLS", "perhaps", "true or false"),
    ("LOG_LEVEL", "LOUD", "INFO or DEBUG"),
    ("VAR_DIR", "", "not be empty"),
    ("SECRET_KEY_FILE", "/nowhere/at/all", "cannot be read"),
]


@pytest.mark.parametrize(("name", "value", "allowed"), WRONG)
def test_a_setting_that_is_not_allowed_is_named_with_what_is(
    name: str, value: str, allowed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv(f"FIELDLOOP_{name}", value)

    with pytest.raises(ValueError, match=f"FIELDLOOP_{name.removesuffix('_FILE')} ") as refused:
        read_settings()

    assert allowed in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("SECRET_KEY", "k" * 31), ("MQTT_PASSWORD", ""), ("MQTT_PASSWORD", "p" * 15), ("EMQX_TOKEN", "t" * 15), ("EMQX_TOKEN", "1")],
)
def test_a_secret_that_could_be_guessed_refuses_the_start_in_production(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    strong = {"SECRET_KEY": "k" * 32, "MQTT_PASSWORD": "p" * 16, "EMQX_TOKEN": "t" * 16}
    for setting, given in {"ENVIRONMENT": "production", "MQTT_BROKER": "external", "LC_ALL": "C.UTF-8", **strong}.items():
        monkeypatch.setenv(setting if setting == "LC_ALL" else f"FIELDLOOP_{setting}", given)
    read_settings()
    monkeypatch.delenv("FIELDLOOP_EMQX_TOKEN")
    read_settings()  # EMQX is not asked for

    monkeypatch.setenv(f"FIELDLOOP_{name}", value)
    with pytest.raises(ValueError, match=f"FIELDLOOP_{name} is missing, too short or the default"):
        read_settings()


def test_it_is_said_in_the_language_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    monkeypatch.setenv("FIELDLOOP_HTTP_PORT", "0")

    with pytest.raises(ValueError, match="FIELDLOOP_HTTP_PORT 须为 1 至 65535 之间的整数"):
        read_settings()


def test_every_default_is_allowed_and_a_file_may_hold_a_value(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "port").write_text("8123\n")
    monkeypatch.setenv("FIELDLOOP_HTTP_PORT_FILE", str(tmp_path / "port"))

    settings = read_settings()

    assert settings.http_port == 8123
    assert settings.public_url == "http://127.0.0.1:8123"


@pytest.mark.parametrize(
    "command",
    [
        *(["app", name] for name in ("up", "web", "worker", "migrate", "demo", "simulate", "story", "doctor")),
        ["app", "admin", "boss"],
        ["app", "mosquitto", "folder"],
        ["iot", "--shard", "0"],
        ["iot.broker"],
    ],
    ids=" ".join,
)
def test_nothing_starts_with_a_wrong_setting(command: list[str], tmp_path: Path) -> None:
    var = tmp_path / "var"
    variables = {"FIELDLOOP_ENVIRONMENT": "prod", "FIELDLOOP_VAR_DIR": str(var), "LC_ALL": "C.UTF-8"}

    ended = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip

    assert ended.returncode == 2
    assert ended.stderr == "FIELDLOOP_ENVIRONMENT must be development or production, not 'prod'\n"
    assert not var.exists()


@pytest.mark.parametrize("command", ["up", "migrate", "demo"])
@pytest.mark.parametrize("url", ["postgresql://user:hunter2@127.0.0.1:1/name", "sqlite:////nowhere/at/all.db"])
def test_a_database_that_cannot_be_reached_is_told_in_one_line(command: str, url: str, tmp_path: Path) -> None:
    variables = {"FIELDLOOP_DATABASE_URL": url, "FIELDLOOP_VAR_DIR": str(tmp_path), "LC_ALL": "C.UTF-8"}

    ended = subprocess.run(
        [sys.executable, "-m", "app", command], cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip

    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "check FIELDLOOP_DATABASE_URL" in ended.stderr
    assert "hunter2" not in ended.stderr
