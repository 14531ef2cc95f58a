"""Settings, read once from the environment and frozen. Defaults run on SQLite and the embedded broker."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from environs import FileAwareEnv

DEVELOPMENT_SECRET = "development-only-secret-change-me"  # noqa: S105 - refused in production
_SECRET_FILE = "secret.key"  # noqa: S105 - a file name


@dataclass(frozen=True)
class Settings:
    """Everything an operator may set. The name of a field in upper case behind ``FIELDLOOP_`` is its variable."""

    environment: str
    secret_key: str
    database_url: str
    var_dir: Path
    organisation_name: str
    time_zone: ZoneInfo
    currency: str
    default_locale: str
    public_url: str
    http_host: str
    http_port: int
    http_workers: int
    trusted_proxies: int
    log_format: str
    log_level: str
    metrics_token: str

    mqtt_host: str
    mqtt_port: int
    mqtt_tls: bool
    mqtt_ca_file: str
    mqtt_username: str
    mqtt_password: str
    mqtt_shards: tuple[int, ...]
    mqtt_broker: str
    ingest_batch: int
    ingest_linger_ms: int
    ingest_window: int
    payload_limit_bytes: int

    access_token_s: int
    refresh_token_days: int
    argon2_profile: str

    offer_validity_days: int
    offer_cooldown_days: int
    station_lease_s: int
    slot_minutes: int
    slot_horizon_days: int
    redeem_tries_per_minute: int
    idempotency_days: int

    sync_retry_ms: int
    sync_keep_days: int
    attachment_limit_bytes: int

    smtp_host: str
    smtp_port: int
    smtp_starttls: bool
    smtp_username: str
    smtp_password: str
    mail_from: str
    fcm_credentials_file: str
    fcm_project: str
    fcm_url: str
    push_attempts: int
    push_lease_s: int

    @property
    def is_production(self) -> bool:
        """Whether the strict start-up checks apply."""
        return self.environment == "production"


def read_settings(**overrides: object) -> Settings:
    """Read the settings. A variable ending in ``_FILE`` names a file that holds the value (Docker secrets).

    Args:
        overrides: fields set directly, for tests and commands.

    Raises:
        ValueError: in production, when a secret is missing, short or the default one.
    """
    env = FileAwareEnv(prefix="FIELDLOOP_")
    var_dir = Path(env.str("VAR_DIR", "var")).resolve()
    host, port = env.str("HTTP_HOST", "127.0.0.1"), env.int("HTTP_PORT", 8000)
    values: dict[str, object] = {
        "environment": env.str("ENVIRONMENT", "development"),
        "secret_key": env.str("SECRET_KEY", "") or _kept_secret(var_dir) or DEVELOPMENT_SECRET,
        "database_url": env.str("DATABASE_URL", f"sqlite:///{var_dir}/fieldloop.db"),
        "var_dir": var_dir,
        "organisation_name": env.str("ORGANISATION_NAME", "Fieldloop"),
        "time_zone": ZoneInfo(env.str("TIME_ZONE", "Asia/Shanghai")),
        "currency": env.str("CURRENCY", "CNY"),
        "default_locale": env.str("DEFAULT_LOCALE", "zh-CN"),
        "public_url": env.str("PUBLIC_URL", f"http://{host}:{port}"),
        "http_host": host,
        "http_port": port,
        "http_workers": env.int("HTTP_WORKERS", 2),
        "trusted_proxies": env.int("TRUSTED_PROXIES", 0),
        "log_format": env.str("LOG_FORMAT", "console"),
        "log_level": env.str("LOG_LEVEL", "INFO"),
        "metrics_token": env.str("METRICS_TOKEN", ""),
        "mqtt_host": env.str("MQTT_HOST", "127.0.0.1"),
        "mqtt_port": env.int("MQTT_PORT", 1883),
        "mqtt_tls": env.bool("MQTT_TLS", False),
        "mqtt_ca_file": env.str("MQTT_CA_FILE", ""),
        "mqtt_username": env.str("MQTT_USERNAME", "fieldloop-ingest"),
        "mqtt_password": env.str("MQTT_PASSWORD", ""),
        "mqtt_shards": tuple(env.list("MQTT_SHARDS", [0], subcast=int)),
        "mqtt_broker": env.str("MQTT_BROKER", "embedded"),
        "ingest_batch": env.int("INGEST_BATCH", 500),
        "ingest_linger_ms": env.int("INGEST_LINGER_MS", 5),
        "ingest_window": env.int("INGEST_WINDOW", 2000),
        "payload_limit_bytes": env.int("PAYLOAD_LIMIT_BYTES", 262_144),
        "access_token_s": env.int("ACCESS_TOKEN_S", 900),
        "refresh_token_days": env.int("REFRESH_TOKEN_DAYS", 30),
        "argon2_profile": env.str("ARGON2_PROFILE", "standard"),
        "offer_validity_days": env.int("OFFER_VALIDITY_DAYS", 14),
        "offer_cooldown_days": env.int("OFFER_COOLDOWN_DAYS", 30),
        "station_lease_s": env.int("STATION_LEASE_S", 1800),
        "slot_minutes": env.int("SLOT_MINUTES", 60),
        "slot_horizon_days": env.int("SLOT_HORIZON_DAYS", 7),
        "redeem_tries_per_minute": env.int("REDEEM_TRIES_PER_MINUTE", 10),
        "idempotency_days": env.int("IDEMPOTENCY_DAYS", 30),
        "sync_retry_ms": env.int("SYNC_RETRY_MS", 5000),
        "sync_keep_days": env.int("SYNC_KEEP_DAYS", 90),
        "attachment_limit_bytes": env.int("ATTACHMENT_LIMIT_BYTES", 26_214_400),
        "smtp_host": env.str("SMTP_HOST", ""),
        "smtp_port": env.int("SMTP_PORT", 25),
        "smtp_starttls": env.bool("SMTP_STARTTLS", False),
        "smtp_username": env.str("SMTP_USERNAME", ""),
        "smtp_password": env.str("SMTP_PASSWORD", ""),
        "mail_from": env.str("MAIL_FROM", "fieldloop@localhost"),
        "fcm_credentials_file": env.str("FCM_CREDENTIALS_FILE", ""),
        "fcm_project": env.str("FCM_PROJECT", ""),
        "fcm_url": env.str("FCM_URL", ""),
        "push_attempts": env.int("PUSH_ATTEMPTS", 8),
        "push_lease_s": env.int("PUSH_LEASE_S", 60),
    }
    for name in ("secret_key", "mqtt_password", "smtp_password", "metrics_token"):
        values[name] = str(values[name]).strip()  # a file written by echo ends in a newline
    values.update(overrides)
    settings = Settings(**values)  # type: ignore[arg-type]
    _refuse_weak_secrets(settings)
    return settings


def _kept_secret(var_dir: Path) -> str:
    path = var_dir / _SECRET_FILE
    return path.read_text().strip() if path.exists() else ""


def keep_secret(var_dir: Path) -> None:
    """Make the secret of a default deployment once and keep it beside the database, readable by its owner only."""
    var_dir.mkdir(parents=True, exist_ok=True)
    path = var_dir / _SECRET_FILE
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(new_secret() + "\n")


def weak_secrets(settings: Settings) -> list[str]:
    """Name the settings whose secret is missing, shorter than 32 characters or the default one."""
    weak = []
    if settings.secret_key == DEVELOPMENT_SECRET or len(settings.secret_key) < 32:
        weak.append("FIELDLOOP_SECRET_KEY")
    if settings.mqtt_broker == "external" and len(settings.mqtt_password) < 16:
        weak.append("FIELDLOOP_MQTT_PASSWORD")
    return weak


def _refuse_weak_secrets(settings: Settings) -> None:
    weak = weak_secrets(settings)
    if settings.is_production and weak:
        raise ValueError(
            f"refusing to start in production: {', '.join(weak)} is missing, too short or the default. "
            f"Make one with: python -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )


def new_secret() -> str:
    """Return a fresh random secret of 256 bits, URL-safe."""
    return secrets.token_urlsafe(32)


def amount(text: str) -> Decimal:
    """Read a decimal amount of money.

    Raises:
        ValueError: when the text is no finite decimal with at most two places.
    """
    value = Decimal(text)
    exponent = value.as_tuple().exponent
    if not value.is_finite() or not isinstance(exponent, int) or exponent < -2:
        raise ValueError(f"not an amount of money: {text!r}")
    return value
