"""Mosquitto's dynamic security plugin: rights that change, and sessions that end, without a reload.

The plugin holds user names and rights; passwords stay in the password file, since its commands take none but in clear, and
a secret is kept as a hash only. Measured with Mosquitto 2.0.11: a user without a password there is asked of the password file,
and a user that is deleted is cut off within milliseconds.

Source: mosquitto-dynamic-security(5) of Mosquitto 2.0: topics, commands, form of the file.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from app.core.settings import Settings
from iot.access import KEEPER, Right

CONTROL = "$CONTROL/dynamic-security/v1"
CONTROL_RIGHTS = (Right("write", f"{CONTROL}/#"), Right("read", f"{CONTROL}/#"))

_ANSWERS = f"{CONTROL}/response"
# The first of each tells the right. Below $CONTROL no subscription is granted by default, so its readers need one by name.
_ACLS_OF = {"write": ("publishClientSend",), "read": ("publishClientReceive", "subscribePattern")}
_ROLE = "fieldloop:"  # before the user name; roles and users without it are the operator's own
_AT_ONCE = 100
_PAGE = 500
_TIMEOUT_S = 10.0
# As with an access file: every subscription is granted, and what is delivered is judged.
_DEFAULTS = {"publishClientSend": False, "publishClientReceive": False, "subscribe": True, "unsubscribe": True}

Command = dict[str, Any]
Rights = Mapping[str, frozenset[Right]]


class Unanswered(OSError):
    """The broker did not take us in, or did not carry out what it was told."""


def first_state(wanted: Rights) -> str:
    """Return the plugin's file as a broker begins with it; from then on the broker keeps it."""
    clients = [{"username": name, "roles": [{"rolename": _ROLE + name}]} for name in sorted(wanted)]
    roles = [{"rolename": _ROLE + name, "acls": _acls(wanted[name])} for name in sorted(wanted)]
    state = {"defaultACLAccess": _DEFAULTS, "clients": clients, "groups": [], "roles": roles}
    return msgspec.json.encode(state).decode() + "\n"


def differences(held_users: Rights, wanted: Rights) -> list[Command]:
    """Return the commands that make the broker hold what is wanted. Pure.

    Who may less comes first: a revoked device does not wait for new ones.
    """
    commands: list[Command] = []
    for name in sorted(set(held_users) - set(wanted)):
        commands.append({"command": "deleteClient", "username": name})
        commands.append({"command": "deleteRole", "rolename": _ROLE + name})
    for name in sorted(wanted):
        if name not in held_users:
            commands.append({"command": "createRole", "rolename": _ROLE + name, "acls": _acls(wanted[name])})
            commands.append({"command": "createClient", "username": name, "roles": [{"rolename": _ROLE + name}]})
        elif held_users[name] != wanted[name]:
            commands.append({"command": "modifyRole", "rolename": _ROLE + name, "acls": _acls(wanted[name])})
    return commands


def _acls(rights: Iterable[Right]) -> list[dict[str, Any]]:
    return [
        {"acltype": kind, "topic": topic, "priority": 0, "allow": True} for may, topic in sorted(rights) for kind in _ACLS_OF[may]
    ]


class Control:
    """One connection of the keeper to the broker's control topic."""

    def __init__(self, client: mqtt.Client) -> None:
        """Wrap a client that is connected and hears the answers."""
        self._client = client
        self._changed = threading.Condition()
        self._answers: dict[str, dict[str, Any]] = {}
        client.on_message = self._on_message

    def held(self) -> dict[str, frozenset[Right]]:
        """Return what the broker holds of ours: the users, and what each may.

        Raises:
            Unanswered: the broker did not answer.
        """
        may = {kinds[0]: right for right, kinds in _ACLS_OF.items()}
        rights = {
            role["rolename"]: frozenset(
                Right(may[acl["acltype"]], acl["topic"])  # type: ignore[arg-type]
                for acl in role.get("acls", ())
                if acl["acltype"] in may and acl.get("allow")
            )
            for role in self._listed("listRoles", "roles")
        }
        return {
            client["username"]: rights.get(_ROLE + client["username"], frozenset())
            for client in self._listed("listClients", "clients")
            if not client.get("disabled") and any(role["rolename"] == _ROLE + client["username"] for role in client["roles"])
        }

    def _listed(self, command: str, kind: str) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            [answer] = self.run([{"command": command, "verbose": True, "count": _PAGE, "offset": offset}])
            found = answer["data"][kind]
            yield from found
            offset += len(found)
            if len(found) < _PAGE:
                return

    def run(self, commands: Sequence[Command]) -> list[dict[str, Any]]:
        """Carry commands out in their order and return the answers.

        Raises:
            Unanswered: an answer did not come within 10 s.
        """
        answers: list[dict[str, Any]] = []
        for begin in range(0, len(commands), _AT_ONCE):
            some = [command | {"correlationData": str(begin + i)} for i, command in enumerate(commands[begin : begin + _AT_ONCE])]
            asked = [command["correlationData"] for command in some]
            self._client.publish(CONTROL, msgspec.json.encode({"commands": some}), qos=1)
            with self._changed:
                if not self._changed.wait_for(lambda: all(one in self._answers for one in asked), _TIMEOUT_S):  # noqa: B023
                    raise Unanswered(f"no answer to {some[0]['command']}")
                answers += [self._answers.pop(one) for one in asked]
        return answers

    def _on_message(self, _client: Any, _userdata: Any, message: mqtt.MQTTMessage) -> None:
        found = msgspec.json.decode(message.payload)
        with self._changed:
            for answer in found.get("responses", ()):
                self._answers[answer.get("correlationData", "")] = answer
            self._changed.notify_all()


@contextmanager
def control(settings: Settings, password: str) -> Iterator[Control]:
    """Sign in as the keeper, for a while.

    Raises:
        Unanswered: the broker refused it, or did not answer within 10 s.
        OSError: there is no broker.
    """
    ready, refused = threading.Event(), threading.Event()
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2, client_id=KEEPER, protocol=mqtt.MQTTv311, clean_session=True, reconnect_on_failure=False
    )
    client.username_pw_set(KEEPER, password)
    if settings.mqtt_tls:
        client.tls_set_context(ssl.create_default_context(cafile=settings.mqtt_ca_file or None))

    def on_connect(_client: Any, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            refused.set()
            ready.set()
        else:
            client.subscribe(_ANSWERS, 1)

    client.on_connect = on_connect
    client.on_subscribe = lambda *_: ready.set()
    client.connect(settings.mqtt_host, settings.mqtt_port, keepalive=30)
    found = Control(client)
    client.loop_start()
    try:
        if not ready.wait(_TIMEOUT_S) or refused.is_set():
            raise Unanswered("the broker does not let the keeper in")
        yield found
    finally:
        client.disconnect()
        client.loop_stop()


def reconcile(settings: Settings, password: str, wanted: Rights) -> int:
    """Make the broker hold what is wanted, whatever it held; return how many commands that took.

    Raises:
        OSError: the broker could not be asked; try again.
    """
    with control(settings, password) as broker:
        commands = differences(broker.held(), wanted)
        faults = [answer["error"] for answer in broker.run(commands) if "error" in answer]
    if faults:
        raise Unanswered(f"{len(faults)} of {len(commands)} commands failed, such as: {faults[0]}")
    return len(commands)
