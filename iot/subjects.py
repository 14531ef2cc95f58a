"""What rules watch: components over their fittings, and assets as a whole; and which readings are theirs."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from functools import cached_property
from itertools import chain
from operator import attrgetter
from typing import Literal, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, false, or_, select
from sqlalchemy.orm import Session

from app.assets.models import Asset, Component, Device, DeviceProfile, Fitting
from app.assets.placements import Stay, former_stays
from app.calendar.days import ORDINARY
from app.calendar.queries import calendar_of
from app.core.clock import to_ms
from app.core.db import among, now
from app.rules.detectors import Departure, Item, Reading, Removal
from app.rules.parts import Context
from app.rules.queries import ActiveRule, active_rules
from iot.models import OPEN_STATES, Alarm, SubjectState, Telemetry
from iot.store import Row


@dataclass(frozen=True)
class Window:
    """A subject in one asset: event time from ``from_ms`` up to, not including, ``until_ms``."""

    asset_id: str
    from_ms: int
    until_ms: int | None


@dataclass
class Subject:
    """A component, or an asset, as rules see it. ``part``: the component's kind; empty for an asset."""

    kind: Literal["component", "asset"]
    id: str
    part: str
    windows: list[Window]
    context: Context
    stays: list[Stay]

    @cached_property
    def fittings(self) -> str:
        """A digest of all that its readings and its rules' settings depend on."""
        device_ids = sorted({stay.device_id for stay in self.stays})
        # "left": what was folded before departures were looked at is folded anew.
        moved = sorted(("left", *map(str, stay)) for stay in self.stays if stay.from_ms or stay.until_ms is not None)
        context = self.context
        told: tuple[object, ...] = (self.windows, device_ids, context.value_holds, sorted(context.limits.items()), *moved)
        if context.calendar.days:
            told += (context.calendar.days,)
        return hashlib.sha256(repr(told).encode()).hexdigest()[:32]

    @cached_property
    def removed_ms(self) -> int:
        """When it was taken out last, or a device of its assets was; 0: never."""
        ends = [*(window.until_ms for window in self.windows), *(stay.until_ms for stay in self.stays)]
        return max((end_ms for end_ms in ends if end_ms is not None), default=0)

    def asset_at(self, at_ms: int) -> str:
        """Return the asset it was in; a value that held past its removal belongs to the last one before."""
        before = [window for window in self.windows if window.from_ms <= at_ms]
        return (before or self.windows[:1])[-1].asset_id

    def was_in(self, asset_id: str, at_ms: int) -> bool:
        """Tell whether it was in an asset at an instant."""
        return any(
            window.asset_id == asset_id and window.from_ms <= at_ms and (window.until_ms is None or at_ms < window.until_ms)
            for window in self.windows
        )


@dataclass
class Watched:
    """One subject under one rule, with what became known of it just now."""

    rule: ActiveRule
    subject: Subject
    new: Sequence[Reading] = ()

    @property
    def has_new_before_removal(self) -> bool:
        """Tell whether a new reading is of a time that ended with a removal, which was folded, so fold again."""
        removed_ms = self.subject.removed_ms
        return bool(removed_ms) and any(reading.at_ms < removed_ms for reading in self.new)


@dataclass
class News:
    """One subject, every rule that watches it, and what became known of it just now: by metric, in order of event time."""

    subject: Subject
    rules: Sequence[ActiveRule]
    new: dict[str, list[Reading]] = field(default_factory=dict)

    def under(self, rule: ActiveRule) -> Watched:
        """Return the subject under one of its rules, with the readings that rule reads."""
        found = [self.new[metric] for metric in rule.document.metrics if metric in self.new]
        return Watched(rule, self.subject, found[0] if len(found) == 1 else sorted(chain.from_iterable(found)))


def watched_in(session: Session, rules: Iterable[ActiveRule], asset_ids: Sequence[str], time_zone: tzinfo) -> list[News]:
    """Return every component now or once in these assets, and the assets, with every rule that watches such.

    One whose fittings were all taken back has no window: whatever alarm stands for it is withdrawn.
    """
    by_part: dict[str, list[ActiveRule]] = defaultdict(list)
    for rule in rules:
        if rule.document.watches != "device":
            by_part[rule.document.component].append(rule)
    if not by_part or not asset_ids:
        return []
    has_hours = any(rule.document.hours for some in by_part.values() for rule in some)
    here = Context(time_zone=time_zone, calendar=calendar_of(session) if has_hours else ORDINARY)
    found = _components(session, asset_ids, set(by_part) - {""}, here) if set(by_part) - {""} else []
    if "" in by_part:
        found += _assets(session, asset_ids, here)
    return [News(subject, by_part[subject.part]) for subject in found]


