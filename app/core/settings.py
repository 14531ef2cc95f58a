"""Settings, read once from the environment and frozen. Defaults run on SQLite and the embedded broker."""

from __future__ import annotations

import base64
import os
import re
import secrets
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from environs import EnvError, FileAwareEnv
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from app.core.locales import LOCALES, in_terminal

DEVELOPMENT_SECRET = "development-only-secret-change-me"  # noqa: S105 - refused in production
_SECRET_FILE = "secret.key"  # noqa: S105 - a file name
_VAPID_FILE = "vapid.key"
_PREFIX = "FIELDLOOP_"
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # FIPS 186-4, D.1.2.3
_ORIGIN = re.compile(r"https://[a-z0-9.-]{1,200}(:[0-9]{1,5})?|http://(127\.0\.0\.1|localhost)(:[0-9]{1,5})?")
# Whole numbers: (default, least, greatest). The bounds keep out what cannot have been meant.
_NUMBERS = {
    "http_port": (8000, 1, 65_535),
    "http_workers": (2, 1, 64),
    "trusted_proxies": (0, 0, 10),
    "mqtt_port": (1883, 1, 65_535),
    "ingest_batch": (500, 1, 10_000),
    "ingest_linger_ms": (5, 0, 10_000),
    "ingest_window": (2000, 1, 65_535),
    "device_messages_per_minute": (1200, 0, 60_000),
    "device_burst": (60_000, 1, 10_000_000),
    "telemetry_days": (400, 0, 36_500),
    "hour_rollup_days": (1100, 0, 36_500),
    "payload_limit_bytes": (262_144, 1024, 100_000_000),
    "access_token_s": (900, 30, 86_400),
    "refresh_token_days": (30, 1, 3650),
    "offer_validity_days": (14, 1, 3650),
    "offer_cooldown_days": (30, 0, 3650),
    "station_lease_s": (1800, 1, 2_592_000),
    "slot_minutes": (60, 5, 1440),
    "slot_horizon_days": (7, 1, 366),
    "redeem_tries_per_minute": (10, 1, 10_000),
    "idempotency_days": (30, 1, 3650),
    "sync_retry_ms": (5000, 100, 3_600_000),
    "sync_keep_days": (90, 1, 3650),
    "attachment_limit_bytes": (26_214_400, 1000, 2_000_000_000),
    "fence_m": (200, 20, 50_000),
    "visit_minutes": (30, 5, 720),
    "travel_km_h": (30, 3, 150),
    "lead_first_touch_hours": (24, 1, 720),
    "lead_escalation_hours": (12, 0, 720),
    "lead_recycle_days": (3, 1, 365),
    "lead_cap": (50, 1, 100_000),
    "lead_form_per_minute": (30, 1, 6000),
    "lead_repeat_days": (30, 0, 3650),
    "lead_submission_days": (90, 1, 3650),
    "entitlement_days": (400, 30, 3650),
    "known_trust": (40, 0, 100),
    "geocoder_per_minute": (12, 12, 6000),
    "track_overtime_min": (120, 0, 720),
    "track_shift_hours": (16, 1, 24),
    "track_days": (90, 1, 3650),
    "track_batch_fixes": (5000, 100, 20_000),
    "smtp_port": (25, 1, 65_535),
    "push_attempts": (8, 1, 1000),
    "push_lease_s": (60, 1, 86_400),
}
_MINUTE = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_MOST_SHARDS = 1000
_DATABASES = {"sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg"}


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
    mqtt_socket: str
    mqtt_access: str
    emqx_token: str
    ingest_batch: int
    ingest_linger_ms: int
    ingest_window: int
    payload_limit_bytes: int
    device_messages_per_minute: int
    device_burst: int
    telemetry_days: int
    hour_rollup_days: int

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

    fence_m: int
    visit_minutes: int
    travel_km_h: int
    entitlement_days: int
    site_position_by: str
    shifted_regions: tuple[str, ...]
    known_trust: int

    lead_clock: str
    working_hours: str
    lead_first_touch_hours: int
    lead_escalation_hours: int
    lead_recycle_days: int
    lead_cap: int
    lead_form_per_minute: int
    lead_repeat_days: int
    lead_submission_days: int

    geocoder: str
    geocoder_url: str
    geocoder_key: str
    geocoder_per_minute: int

    workday_ends: str
    track_overtime_min: int
    track_shift_hours: int
    track_days: int
    track_batch_fixes: int

    smtp_host: str
    smtp_port: int
    smtp_starttls: bool
    smtp_username: str
    smtp_password: str
    mail_from: str
    fcm_credentials_file: str
    fcm_project: str
    fcm_url: str
    vapid_private_key: str
    vapid_subject: str
    web_push_services: tuple[str, ...]
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
        ValueError: in one line, in the terminal's language, naming the variable: when a value is not allowed, and in
            production when a secret is missing, short or the default one.
    """
    read = _Reader()
    var_dir = Path(read.words("VAR_DIR", "var")).resolve()
    host = read.words("HTTP_HOST", "127.0.0.1")
    values: dict[str, object] = {name: read.number(name) for name in _NUMBERS}
    values |= {
        "environment": read.choice("ENVIRONMENT", "development", "production"),
        "secret_key": read.text("SECRET_KEY", "") or _kept(var_dir, _SECRET_FILE) or DEVELOPMENT_SECRET,
        "database_url": read.database(f"sqlite:///{var_dir}/fieldloop.db"),
        "var_dir": var_dir,
        "organisation_name": read.text("ORGANISATION_NAME", "Fieldloop"),
        "time_zone": read.zone("Asia/Shanghai"),
        "currency": read.text("CURRENCY", "CNY"),
        "default_locale": read.choice("DEFAULT_LOCALE", *LOCALES),
        "public_url": read.text("PUBLIC_URL", f"http://{host}:{values['http_port']}"),
        "http_host": host,
        "log_format": read.choice("LOG_FORMAT", "console", "json"),
        "log_level": read.choice("LOG_LEVEL", "INFO", "DEBUG", "WARNING", "ERROR"),
        "metrics_token": read.text("METRICS_TOKEN", ""),
        "mqtt_host": read.words("MQTT_HOST", "127.0.0.1"),
        "mqtt_tls": read.flag("MQTT_TLS"),
        "mqtt_ca_file": read.text("MQTT_CA_FILE", ""),
        "mqtt_username": read.text("MQTT_USERNAME", "fieldloop-ingest"),
        "mqtt_password": read.text("MQTT_PASSWORD", ""),
        "mqtt_shards": read.shards(),
        "mqtt_broker": read.choice("MQTT_BROKER", "embedded", "external"),
        "mqtt_socket": read.choice("MQTT_SOCKET", "fast", "plain"),
        "mqtt_access": read.choice("MQTT_ACCESS", "files", "dynsec"),
        "emqx_token": read.text("EMQX_TOKEN", ""),
        "argon2_profile": read.choice("ARGON2_PROFILE", "standard", "test"),
        "site_position_by": read.choice("SITE_POSITION_BY", "manager", "rep"),
        "shifted_regions": read.several("SHIFTED_REGIONS", "mainland", "hong_kong", "macao"),
        "lead_clock": read.choice("LEAD_CLOCK", "natural", "working"),
        "working_hours": read.hours("WORKING_HOURS", "09:00-18:00"),
        "geocoder": read.choice("GEOCODER", "none", "nominatim", "amap", "baidu"),
        "geocoder_url": read.origin("GEOCODER_URL"),
        "geocoder_key": read.text("GEOCODER_KEY", ""),
        "workday_ends": read.minute("WORKDAY_ENDS", "18:00"),
        "smtp_host": read.text("SMTP_HOST", ""),
        "smtp_starttls": read.flag("SMTP_STARTTLS"),
        "smtp_username": read.text("SMTP_USERNAME", ""),
        "smtp_password": read.text("SMTP_PASSWORD", ""),
        "mail_from": read.text("MAIL_FROM", "fieldloop@localhost"),
        "fcm_credentials_file": read.text("FCM_CREDENTIALS_FILE", ""),
        "fcm_project": read.text("FCM_PROJECT", ""),
        "fcm_url": read.text("FCM_URL", ""),
        "vapid_private_key": read.vapid_key(_kept(var_dir, _VAPID_FILE)),
        "vapid_subject": read.vapid_subject(),
        "web_push_services": read.origins("WEB_PUSH_SERVICES"),
    }
    for name in ("secret_key", "mqtt_password", "smtp_password", "metrics_token", "emqx_token", "geocoder_key"):
        values[name] = str(values[name]).strip()  # a file written by echo ends in a newline
    values.update(overrides)
    settings = Settings(**values)  # type: ignore[arg-type]
    _refuse_weak_secrets(settings)
    return settings


def settings_or_exit() -> Settings:
    """Return the settings, or end the process with 2 and one line on standard error: for the starts of processes."""
    try:
        return read_settings()
    except ValueError as fault:
        sys.stderr.write(f"{fault}\n")
        raise SystemExit(2) from None


class _Reader:
    """Reads variables and refuses what is not allowed, by name. A value that may hold a secret is never repeated."""

    def __init__(self) -> None:
        self._env = FileAwareEnv(prefix=_PREFIX)

    def text(self, name: str, default: str) -> str:
        try:
            return str(self._env.str(name, default))
        except (EnvError, OSError, UnicodeError, ValueError) as fault:
            raise _refusal(name, f"cannot be read: {fault}", f"无法读取：{fault}") from None

    def words(self, name: str, default: str) -> str:
        found = self.text(name, default).strip()
        if not found:
            raise _refusal(name, f"must not be empty; leave it away for {default}", f"不能为空；不设置时为 {default}")
        return found

    def number(self, field: str) -> int:
        default, least, most = _NUMBERS[field]
        found = self.text(field.upper(), str(default)).strip()
        if not re.fullmatch(r"-?[0-9]{1,12}", found) or not least <= int(found) <= most:
            raise _refusal(
                field.upper(),
                f"must be a whole number from {least} to {most}, not {found!r}",
                f"须为 {least} 至 {most} 之间的整数，不能是 {found!r}",
            )
        return int(found)

    def choice(self, name: str, default: str, *others: str) -> str:
        found, allowed = self.text(name, default).strip(), (default, *others)
        if found not in allowed:
            raise _refusal(
                name, f"must be {' or '.join(allowed)}, not {found!r}", f"须为 {' 或 '.join(allowed)}，不能是 {found!r}"
            )
        return found

    def several(self, name: str, *allowed: str) -> tuple[str, ...]:
        found = tuple(part.strip() for part in self.text(name, ",".join(allowed)).split(",") if part.strip())
        if not set(found) <= set(allowed):
            raise _refusal(
                name, f"must be some of {', '.join(allowed)}, with commas", f"须为 {'、'.join(allowed)} 中的若干项，以逗号分隔"
            )
        return found

    def minute(self, name: str, default: str) -> str:
        found = self.text(name, default).strip()
        if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", found):
            raise _refusal(
                name, f"must be a time of day such as {default}, not {found!r}", f"须为时刻，例如 {default}，不能是 {found!r}"
            )
        return found

    def flag(self, name: str) -> bool:
        try:
            return bool(self._env.bool(name, False))
        except (EnvError, OSError, ValueError):
            raise _refusal(name, "must be true or false", "须为 true 或 false") from None

    def zone(self, default: str) -> ZoneInfo:
        found = self.text("TIME_ZONE", default).strip()
        try:
            return ZoneInfo(found)
        except (KeyError, ValueError, OSError):
            raise _refusal(
                "TIME_ZONE",
                f"must be a name of the IANA time zone database, such as {default}, not {found!r}",
                f"须为 IANA 时区名称，例如 {default}，不能是 {found!r}",
            ) from None

    def hours(self, name: str, default: str) -> str:
        found = self.text(name, default).strip()
        opens, _, closes = found.partition("-")
        if not (_MINUTE.fullmatch(opens) and _MINUTE.fullmatch(closes) and opens < closes):
            raise _refusal(
                name,
                f"must be a beginning and a later end on a clock of 24 hours, such as {default}, not {found!r}",
                f"须为 24 小时制的起止时间，且止晚于起，例如 {default}，不能是 {found!r}",
            )
        return found

    def shards(self) -> tuple[int, ...]:
        found = [part.strip() for part in self.text("MQTT_SHARDS", "0").split(",")]
        if (
            not all(re.fullmatch(r"[0-9]{1,4}", part) and int(part) < _MOST_SHARDS for part in found)
            or len({int(part) for part in found}) != len(found)  # two processes of one shard take its session from each other
        ):
            raise _refusal(
                "MQTT_SHARDS",
                f"must be different numbers from 0 to {_MOST_SHARDS - 1} with commas between them, such as 0,1",
                f"须为 0 至 {_MOST_SHARDS - 1} 之间互不相同的数字，以逗号分隔，例如 0,1",
            )
        return tuple(int(part) for part in found)

    def vapid_key(self, kept: str) -> str:
        found = self.text("VAPID_PRIVATE_KEY", "").strip() or kept
        try:
            raw = base64.b64decode(found + "=" * (-len(found) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raw = b""
        if found and not (len(raw) == 32 and 0 < int.from_bytes(raw, "big") < _P256_ORDER):
            raise _refusal(
                "VAPID_PRIVATE_KEY",
                "must be a private key of P-256 as 32 bytes in base64url",
                "须为 P-256 私钥（32 字节，base64url 编码）",
            )
        return found

    def vapid_subject(self) -> str:
        found = self.text("VAPID_SUBJECT", "mailto:fieldloop@localhost").strip()
        if not re.fullmatch(r"mailto:[^@\s]+@[\w.-]+|https://[\w-]+\.[\w.-]+", found):
            raise _refusal(
                "VAPID_SUBJECT",
                "must be how push services reach you: mailto:you@example.com or https://example.com",
                "须为推送服务联系您的方式：mailto:you@example.com 或 https://example.com",
            )
        return found

    def origins(self, name: str) -> tuple[str, ...]:
        found = tuple(part.strip() for part in self.text(name, "").split(",") if part.strip())
        if not all(_ORIGIN.fullmatch(origin) for origin in found):
            raise _refusal(
                name,
                "must be origins with commas between them, such as https://push.example.com (http only on this machine)",
                "须为以逗号分隔的来源，例如 https://push.example.com（仅本机可用 http）",
            )
        return found

    def origin(self, name: str) -> str:
        found = self.text(name, "").strip().rstrip("/")
        if found and not re.fullmatch(r"https?://[\w.-]+(:[0-9]{1,5})?(/[\w./-]*)?", found):
            raise _refusal(
                name, "must be an address such as https://nominatim.example.com", "须为地址，例如 https://nominatim.example.com"
            )
        return found

    def database(self, default: str) -> str:
        found = self.text("DATABASE_URL", default).strip()
        try:
            url = make_url(found)
        except (ArgumentError, ValueError):
            url = None
        in_a_file = url is not None and (url.get_backend_name() != "sqlite" or url.database not in {None, "", ":memory:"})
        if url is None or url.drivername not in _DATABASES or not in_a_file:
            raise _refusal(
                "DATABASE_URL",
                "must be sqlite:///<path of a file> or postgresql://user:password@host/name, special characters percent-encoded",
                "须为 sqlite:///<文件路径> 或 postgresql://用户:密码@主机/库名，特殊字符须百分号编码",
            )
        return found


def _refusal(name: str, english: str, chinese: str) -> ValueError:
    return ValueError(" ".join(f"{_PREFIX}{name} {in_terminal()(english, chinese)}".split()))


def _kept(var_dir: Path, name: str) -> str:
    path = var_dir / name
    return path.read_text().strip() if path.exists() else ""


def keep_secret(var_dir: Path) -> None:
    """Make the secrets of a default deployment once and keep them beside the database, readable by their owner only."""
    var_dir.mkdir(parents=True, exist_ok=True)
    for name, make in ((_SECRET_FILE, new_secret), (_VAPID_FILE, new_vapid_key)):
        path = var_dir / name
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(make() + "\n")


def new_vapid_key() -> str:
    """Return a fresh private key of P-256 as browsers' push services know us by: 32 bytes, base64url (RFC 8292)."""
    number = secrets.randbelow(_P256_ORDER - 1) + 1
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()


def weak_secrets(settings: Settings) -> list[str]:
    """Name the settings whose secret is missing, too short or the default one: 32 characters, for brokers 16."""
    weak = []
    if settings.secret_key == DEVELOPMENT_SECRET or len(settings.secret_key) < 32:
        weak.append("FIELDLOOP_SECRET_KEY")
    if settings.mqtt_broker == "external" and len(settings.mqtt_password) < 16:
        weak.append("FIELDLOOP_MQTT_PASSWORD")
    if settings.emqx_token and len(settings.emqx_token) < 16:  # whoever shows it may try every device's secret
        weak.append("FIELDLOOP_EMQX_TOKEN")
    return weak


def _refuse_weak_secrets(settings: Settings) -> None:
    weak = weak_secrets(settings)
    if settings.is_production and weak:
        make = "python -c 'import secrets; print(secrets.token_urlsafe(48))'"
        names = ", ".join(weak)
        raise ValueError(
            in_terminal()(
                f"refusing to start in production: {names} is missing, too short or the default. Make one with: {make}",
                f"生产环境拒绝启动：{names} 未设置、过短或仍为默认值。生成命令：{make}",
            )
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
