"""Mosquitto's configuration for production: its options, users and access rights, generated from settings and devices.

Called by the command line; knows no MQTT client. Measured facts: docs/adr/0009-brokers.md.
"""

from __future__ import annotations

import os
import pwd
import re
import shlex
import signal
import subprocess
import tempfile
import textwrap
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.assets.credentials import broker_hash
from app.assets.models import Device, DeviceProfile
from app.core.db import Database, first_line, is_away, now
from app.core.logs import get_log
from app.core.settings import Settings
from app.users import secrets
from iot import access, dynsec, subscriptions
from iot.access import Account, Right

log = get_log(__name__)

# Seconds between two snapshots of sessions and queues, so what a power cut may cost. The broker stands still for one:
# 0.6 s with 500,000 messages queued, 3.5 s on a busy machine (tests/iot/broker/test_figures.py).
AUTOSAVE_S = 60

# Payload bytes queued for one absent client. Unlimited (mosquitto.conf(5)'s 0) ends with the kernel killing the broker and
# all queues with it. A queued message of 155 bytes takes 608 bytes of memory, so this is up to about 2.1 GB.
MOST_QUEUED_BYTES = 512 * 1024 * 1024

# More than fit into MOST_QUEUED_BYTES: no limit.
MOST_QUEUED_MESSAGES = 2_000_000_000

# Larger packets end the connection unread; without a limit one device can make the broker allocate 256 MB. Above
# message_size_limit, so that a message just too large is acknowledged and the device gets on with the next.
_PACKET_FACTOR = 16

# A revoked device is cut off within this and the time of a reload; twice this, where a signal was lost.
REFRESH_S = 1.0

# What the broker holds is compared this often also without a change: a lost command is repaired.
REPAIR_S = 60.0

_ACCOUNT = "mosquitto"
_PLUGIN = "mosquitto_dynamic_security.so"
_USERNAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def write_config(settings: Settings, session: Session, folder: Path, keeper_password: str = "") -> list[Path]:
    """Write ``mosquitto.conf``, ``passwd`` and ``acl``, each whole or not at all, for ``mosquitto -c folder/mosquitto.conf``.

    With ``mqtt_access`` of ``dynsec`` the rights are in ``data/dynamic-security.json`` instead of ``acl``. It is made when it is
    missing; from then on the broker writes it, and a ``Keeper`` tells the broker what changed.

    Beside them are made, and never changed: ``data``, for the broker's snapshots, and ``conf.d``, for the operator's own
    lines. As root, ``passwd``, ``acl`` and ``data`` are given to the account ``mosquitto``, to which the broker steps down.

    Args:
        settings: of these, the ``mqtt_`` ones, ``ingest_window`` and ``payload_limit_bytes``.
        session: reads the active devices. One that cannot be written safely is left out, with a warning in the log.
        folder: made when it is missing; the broker's account must be able to reach it.
        keeper_password: of the account that tells the plugin; none is made without one.

    Returns:
        The three files.

    Raises:
        ValueError: ``mqtt_password`` is empty, or ``mqtt_username`` or ``ingest_window`` is unusable.
        OSError: the folder cannot be written.
    """
    _check(settings)
    folder = folder.resolve()
    owner = _broker_account()
    accounts = access.accounts(settings, session)
    _make_folder(folder, 0o755, None)
    _make_folder(folder / "conf.d", 0o755, None)
    _make_folder(folder / "data", 0o700, owner)
    conf = _write(folder / "mosquitto.conf", _options(settings, folder, owner), 0o644, None)
    passwords = _passwords(settings, accounts, keeper_password)
    if settings.mqtt_access == "dynsec":
        rights, begun = folder / "data" / "dynamic-security.json", dynsec.first_state(wanted_rights(settings, session))
        if not rights.exists():
            _write(rights, begun, 0o600, owner)
    else:
        rights = _write(folder / "acl", _rights(settings, accounts, subscriptions.wanted(session)), 0o600, owner)
    return [conf, _write(folder / "passwd", passwords, 0o600, owner), rights]


def wanted_rights(settings: Settings, session: Session) -> dict[str, frozenset[Right]]:
    """Return every user the broker is to hold, and what each may."""
    found = {
        account.username: frozenset(access.own_rights(account.id) + access.further_rights(account))
        for account in access.accounts(settings, session)
    }
    found[settings.mqtt_username] = frozenset(access.ingest_rights(subscriptions.wanted(session)))
    found[access.KEEPER] = frozenset(dynsec.CONTROL_RIGHTS)
    return found