def _components(session: Session, asset_ids: Sequence[str], parts: set[str], place: Context) -> list[Subject]:
    here = select(Fitting.component_id).where(among(session, Fitting.asset_id, asset_ids))
    rows = session.execute(
        select(Component.id, Component.kind, Fitting.asset_id, Fitting.fitted_at, Fitting.removed_at, Fitting.deleted_at)
        .join(Fitting, Fitting.component_id == Component.id)
        .where(Component.id.in_(here), Component.kind.in_(sorted(parts)))
        .order_by(Component.id, Fitting.fitted_at)
    ).all()
    windows: dict[str, list[Window]] = defaultdict(list)
    kinds: dict[str, str] = {}
    for component_id, kind, asset_id, fitted_at, removed_at, undone_at in rows:
        kinds[component_id] = kind
        spans = windows[component_id]
        if undone_at is None:
            spans.append(Window(asset_id, to_ms(fitted_at), to_ms(removed_at) if removed_at else None))
    sources = _sources(session, {window.asset_id for spans in windows.values() for window in spans})
    return [
        Subject("component", component_id, kinds[component_id], spans, *_known(spans, sources, place))
        for component_id, spans in windows.items()
    ]


def _assets(session: Session, asset_ids: Sequence[str], here: Context) -> list[Subject]:
    sources = _sources(session, set(asset_ids))
    found = []
    for asset_id in sorted(asset_ids):
        spans = [Window(asset_id, 0, None)]
        found.append(Subject("asset", asset_id, "", spans, *_known(spans, sources, here)))
    return found


@dataclass
class _Sources:
    """The devices of an asset and when they were in it, and the levels that are its own."""

    stays: list[Stay] = field(default_factory=list)
    value_holds: bool = False
    limits: dict[str, float] = field(default_factory=dict)


def _sources(session: Session, asset_ids: set[str]) -> dict[str, _Sources]:
    found: dict[str, _Sources] = defaultdict(_Sources)
    rows = session.execute(
        select(Asset.id, Asset.limits, Device.id, Device.placed_at, DeviceProfile.sends_only_changes, DeviceProfile.limits)
        .outerjoin(Device, Device.asset_id == Asset.id)
        .outerjoin(DeviceProfile, DeviceProfile.id == Device.profile_id)
        .where(among(session, Asset.id, sorted(asset_ids)))
        .order_by(Asset.id, Device.id)
    )
    for asset_id, own, device_id, placed_at, sends_only_changes, of_profile in rows:
        source = found[asset_id]
        source.limits = source.limits | (of_profile or {}) | (own or {})
        if device_id is not None:
            source.stays.append(Stay(device_id, asset_id, to_ms(placed_at) if placed_at else 0, None))
            source.value_holds |= bool(sends_only_changes)
    former = former_stays(session, asset_ids=asset_ids) if asset_ids else []
    profiles = _profiles_of(session, {stay.device_id for stay in former}) if former else {}
    for stay in former:
        source, (sends_only_changes, of_profile) = found[stay.asset_id], profiles[stay.device_id]
        source.limits = of_profile | source.limits
        source.stays.append(stay)
        source.value_holds |= sends_only_changes
    return found


def _profiles_of(session: Session, device_ids: set[str]) -> dict[str, tuple[bool, dict[str, float]]]:
    rows = session.execute(
        select(Device.id, DeviceProfile.sends_only_changes, DeviceProfile.limits)
        .join(DeviceProfile, DeviceProfile.id == Device.profile_id)
        .where(among(session, Device.id, sorted(device_ids)))
    )
    return {device_id: (bool(sends_only_changes), limits or {}) for device_id, sends_only_changes, limits in rows}


def _known(spans: Sequence[Window], sources: dict[str, _Sources], here: Context) -> tuple[Context, list[Stay]]:
    of = [sources[window.asset_id] for window in spans]
    holds = any(source.value_holds for source in of)
    limits = of[-1].limits if of else {}
    stays = list(dict.fromkeys(stay for source in of for stay in source.stays))
    return replace(here, value_holds=holds, limits=limits), stays


def news_of(session: Session, rules: Sequence[ActiveRule], placed: Sequence[tuple[str, Row]], time_zone: tzinfo) -> list[News]:
    """Return the components and assets new readings speak of, under all rules that watch them, with those readings.

    And those of the same assets whose fittings were recorded since, for readings known before may be theirs now.

    Args:
        placed: readings that some rule reads, each with the asset it is of.
    """
    if not placed:
        return []
    news = watched_in(session, rules, sorted({asset_id for asset_id, _ in placed}), time_zone)
    _with_readings(news, placed)
    return news


