"""Merging is pure, so its laws are tried on everything: Hypothesis prints how to repeat a failure."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from offline_sync.merge import Merged, Sent, digest, merge

FIELDS = ("name", "phone", "email")
values = st.sampled_from(["a", "b", "c", None, 1.5])
rows = st.fixed_dictionaries(dict.fromkeys(FIELDS, values))
some = st.frozensets(st.sampled_from(FIELDS))


def after(present: dict[str, Any], merged: Merged) -> dict[str, Any]:
    return present | merged.write


@given(present=rows, phone=rows, claimed=some, others=some)
def test_only_what_the_phone_changed_is_written(present: Any, phone: Any, claimed: Any, others: Any) -> None:
    merged = merge(present, Sent(phone, claimed, None, {}), others)

    assert set(merged.write) <= claimed
    assert all(merged.write[name] == phone[name] for name in merged.write)


@given(present=rows, phone=rows, claimed=some, others=some)
def test_a_value_that_loses_is_never_without_trace(present: Any, phone: Any, claimed: Any, others: Any) -> None:
    merged = merge(present, Sent(phone, claimed, None, {}), others, server_first={"email"})

    result = after(present, merged)
    for name in claimed & others:
        lost = {repr(present[name]), repr(phone[name])} - {repr(result[name])}
        assert lost == {repr(loss.lost) for loss in merged.losses if loss.field == name}


@given(present=rows, phone=rows, claimed=st.none() | some, others=some)
def test_the_phone_hears_whenever_the_row_is_not_what_it_sent(present: Any, phone: Any, claimed: Any, others: Any) -> None:
    merged = merge(present, Sent(phone, claimed, None, {}), others)

    assert merged.differs == (after(present, merged) != phone)


@given(present=rows, phone=rows, claimed=st.none() | some, others=some)
def test_the_same_again_changes_nothing(present: Any, phone: Any, claimed: Any, others: Any) -> None:
    first = after(present, merge(present, Sent(phone, claimed, None, {}), others))
    receipt = {name: digest(value) for name, value in phone.items()}
    again = merge(first, Sent(phone, claimed, None, receipt), ())

    assert again.write == {}


@given(present=rows, phone=rows, between=rows, claimed=st.none() | some)
def test_a_repeat_undoes_nothing_that_came_between(present: Any, phone: Any, between: Any, claimed: Any) -> None:
    receipt = {name: digest(value) for name, value in phone.items()}
    repeat = merge(between, Sent(phone, claimed, None, receipt), others=FIELDS)

    assert repeat.write == {}


@given(base=rows, one=rows, two=rows)
def test_with_bases_different_fields_of_two_phones_both_stay(base: Any, one: Any, two: Any) -> None:
    first = after(base, merge(base, Sent(one, None, base, {}), ()))
    second = after(first, merge(first, Sent(two, None, base, {}), ()))

    for name in FIELDS:
        if two[name] != base[name]:
            assert second[name] == two[name]
        else:
            assert second[name] == one[name]


@given(present=rows, phone=rows, claimed=some)
def test_unknown_fields_are_never_written(present: Any, phone: Any, claimed: Any) -> None:
    merged = merge(present, Sent(phone | {"owner_id": "me"}, claimed | {"owner_id"}, None, {}), ())

    assert "owner_id" not in merged.write