class Keeper:
    """Keeps the broker's users and rights equal to the devices while it runs.

    A refresh that finds a change writes the files and asks the broker to read them. It asks once more at the next refresh,
    since a signal that comes while the broker is still reloading is lost; it asks again while asking fails. With the dynamic
    security plugin it compares what the broker holds with what it should, after each change, until it is equal, and each minute.
    """

    def __init__(self, settings: Settings, folder: Path, ask: Callable[[], None]) -> None:
        """Prepare.

        Args:
            settings: as for ``write_config``.
            folder: the one ``write_config`` wrote.
            ask: makes the broker read its files; raises OSError or subprocess.SubprocessError when it could not.
        """
        self.settings, self.folder, self.ask = settings, folder.resolve(), ask
        self._written = -1
        self._ends: datetime | None = None
        self._to_ask = 0
        self._password = secrets.random_token() if settings.mqtt_access == "dynsec" else ""
        self._compare_at: datetime | None = None

    def refresh(self, session: Session) -> bool:
        """Compare once, write and ask when needed; tell whether anything was written.

        Raises:
            ValueError, OSError: as ``write_config``; nothing was changed then.
        """
        newest = max(session.scalar(select(func.coalesce(func.max(of.change_no), 0))) or 0 for of in (Device, DeviceProfile))
        changed = newest != self._written or (self._ends is not None and self._ends <= now(session))
        # Rights before passwords: who is let in without its rights would lose what it says. At the first look the broker does not
        # know the keeper yet.
        if self._password and self._written != -1 and (changed or self._compare_at is None or self._compare_at <= now(session)):
            self._compare_at = None
            self._compare(session)
        if changed:
            write_config(self.settings, session, self.folder, self._password)
            self._written, self._to_ask = newest, 2
            # An old secret ends by the clock, also where no worker runs that would strike it off.
            self._ends = session.scalar(select(func.min(Device.old_secret_until)).where(Device.old_secret_until > now(session)))
            log.info("broker_files_written", change_no=newest)
        if self._to_ask:
            try:
                self.ask()
                self._to_ask -= 1
            except (OSError, subprocess.SubprocessError) as fault:
                log.error("broker_not_reloaded", error=str(fault))
        return changed

    def _compare(self, session: Session) -> None:
        try:
            told = dynsec.reconcile(self.settings, self._password, wanted_rights(self.settings, session))
        except OSError as fault:
            log.error("broker_rights_not_compared", error=str(fault))
            return
        self._compare_at = now(session) + timedelta(seconds=REPAIR_S)
        if told:
            log.info("broker_rights_changed", commands=told)


def keep_current(database: Database, keeper: Keeper, stopping: threading.Event) -> None:
    """Refresh until told to stop. A fault of the database or the disk is logged, and the next refresh tries again."""
    while not stopping.is_set():
        try:
            with database.reading() as session:
                keeper.refresh(session)
        except Exception as fault:
            if is_away(fault):
                log.error("broker_files_not_refreshed", problem=first_line(fault))
            else:
                log.exception("broker_files_not_refreshed")
        stopping.wait(REFRESH_S)


def run_command(words: str) -> Callable[[], None]:
    """Return a function that runs an operator's command, such as ``systemctl reload mosquitto``, for at most 30 s.

    Raises:
        ValueError: the words are no command line.
    """
    command = shlex.split(words)
    if not command:
        raise ValueError("the command is empty")

    def run() -> None:
        subprocess.run(command, check=True, timeout=30, stdin=subprocess.DEVNULL)

    return run


def reload(pid: int) -> None:
    """Make a running broker read users, rights and limits again (SIGHUP); listeners need a restart.

    Devices that are gone from ``passwd``, or have a new secret there, are cut off at once. A signal that comes while the
    broker is still reloading is lost: whoever can see no effect signals again.

    Args:
        pid: of the broker.

    Raises:
        ProcessLookupError: there is no such process.
        PermissionError: it belongs to somebody else.
    """
    os.kill(pid, signal.SIGHUP)


def _check(settings: Settings) -> None:
    if not settings.mqtt_password:
        raise ValueError("FIELDLOOP_MQTT_PASSWORD is empty: the ingest could not sign in")
    if not _USERNAME.fullmatch(settings.mqtt_username):
        raise ValueError("FIELDLOOP_MQTT_USERNAME must be 1 to 64 of A-Z a-z 0-9 _ . -")
    if not 1 <= settings.ingest_window <= 65_535:
        raise ValueError("FIELDLOOP_INGEST_WINDOW must be 1 to 65535: packet ids have 16 bits")


def _passwords(settings: Settings, accounts: Iterable[Account], keeper_password: str) -> str:
    ingest = f"{settings.mqtt_username}:{broker_hash(settings.mqtt_password)}\n"
    if keeper_password:
        ingest += f"{access.KEEPER}:{broker_hash(keeper_password)}\n"
    return ingest + "".join(f"{account.username}:{account.secret_hash}\n" for account in accounts)


def _rights(settings: Settings, accounts: Sequence[Account], filters: Iterable[str]) -> str:
    """Return the access file. ``read`` is judged when a message is delivered: every subscription is granted."""
    others = "".join(
        f"\nuser {account.username}\n{_lines(rights)}" for account in accounts if (rights := _beside_patterns(account))
    )
    return f"""\
# Written by Fieldloop: changes are lost. mosquitto.conf(5), acl_file.
user {settings.mqtt_username}
{_lines(access.ingest_rights(filters))}
# For every user; %u is its name. The shard is checked by the ingest.
pattern write devices/+/%u/#
pattern read devices/+/%u/commands/#
pattern read devices/+/%u/settings
{others}"""


