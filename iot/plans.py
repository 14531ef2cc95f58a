"""What has to be looked at when readings come: of a hundred rules on a subject, almost all stay quiet almost always.

A rule is quiet on a subject when nothing of it is under way: no run of readings, no open episode, none that may go on. Such a
rule needs no state of its own: it wakes when a value reaches one of its levels. So its levels are compared with the least and
the greatest new value, and what shapes compare is made once for all rules that ask the same.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from threading import Lock
from typing import Any, NamedTuple

from app.rules.detectors import Reading
from app.rules.detectors.levels import Level, LevelSettings, Memory, Shape, in_messages
from app.rules.parts import Context, Severity
from app.rules.queries import ActiveRule

_CODE_LENGTH = 8
_MOST_PLANS = 1_000

Message = tuple[int, str]
Settings = tuple[LevelSettings, tuple[tuple[Severity, LevelSettings], ...]]


class Looked(NamedTuple):
    """What new readings mean for quiet rules.

    Attributes:
        awake: the rules to fold, by id.
        late: those of them for which something is older than what was folded before: fold everything again.
        memories: what is remembered now, by key; of what came late nothing.
    """

    awake: set[str]
    late: set[str]
    memories: dict[str, Any]


class _Group:
    """Rules whose shapes remember the same, of the same metrics: one memory, some questions, levels to each."""

    def __init__(self, key: str, metrics: tuple[str, ...]) -> None:
        self.key, self.metrics = key, metrics
        self.questions: dict[str, tuple[LevelSettings, list[tuple[str, Level]]]] = {}

    def add(self, rule_id: str, settings: LevelSettings, levels: Iterable[Level]) -> None:
        # What makes the shape tells how it asks; two functions of one name ask differently all the same.
        asked = self.questions.setdefault(_question(settings.shape), (settings, []))
        asked[1].extend((rule_id, level) for level in levels)

    @property
    def rule_ids(self) -> set[str]:
        return {rule_id for _, levels in self.questions.values() for rule_id, _ in levels}

    def look(self, items: Sequence[Reading], kept: Any, awake: set[str]) -> Any:
        """Ask all questions about new readings; note the rules that wake. Return what is remembered then."""
        shapes: list[Shape] = []
        for settings, _ in self.questions.values():
            assert settings.shape is not None  # noqa: S101 - it is a group of shapes
            shapes.append(settings.shape(None if shapes else kept))
            shapes[-1].memory = shapes[0].memory
        memory: Memory = shapes[0].memory
        least, most = [math.inf] * len(shapes), [-math.inf] * len(shapes)
        for reading, whole in in_messages(items) if shapes[0].joins else ((reading, True) for reading in items):
            assert isinstance(reading, Reading)  # noqa: S101 - nothing else is new
            memory.add(reading, whole)
            if not whole:
                continue
            for i, shape in enumerate(shapes):
                value = shape.value(reading)
                if value is not None:
                    if value < least[i]:
                        least[i] = value
                    if value > most[i]:
                        most[i] = value
        for i, (_, levels) in enumerate(self.questions.values()):
            if least[i] <= most[i]:
                awake.update(rule_id for rule_id, level in levels if level.holds(least[i]) or level.holds(most[i]))
        return memory.keep()


def _question(shape: Any) -> str:
    """Return what a shape is made with. Functions among it are told apart by where they are: equal ones are asked twice."""
    kwargs = getattr(shape, "keywords", {})
    return repr((getattr(shape, "func", shape), sorted((name, repr(value)) for name, value in kwargs.items())))


class Plan:
    """The rules on subjects of one kind with the same levels.

    Attributes:
        known: what says that exactly these versions of rules were folded.
        settings: of each rule, by id.
        key_of: under which key the memory of a rule's shape is kept; none for those without.
    """

    def __init__(self, rules: Sequence[ActiveRule], context: Context) -> None:
        """Prepare it."""
        self.rules = {rule.id: rule for rule in rules}
        self.known = "".join(_code(rule) for rule in rules)
        self.settings: dict[str, Settings] = {}
        self.key_of: dict[str, str] = {}
        self._levels: dict[str, list[tuple[str, Level]]] = defaultdict(list)
        self._guards: dict[str, tuple[float, float]] = {}
        groups: dict[str, _Group] = {}
        for rule in rules:
            main, steps = rule.document.settings(context), rule.document.steps(context)
            assert isinstance(main, LevelSettings)  # noqa: S101 - rules about devices are not among these
            self.settings[rule.id] = main, steps
            metrics, levels = rule.document.metrics, [main.raising, *(step.raising for _, step in steps)]
            if main.shape is None:
                self._levels[metrics[0]] += [(rule.id, level) for level in levels]
                continue
            key = " ".join([*metrics, main.shape(None).remembers])
            self.key_of[rule.id] = key
            groups.setdefault(key, _Group(key, metrics)).add(rule.id, main, levels)
        self.groups = list(groups.values())
        for metric, some in self._levels.items():
            falling = [level.value for _, level in some if level.comparison in {"below", "at_most"}]
            rising = [level.value for _, level in some if level.comparison in {"above", "at_least"}]
            self._guards[metric] = max(falling, default=-math.inf), min(rising, default=math.inf)

    def known_in(self, told: str) -> set[str]:
        """Return the rules whose present version was folded, by what was noted as ``known`` then."""
        if told == self.known:
            return set(self.rules)
        codes = {told[at : at + _CODE_LENGTH] for at in range(0, len(told), _CODE_LENGTH)}
        return {rule.id for rule in self.rules.values() if _code(rule) in codes}

    def look(
        self,
        new: Mapping[str, Sequence[Reading]],
        last: Mapping[str, Message],
        memories: Mapping[str, Any],
        known: set[str],
        settled_ms: int,
    ) -> Looked:
        """Tell which rules wake.

        Args:
            new: by metric, in order of event time; none empty.
            last: the newest message folded before, by metric.
            memories: what was remembered then, by key.
            known: the rules that were folded then.
            settled_ms: event time up to which everything was folded for good; what is older comes late.
        """
        awake: set[str] = set()
        late: set[str] = set()
        for metric, readings in new.items():
            levels = self._levels.get(metric)
            if levels is None:
                continue
            if _is_late(readings[0], (metric,), last, settled_ms):
                late.update(rule_id for rule_id, _ in levels)
                continue
            values = [reading.value for reading in readings]
            least, most = min(values), max(values)
            floor, ceiling = self._guards[metric]
            if least > floor and most < ceiling:
                continue
            awake.update(rule_id for rule_id, level in levels if level.holds(least) or level.holds(most))
        after = {group.key: memories[group.key] for group in self.groups if group.key in memories}
        for group in self.groups:
            found = [new[metric] for metric in group.metrics if metric in new]
            if not found:
                continue
            items = found[0] if len(found) == 1 else sorted(chain.from_iterable(found))
            if _is_late(items[0], group.metrics, last, settled_ms):
                late |= group.rule_ids
                after.pop(group.key, None)
            elif group.key in memories or not known.isdisjoint(group.rule_ids):
                after[group.key] = group.look(items, memories.get(group.key), awake)
        return Looked(awake | late, late, after)


def _is_late(first: Reading, metrics: Iterable[str], last: Mapping[str, Message], settled_ms: int) -> bool:
    if first.at_ms < settled_ms:
        return True
    message = (first.at_ms, first.key)
    return any(message <= last[metric] for metric in metrics if metric in last)


def _code(rule: ActiveRule) -> str:
    """Return eight characters for one version of a rule: 48 bits, so that two of a thousand meet once in half a billion times."""
    digest = hashlib.sha256(f"{rule.id} {rule.number}".encode()).digest()
    return base64.b64encode(digest[:6]).decode()


class Plans:
    """The plans made last: rules and levels seldom change."""

    def __init__(self) -> None:
        """Begin with none."""
        self._made: OrderedDict[Any, Plan] = OrderedDict()
        self._lock = Lock()

    def of(self, rules: Sequence[ActiveRule], versions: tuple[tuple[str, int], ...], context: Context) -> Plan:
        """Return the plan of these versions of rules, on subjects with these levels."""
        levels = context.value_holds, tuple(sorted(context.limits.items()))
        key = (versions, levels, str(context.time_zone), context.calendar.days)
        with self._lock:  # writers may be threads
            plan = self._made.get(key)
            if plan is None:
                plan = self._made[key] = Plan(rules, context)
                if len(self._made) > _MOST_PLANS:
                    self._made.popitem(last=False)
            self._made.move_to_end(key)
        return plan
