"""Everything a person may be told has words in both languages: refusals, field faults, and reasons of the causal log.

The codes are read from the source, not from a list that somebody would have to keep.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import string
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import marshmallow
import pytest

import app
import iot
import offline_sync
import push
from app.core import fields, wire
from app.core.errors import DomainError
from app.core.locales import EN, ZH
from app.core.problems import HTTP_CODES
from app.core.settings import Settings, read_settings
from app.core.texts import field_text, problem_text
from app.core.texts.facts import FACTS
from app.core.texts.field_problems import FIELD_PROBLEMS
from app.core.texts.problems import PROBLEMS
from app.core.tracked import Tracked
from app.pages.codes import CODED, LETTERS
from app.pages.reasons import REASONS, reason_of
from app.service_offers.models import OFFER_STATES
from offline_sync.collections.own import _intent_words
from offline_sync.models import Intent
from push.kinds import MESSAGES

PACKAGES: tuple[ModuleType, ...] = (app, iot, push, offline_sync)
# Kinds made at run time, by the f-string that makes them, and what stands in it.
FAMILIES = {
    "service_offer.{state}": {f"service_offer.{state}" for state in ("declined", "expired", "withdrawn")},
    "dead_letter.{how}": {f"dead_letter.{how}" for how in ("dismissed", "refused_again", "replayed")},
    "notification.{to}": {"notification.delivered", "notification.opened"},
}


@cache
def trees() -> dict[str, ast.Module]:
    found = {}
    for package in PACKAGES:
        root = Path(package.__path__[0])
        for path in sorted(root.rglob("*.py")):
            found[str(path.relative_to(root.parent))] = ast.parse(path.read_text(encoding="utf-8"))
    return found


@cache
def error_names() -> frozenset[str]:
    """Return the names of DomainError and all its subclasses, wherever they are defined."""
    for package in PACKAGES:
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not info.name.endswith("__main__"):
                importlib.import_module(info.name)

    def below(kind: type[DomainError]) -> Iterator[type[DomainError]]:
        yield kind
        for each in kind.__subclasses__():
            yield from below(each)

    return frozenset(kind.__name__ for kind in below(DomainError))


def name_of(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else call.func.attr if isinstance(call.func, ast.Attribute) else ""


def calls(*names: str) -> Iterator[tuple[str, ast.Call]]:
    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and name_of(node) in names:
                yield f"{path}:{node.lineno}", node


def constants(node: ast.expr) -> list[str] | None:
    """Return the texts an expression may be, or None when that is decided at run time."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.IfExp):
        found = [constants(node.body), constants(node.orelse)]
        return None if None in found else [text for texts in found for text in texts or []]
    if isinstance(node, ast.JoinedStr):
        plain = "".join(
            str(part.value) if isinstance(part, ast.Constant) else "{" + ast.unparse(part.value) + "}"  # type: ignore[attr-defined]
            for part in node.values
        )
        return sorted(FAMILIES[plain]) if plain in FAMILIES else None
    return None


def raised_codes() -> dict[str, str]:
    found: dict[str, str] = {}
    for where, call in calls(*error_names()):
        if name_of(call) in {"NotFound", "FieldsInvalid"} or "core/errors.py" in where:
            continue
        codes = constants(call.args[0]) if call.args else None
        assert codes is not None, f"{where}: a refusal whose code cannot be read from the source"
        found |= dict.fromkeys(codes, where)
    for where, call in calls("problem"):
        found |= dict.fromkeys(constants(call.args[1]) or [], where)
    return (
        found
        | dict.fromkeys(HTTP_CODES.values(), "core/problems.py")
        | {"not_found": "NotFound", "validation_failed": "FieldsInvalid"}
    )


def wire_reasons() -> dict[str, str]:
    found = [(where, call) for where, call in calls("WireError") if where.startswith(("app/core/wire.py", "app/lead_forms/"))]
    return {code: where for where, call in found for code in constants(call.args[0]) or []}


def letter_reasons() -> dict[str, str]:
    """Return every reason a message of a device may be set aside for: what is raised on its way in, or written down there."""
    raised = [(where, call.args[0]) for where, call in calls("WireError") if where.startswith(("app/core/wire.py", "iot/"))]
    for where, call in calls("append"):
        if ast.unparse(call.func).endswith(".poison.append") and isinstance(call.args[0], ast.Tuple):
            raised.append((where, call.args[0].elts[1]))
    found: dict[str, str] = {}
    for where, node in raised:
        codes = [] if ast.unparse(node).endswith(".reason") else constants(node)
        assert codes is not None, f"{where}: a reason that cannot be read from the source"
        found |= dict.fromkeys(codes, where)
    return found