def _beside_patterns(account: Account) -> list[Right]:
    """Return the rights that the patterns do not give: a device under its second user name has the topics of its id."""
    own = access.own_rights(account.id) if account.username != account.id else []
    return own + access.further_rights(account)


def _lines(rights: Iterable[Right]) -> str:
    return "".join(f"topic {may} {topic}\n" for may, topic in rights)


def _options(settings: Settings, folder: Path, owner: pwd.struct_passwd | None) -> str:
    return f"""\
# Written by Fieldloop: changes are lost. Your own lines belong into conf.d/*.conf. Options: mosquitto.conf(5).
# Reasons, and what was measured with Mosquitto 2.0.11: docs/adr/0009-brokers.md.

# The account a broker started by root steps down to; it owns passwd, acl and data.
user {owner.pw_name if owner else "root"}

# For the ingest and clients you trust: whoever signs in here may use the ingest's client id and end its session.
listener {settings.mqtt_port}{_bound_to(settings.mqtt_host)}
{_certificate(folder) if settings.mqtt_tls else ""}
allow_anonymous false
password_file {folder / "passwd"}
{_access_options(settings, folder)}

# Sessions and queues survive a restart; a power cut costs what came after the last snapshot.
# Sessions never expire: an ingest that stays away keeps its queue.
persistence true
persistence_location {folder / "data"}/
autosave_interval {AUTOSAVE_S}
autosave_on_changes false

# The default of 1000 drops the newest messages of a burst, acknowledged. 0 means no limit, but this broker then closes the
# connection of a device after any message it may not publish. The bytes are the fuse; watch
# $SYS/broker/publish/messages/dropped. Never memory_limit: at it the ingest cannot sign in.
max_queued_messages {MOST_QUEUED_MESSAGES}
max_queued_bytes {MOST_QUEUED_BYTES}

# OVMS and Sparkplug publish values at QoS 0: without this an absent ingest would never see them.
queue_qos0_messages true

# MQTT 3.1.1 has no receive maximum: this is the ingest's window. 0 means none, and packet ids then repeat after 65,535.
max_inflight_messages {settings.ingest_window}

message_size_limit {settings.payload_limit_bytes}
max_packet_size {max(settings.payload_limit_bytes * _PACKET_FACTOR, 1024 * 1024)}

log_dest stderr
log_timestamp_format %Y-%m-%dT%H:%M:%S%z

include_dir {folder / "conf.d"}

# Devices elsewhere: copy these lines to conf.d/devices.conf, take the "# " off, restart the broker. The account above must
# be able to read the key. Without use_username_as_clientid a device could sign in with another client's id and end its session.
# listener {8884 if settings.mqtt_port == 8883 else 8883}
# use_username_as_clientid true
{textwrap.indent(_certificate(folder), "# ")}"""


def _access_options(settings: Settings, folder: Path) -> str:
    if settings.mqtt_access == "files":
        return f"acl_file {folder / 'acl'}"
    return f"plugin {_plugin()}\nplugin_opt_config_file {folder / 'data' / 'dynamic-security.json'}"


def _plugin() -> Path:
    """Return where the plugin lies: beside Debian's libraries, whatever the machine's kind, unless it is found elsewhere."""
    known = (*sorted(Path("/usr/lib").glob(f"*/{_PLUGIN}")), Path("/usr/lib") / _PLUGIN, Path("/usr/local/lib") / _PLUGIN)
    return next((path for path in known if path.exists()), known[0])


def _certificate(folder: Path) -> str:
    return f"certfile {folder / 'certs' / 'server.crt'}\nkeyfile {folder / 'certs' / 'server.key'}\n"


def _bound_to(host: str) -> str:
    """Return the address to listen on: loopback when the ingest is told to connect there, else all of them."""
    if host == "::1":
        return " ::1"
    return " 127.0.0.1" if host == "localhost" or host.startswith("127.") else ""


def _broker_account() -> pwd.struct_passwd | None:
    """Return the account the broker will run as: ``mosquitto`` when we are root, else our own; None when it has no name."""
    try:
        return pwd.getpwnam(_ACCOUNT) if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    except KeyError:
        return None


def _make_folder(path: Path, mode: int, owner: pwd.struct_passwd | None) -> None:
    if not path.exists():
        path.mkdir(parents=True)
        path.chmod(mode)  # a strict umask must not shut the broker's account out
    if owner and os.geteuid() == 0:
        os.chown(path, owner.pw_uid, owner.pw_gid)


def _write(path: Path, text: str, mode: int, owner: pwd.struct_passwd | None) -> Path:
    """Replace a file whole: a broker that reloads in between reads the old one."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(handle, mode)
            if owner and os.geteuid() == 0:
                os.fchown(handle, owner.pw_uid, owner.pw_gid)
            os.fsync(handle)
        Path(name).rename(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path