def _with_readings(news: Iterable[News], placed: Iterable[tuple[str, Row]]) -> None:
    """Give new readings, each with the asset it is of, to those that they speak of."""
    told: dict[str, dict[str, list[Reading]]] = defaultdict(lambda: defaultdict(list))
    for asset_id, row in placed:
        told[asset_id][row.metric].append(Reading(row.at_ms, row.message_key, row.value, row.device_id, row.metric))
    for by_metric in told.values():
        for readings in by_metric.values():
            readings.sort()
    read_by: dict[int, set[str]] = {}
    for one in news:
        metrics = read_by.get(id(one.rules))
        if metrics is None:
            metrics = read_by[id(one.rules)] = {metric for rule in one.rules for metric in rule.document.metrics}
        subject = one.subject
        for asset_id in {window.asset_id for window in subject.windows}:
            for metric, readings in told.get(asset_id, {}).items():
                if metric not in metrics:
                    continue
                own = [reading for reading in readings if subject.was_in(asset_id, reading.at_ms)]
                if own:
                    one.new[metric] = sorted([*one.new[metric], *own]) if metric in one.new else own


class Settled(NamedTuple):
    """Removals, and departures by device, that are in the states that folds begin with; event time in ms."""

    removals: Sequence[int] = ()
    departures: Collection[tuple[str, int]] = ()


_NOTHING = Settled()
_AT = attrgetter("at_ms")


class Span(NamedTuple):
    """What one device measured from ``from_ms`` up to, not including, ``until_ms`` of event time."""

    device_id: str
    from_ms: int
    until_ms: int | None


def load_items(
    session: Session, watched: Watched, from_ms: int = 0, before_ms: int | None = None, settled: Settled = _NOTHING
) -> list[Item]:
    """Return every stored reading of a subject that its rule reads, its removals, and devices that left, in event-time order.

    A reading belongs to the component that was fitted to the device's asset at the reading's own time.

    Args:
        from_ms, before_ms: only of this span of event time.
        settled: what happened before ``from_ms`` and is known there; what is not, for it was recorded late, is taken to
            have been at ``from_ms``.
    """
    query = _readings_of(watched.rule.document.metrics)
    return _items(
        watched.subject,
        lambda spans: sorted(Reading(*row) for row in session.execute(query.where(or_(false(), *map(_within, spans))))),
        from_ms,
        before_ms,
        settled,
    )


def load_items_of_many(
    session: Session, watched: Sequence[Watched], before_ms: int, most: int | None = None
) -> list[list[Item]] | None:
    """Return the items of subjects under one rule, as ``load_items`` has them, with one question for all.

    Args:
        before_ms: only what is of before this event time.
        most: readings that may be held at a time.

    Returns:
        The items of each; None where there are more than ``most`` readings, of which no more were read.
    """
    device_ids = sorted({stay.device_id for one in watched for stay in one.subject.stays})
    by_device: dict[str, list[Reading]] = defaultdict(list)
    if device_ids:
        query = _readings_of(watched[0].rule.document.metrics).where(Telemetry.at_ms < before_ms)
        query = query.where(among(session, Telemetry.device_id, device_ids))
        rows = session.execute(query if most is None else query.limit(most + 1)).all()
        if most is not None and len(rows) > most:
            return None
        for row in rows:
            by_device[row.device_id].append(Reading(*row))
    for readings in by_device.values():
        readings.sort()

    def read(spans: Sequence[Span]) -> list[Reading]:
        found = [_cut(by_device.get(span.device_id, []), span) for span in spans]
        return found[0] if len(found) == 1 else sorted(set(chain.from_iterable(found)))

    return [_items(one.subject, read, 0, before_ms, _NOTHING) for one in watched]


def _items(
    subject: Subject, read: Callable[[Sequence[Span]], list[Reading]], from_ms: int, before_ms: int | None, settled: Settled
) -> list[Item]:
    items = _unsettled(subject, from_ms, settled)
    for window in subject.windows:
        if (window.until_ms is not None and window.until_ms < from_ms) or (before_ms is not None and window.from_ms >= before_ms):
            continue
        ends = [end_ms for end_ms in (window.until_ms, before_ms) if end_ms is not None]
        begins_ms = max(window.from_ms, from_ms)
        here = [stay for stay in subject.stays if stay.asset_id == window.asset_id]
        left = [
            Departure(stay.until_ms, device_id=stay.device_id)
            for stay in here
            if stay.until_ms is not None and begins_ms <= stay.until_ms and all(stay.until_ms < end_ms for end_ms in ends)
        ]
        readings = read([_span(stay, begins_ms, ends) for stay in here])
        # What a device measured at the instant it left is the other asset's: first it is gone.
        items += sorted([*left, *readings], key=lambda item: item[:2]) if left else readings
        if window.until_ms is not None and (before_ms is None or window.until_ms < before_ms):
            items.append(Removal(window.until_ms))
    return items