def listed_codes(node: ast.AST) -> Iterator[str]:
    """Return the codes in the lists that are values of dictionaries below a node."""
    for each in ast.walk(node):
        values: Iterable[ast.expr] = ()
        if isinstance(each, ast.Dict):
            values = each.values
        elif isinstance(each, ast.DictComp):
            values = [each.value]
        for value in values:
            if isinstance(value, ast.List):
                yield from (text for entry in value.elts for text in constants(entry) or [])


def field_codes() -> dict[str, str]:
    found = {code: where for where, call in calls("ValidationError") for code in constants(call.args[0]) or []}
    for where, call in calls("FieldsInvalid"):
        found |= dict.fromkeys(listed_codes(call), where)
    for path, tree in trees().items():
        for node in ast.walk(tree):
            where = f"{path}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.FunctionDef) and isinstance(node.returns, ast.Name) and node.returns.id == "Faults":
                found |= dict.fromkeys(listed_codes(node), where)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.List):
                for target in node.targets:
                    if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name) and target.value.id == "faults":
                        found |= {text: where for entry in node.value.elts for text in constants(entry) or []}
            if isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "Faults" and node.value is not None:
                found |= dict.fromkeys(listed_codes(node.value), where)
    return found


def recorded_kinds() -> dict[str, set[str] | None]:
    """Return every kind written to the causal log and the names of its facts; None when they are given with ``**``."""
    found: dict[str, set[str] | None] = {}
    taken = set(inspect.signature(importlib.import_module("app.core.history").record).parameters) - {"facts"}
    for where, call in calls("record"):
        kinds = constants(call.args[1])
        assert kinds is not None, f"{where}: an entry whose kind cannot be read from the source; see FAMILIES"
        names = {keyword.arg for keyword in call.keywords}
        facts = None if None in names else {name for name in names if name} - taken
        for kind in kinds:
            before = found.get(kind, set())
            found[kind] = None if facts is None or before is None else before | facts
    return found


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_the_source_is_read_at_all() -> None:
    assert {"bad_credentials", "slot_unavailable", "key_in_flight", "not_replayable", "state_conflict"} <= set(raised_codes())
    assert {"required", "unknown_reference", "already_exists", "time_invalid"} <= set(field_codes()) | {"required"}
    assert {"alarm.raised", "notification.opened", "service_offer.expired", "user.signed_in"} <= set(recorded_kinds())
    assert {"declined", "expired", "withdrawn"} < set(OFFER_STATES)
    assert {"Conflict", "Malformed", "StaleVersion"} <= error_names()


def test_every_code_of_a_refusal_has_words() -> None:
    missing = {code: where for code, where in raised_codes().items() if code not in PROBLEMS}
    assert missing == {}


def test_every_code_of_a_field_has_words() -> None:
    missing = {code: where for code, where in (field_codes() | wire_reasons()).items() if code not in FIELD_PROBLEMS}
    unreachable = {
        "too_large",
        "empty",
        "too_deep",
        "not_json",
        "number_out_of_range",
        "too_many_values",
        "malformed",
    }  # of whole bodies
    assert {code: where for code, where in missing.items() if code not in unreachable} == {}


def test_every_message_a_schema_can_give_is_a_code_with_words() -> None:
    """Also those marshmallow brings along: a field with its own default would answer in English prose."""
    assert error_names()  # which imports every module
    schemas = {
        kind
        for module in list(sys.modules.values())
        if module.__name__.partition(".")[0] in {"app", "iot", "push", "offline_sync"}
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, marshmallow.Schema) and kind not in {fields.Schema, marshmallow.Schema}
    }
    assert len(schemas) > 50

    def all_fields(field: marshmallow.fields.Field) -> Iterator[marshmallow.fields.Field]:  # type: ignore[type-arg]
        yield field
        for name in ("inner", "key_field", "value_field"):
            inner = getattr(field, name, None)
            if inner is not None:
                yield from all_fields(inner)

    found: dict[str, str] = {}
    for kind in schemas:
        schema = kind()
        assert schema.unknown == marshmallow.RAISE, kind
        found |= {schema.error_messages[name]: f"{kind.__name__}" for name in ("unknown", "type")}
        for name, declared in schema.fields.items():
            for field in all_fields(declared):
                found |= {str(message): f"{kind.__name__}.{name}" for message in field.error_messages.values()}
    assert {message: where for message, where in found.items() if message not in FIELD_PROBLEMS} == {}


def test_every_kind_of_entry_has_a_reason() -> None:
    assert sorted(set(recorded_kinds()) - set(REASONS)) == []


def test_every_reason_places_only_facts_its_entries_hold() -> None:
    wrong = {
        kind: placeholders(row[0]) - facts
        for kind, facts in recorded_kinds().items()
        if facts is not None and (row := REASONS.get(kind)) and placeholders(row[0]) - facts
    }
    assert wrong == {}


