"""What is known of Sparkplug nodes: births with their aliases, sequence numbers, and when a birth was asked for.

A node is a device here, too: it signs in to the broker, and it is asked for its births when a message is missed or holds an
alias nobody named. The broker loses nothing of ours, but a node publishes at QoS 0, so gaps are a matter of course.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.db import insert_once
from iot import commands
from iot.adapters import Answer, Decoded, Ignored, NodeMessage, NodeMetric, Sample
from iot.adapters.sparkplug import BIRTHS, DEATHS, REBIRTH, number_of
from iot.adapters.values import content_key
from iot.models import SparkplugNode

_ASK_EVERY_MS = 60_000
_ASK_TIMEOUT_S = 60
_CONTROLS = ("Node Control/", "Device Control/")
_BD_SEQ = "bdSeq"

# By device below the node ("" is the node itself): name and data type by alias, and by name.
Births = dict[str, dict[str, list[Any]]]


class AnyDevice(Protocol):
    """What is needed of a registered device."""

    @property
    def id(self) -> str:
        """Of the device."""


@dataclass
class Followed:
    """What a batch's messages of nodes say, once their births are known; ``index`` points into what was handed in."""

    decoded: list[tuple[int, Decoded]] = field(default_factory=list)
    unnamed: list[tuple[int, str]] = field(default_factory=list)
    answers: list[tuple[str, Answer]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def follow(
    session: Session, messages: Sequence[tuple[NodeMessage, int]], devices: Mapping[tuple[str, str], AnyDevice]
) -> Followed:
    """Read messages of nodes, in order of arrival, in the words of their births; ask for births where some are missing.

    Args:
        messages: each with its arrival, Unix ms. One that comes behind its time, as a dead letter does that is replayed,
            says nothing of gaps and changes no birth.
        devices: the registered ones, by adapter and address.
    """
    found = Followed()
    by_node: dict[str, list[int]] = defaultdict(list)
    for index, (message, _) in enumerate(messages):
        node = devices.get((message.adapter, message.node))
        if node is None:
            found.counts["unknown_device"] += (message.adapter, message.address) in devices  # else it was counted before
        else:
            by_node[node.id].append(index)
    for node_id in sorted(by_node):  # in one order everywhere: two writers wait for each other instead of deadlocking
        state = _held(session, node_id)
        for index in by_node[node_id]:
            message, received_ms = messages[index]
            _follow_one(session, state, message, received_ms, index, found, (message.adapter, message.address) in devices)
    return found


def _held(session: Session, node_id: str) -> SparkplugNode:
    insert_once(session, SparkplugNode, device_id=node_id, born=False, births={}, gaps=0, heard_ms=0)
    query = select(SparkplugNode).where(SparkplugNode.device_id == node_id).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one()


def _follow_one(
    session: Session, state: SparkplugNode, message: NodeMessage, received_ms: int, index: int, found: Followed, registered: bool
) -> None:
    """Follow one message. Of a device below that is not ``registered`` only the sequence number says anything.

    A node may name as many devices as it likes: their births would grow without end.
    """
    late = received_ms < state.heard_ms
    if not late:
        state.heard_ms = received_ms
    if message.kind == "NDEATH":
        stale = late or not _die(state, message)
        found.decoded.append((index, Ignored("sparkplug", message.address, "old_death" if stale else "death")))
        return
    missed = not late and _missed(state, message)
    if missed:
        state.gaps += 1
        found.counts["sequence_gap"] += 1
    if registered and _take(session, state, message, index, found, late):
        missed = True
    if not late and (missed or not state.born):
        _ask(session, state, received_ms)


def _take(session: Session, state: SparkplugNode, message: NodeMessage, index: int, found: Followed, late: bool) -> bool:
    """Note the births and values a message tells; return whether it holds aliases that no birth names."""
    if not late:
        _note_birth(session, state, message, found)
    if message.kind == "DDEATH":
        found.decoded.append((index, Ignored("sparkplug", message.address, "death")))
        return False
    unnamed = _read(state, message, index, found)
    if unnamed:
        found.unnamed.append((index, f"alias {unnamed[0]} and {len(unnamed) - 1} more"))
    return bool(unnamed)


def _die(state: SparkplugNode, message: NodeMessage) -> bool:
    """End a node's birth by its will; the will of an earlier connection ends nothing. Tells whether it did."""
    told = _bd_seq(message)
    if told is not None and state.bd_seq is not None and told != state.bd_seq:
        return False
    state.born, state.births, state.seq = False, {}, None
    return True


def _bd_seq(message: NodeMessage) -> int | None:
    value = next((metric.value for metric in message.metrics if metric.name == _BD_SEQ), None)
    return value if isinstance(value, int) and value < 2**63 else None


def _missed(state: SparkplugNode, message: NodeMessage) -> bool:
    """Tell whether messages before this one are missing; a node's birth begins the count anew, and some send no number."""
    if message.seq is None:
        return False
    before, state.seq = state.seq, message.seq
    return message.kind != "NBIRTH" and before is not None and message.seq != (before + 1) % 256


def _note_birth(session: Session, state: SparkplugNode, message: NodeMessage, found: Followed) -> None:
    births: Births = dict(state.births)
    if message.kind in BIRTHS:
        table = {
            key: [metric.name, metric.kind]
            for metric in message.metrics
            if metric.name
            for key in (_key(metric.alias, metric.name), _key(None, metric.name))
        }
        births = {"": table} if message.kind == "NBIRTH" else births | {message.below: table}
    elif message.kind in DEATHS:
        births.pop(message.below, None)
    if births != state.births:
        state.births = births
    if message.kind == "NBIRTH":
        state.born, state.bd_seq, state.seq = True, _bd_seq(message), message.seq
        state.asked_ms = None
        for command_id in commands.unanswered(session, state.device_id):
            answer = Answer("sparkplug", message.address, None, command_id, {"born_ms": message.at_ms})
            found.answers.append((state.device_id, answer))


def _key(alias: int | None, name: str) -> str:
    return f"={name}" if alias is None else str(alias)


def _read(state: SparkplugNode, message: NodeMessage, index: int, found: Followed) -> list[int]:
    """Add a message's values, one sample for each instant; return the aliases that no birth names."""
    named: dict[str, list[Any]] = state.births.get(message.below, {})
    instants: dict[int, dict[str, float]] = defaultdict(dict)
    unnamed = []
    for metric in message.metrics:
        known = named.get(_key(metric.alias, metric.name))
        name = metric.name or (known[0] if known else "")
        if not name:
            unnamed.append(metric.alias or 0)
            continue
        number = number_of(metric.value, metric.kind or (known[1] if known else 0))
        if number is not None and not _is_control(name) and not _without_time(metric):
            instants[metric.at_ms or message.at_ms][name] = number
    for at_ms, values in sorted(instants.items()):
        # Known by time and content: a birth tells again what was told before, under a number of its own.
        sample = Sample("sparkplug", message.address, None, content_key(at_ms, values), at_ms, values)
        found.decoded.append((index, sample))
    if not instants and not unnamed:
        found.decoded.append((index, Ignored("sparkplug", message.address, "not_a_number")))
    return unnamed


def _is_control(name: str) -> bool:
    return name in {_BD_SEQ, REBIRTH} or name.startswith(_CONTROLS)


def _without_time(metric: NodeMetric) -> bool:
    """Tell whether a value is of the past and does not say when: the message's time is not its time."""
    return metric.historical and metric.at_ms is None


def _ask(session: Session, state: SparkplugNode, received_ms: int) -> None:
    """Ask a node for its births, at most once a minute."""
    if state.asked_ms is not None and received_ms - state.asked_ms < _ASK_EVERY_MS:
        return
    state.asked_ms = received_ms
    commands.queue(session, state.device_id, {"rebirth": True}, _ASK_TIMEOUT_S)