def _readings_of(metrics: Sequence[str]) -> Select[int, str, float, str, str]:
    """Return a select of what rules fold: the fields of ``Reading`` in their order."""
    fields = (Telemetry.at_ms, Telemetry.message_key, Telemetry.value, Telemetry.device_id, Telemetry.metric)
    return select(*fields).where(Telemetry.metric.in_(metrics), Telemetry.ahead.is_(False))


def _unsettled(subject: Subject, from_ms: int, settled: Settled) -> list[Item]:
    """Return what happened before an instant and was recorded too late for it, as if it had happened then."""
    ends = [window.until_ms for window in subject.windows if window.until_ms is not None and window.until_ms < from_ms]
    items: list[Item] = [Removal(from_ms)] if not set(ends) <= set(settled.removals) else []
    left = {(stay.device_id, stay.until_ms) for stay in subject.stays if stay.until_ms is not None and stay.until_ms < from_ms}
    there = {
        stay.device_id
        for stay in subject.stays
        if stay.from_ms <= from_ms and (stay.until_ms is None or stay.until_ms >= from_ms)
    }
    gone = {device_id for device_id, _ in left - set(settled.departures)} - there
    return items + [Departure(from_ms, device_id=device_id) for device_id in sorted(gone)]


def _span(stay: Stay, from_ms: int, ends: Sequence[int]) -> Span:
    """Return what a device measured while it was in an asset, from an instant up to the first of the ends."""
    ends = [*ends, stay.until_ms] if stay.until_ms is not None else ends
    return Span(stay.device_id, max(from_ms, stay.from_ms), min(ends, default=None))


def _within(span: Span) -> ColumnElement[bool]:
    began = and_(Telemetry.device_id == span.device_id, Telemetry.at_ms >= span.from_ms)
    return and_(began, Telemetry.at_ms < span.until_ms) if span.until_ms is not None else began


def _cut(readings: list[Reading], span: Span) -> list[Reading]:
    """Return the readings of a span from all of its device, in event-time order."""
    begin = bisect_left(readings, span.from_ms, key=_AT)
    end = len(readings) if span.until_ms is None else bisect_left(readings, span.until_ms, key=_AT)
    return readings if (begin, end) == (0, len(readings)) else readings[begin : max(begin, end)]


def _assets_of(session: Session, moved: Collection[str]) -> set[str]:
    """Return all assets in which some devices are or were."""
    if not moved:
        return set()
    present = session.scalars(select(Device.asset_id).where(Device.id.in_(sorted(moved))))
    return {*present, *(stay.asset_id for stay in former_stays(session, device_ids=moved))}


def due(session: Session, time_zone: tzinfo, moved: Collection[str] = (), limit: int = 200) -> list[News]:
    """Return what to look at although no reading came: held values that matured, fittings that ended, devices that moved.

    Args:
        moved: devices whose moves the alarms do not follow yet: all assets they were in are looked at.
    """
    held = session.scalars(select(SubjectState.subject_id).where(SubjectState.due_ms <= to_ms(now(session))).limit(limit)).all()
    still_fitted = select(Fitting.component_id).where(Fitting.removed_at.is_(None), Fitting.deleted_at.is_(None))
    removed_since = select(Fitting.component_id).where(
        Fitting.component_id == Alarm.subject_id, Fitting.removed_at >= Alarm.raised_at
    )
    ended = session.scalars(
        select(Alarm.subject_id)
        .where(
            Alarm.subject_kind == "component",
            Alarm.state.in_(OPEN_STATES),
            Alarm.cleared_at.is_(None),
            or_(Alarm.subject_id.not_in(still_fitted), removed_since.exists()),
        )
        .limit(limit)
    ).all()
    ids = {*held, *ended}
    concerned = _assets_of(session, moved)
    if not ids and not concerned:
        return []
    fitted = session.scalars(select(Fitting.asset_id).where(Fitting.component_id.in_(sorted(ids))).distinct())
    assets = session.scalars(select(Asset.id).where(Asset.id.in_(sorted(ids))))
    watched = watched_in(session, active_rules(session), sorted({*fitted, *assets, *concerned}), time_zone)
    return [one for one in watched if one.subject.id in ids or any(of.asset_id in concerned for of in one.subject.windows)]