@pytest.mark.parametrize(
    "texts",
    [
        [(code, row[0], row[2]) for code, row in PROBLEMS.items()],
        [(code, row[1], row[3]) for code, row in PROBLEMS.items()],
        [(code, *row) for code, row in FIELD_PROBLEMS.items()],
        [(kind, *row) for kind, row in REASONS.items()],
        [(reason, *row) for reason, row in CODED.items()],
        [(fact, *row) for fact, row in FACTS.items()],
    ],
    ids=["titles", "details", "fields", "reasons", "coded", "facts"],
)
def test_both_languages_say_it_with_the_same_facts(texts: list[tuple[str, str, str]]) -> None:
    for code, english, chinese in texts:
        assert english.strip(), code
        assert chinese.strip(), code
        assert placeholders(english) == placeholders(chinese), code
        assert english.isascii() or set(filter(lambda c: not c.isascii(), english)) <= set("“”–’…"), code
        if english != chinese:
            assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese), code
        else:
            assert english == "{reason}", code


def test_a_text_with_a_fact_missing_is_still_a_text(settings: Settings) -> None:
    for code in [*PROBLEMS, "nobody_wrote_this"]:
        for locale in (EN, ZH):
            title, detail = problem_text(code, locale, {})
            assert title
            assert "{" not in detail
            assert field_text(code, locale)
    for kind in REASONS:
        for locale in (EN, ZH):
            assert "{" not in reason_of(kind, {}, locale, settings.time_zone)
            assert reason_of(kind, {"reason": None, "condition": 7}, locale, settings.time_zone)


def test_nothing_is_refused_with_a_reason_of_the_parser_that_has_no_detail() -> None:
    """The reason of a malformed body is shown as it is, so it must be a code and not what a library said."""
    assert set(wire_reasons()) >= {"too_deep", "not_json", "text_invalid"}
    assert all(reason.isidentifier() for reason in wire_reasons())
    with pytest.raises(wire.WireError) as refusal:
        wire.parse_json(b"{")
    assert refusal.value.reason == "not_json"


def test_every_state_and_every_reason_of_the_parser_has_words() -> None:
    def below(kind: type[Tracked]) -> Iterator[type[Tracked]]:
        yield kind
        for each in kind.__subclasses__():
            yield from below(each)

    assert error_names()  # which imports every module
    states = {state for kind in below(Tracked) for source, to in kind.STATES.items() for state in (source, *to)}
    assert len(states) > 25
    assert sorted(states - set(FACTS)) == []
    of_fields = {"id_invalid", "time_invalid"}
    assert sorted(set(wire_reasons()) - of_fields - set(FACTS)) == []


def test_every_reason_of_a_dead_letter_has_words(settings: Settings) -> None:
    reasons = letter_reasons()
    assert {"alias_unknown", "csv_invalid", "protobuf_invalid", "topic_unknown", "too_deep", "wrong_shard"} <= set(reasons)
    assert {reason: where for reason, where in reasons.items() if reason not in LETTERS} == {}
    told = {"topic": "a/b", "reason": "alias_unknown"}
    assert reason_of("dead_letter.refused_again", told, ZH, settings.time_zone).endswith("：未收到为其中的值命名的出生消息。")


def test_the_verdict_on_an_intent_has_the_colon_of_its_language() -> None:
    words = [_intent_words(Intent(code="forbidden"), locale, read_settings())["text"] for locale in (EN, ZH)]
    assert words == ["Not allowed: Your role does not carry this right.", "无权操作：您的角色没有此项权限。"]


def test_a_refusal_names_states_and_reasons_in_words() -> None:
    told = {"state": "rejected", "wanted": "accepted"}
    assert problem_text("state_conflict", ZH, told)[1] == "当前状态为“已拒绝”，不能变为“已接受”。"
    assert problem_text("state_conflict", EN, told)[1] == "Its state is now “turned down”; it cannot become “accepted”."
    assert problem_text("malformed", ZH, {"reason": "text_too_long"})[1] == "请求内容不符合要求：文本过长。"
    assert problem_text("malformed", ZH, {"reason": "malformed"})[1] == "请求内容不符合要求：结构与其媒体类型不符。"
    assert problem_text("station_not_able", ZH, {"lacks": ["certificate", "part"]})[1] == "该服务站不满足：资质、备件。"


def test_every_kind_of_message_has_words_in_the_causal_log() -> None:
    assert sorted(set(MESSAGES) - set(CODED)) == []


def test_the_reason_of_an_alarm_names_what_was_measured(settings: Settings) -> None:
    facts = {"rule": "R", "rule_number": 1, "metric": "soh_pct", "condition": {"below": 75.0, "readings": 3}}
    english, chinese = (reason_of("alarm.raised", facts, locale, settings.time_zone) for locale in (EN, ZH))
    assert english == "Rule “R” (version 1) was met: battery health (%) below 75, 3 readings in a row."
    assert chinese == "规则“R”（第 1 版）条件成立：电池健康度（%）低于 75，连续 3 条读数。"
