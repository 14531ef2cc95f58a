"""How likely two records are one customer: what counts, what does not, and what says that they are two all the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypinyin import Style, pinyin

from app.core.credit_codes import check_sign, is_credit_code, plain_code
from app.core.geo import Position
from app.core.locales import EN, ZH
from app.customers import matching
from app.customers.keys import keys_of
from app.customers.matching import LIKELY, POSSIBLE, Match, Record, compare
from app.customers.names import address_of, name_of, syllables
from app.customers.signs import SIGNS, sign_text
from app.search import characters

PHONE, PHONE_SWAPPED, PHONE_OTHER = "+8613812345678", "+8613812345687", "+8613999990000"
CODE = "91350100M000100Y43"  # the example of GB 32100-2015
OTHER_CODE = CODE[:8] + "M000200Y4" + check_sign(CODE[:8] + "M000200Y4")


def codes(match: Match) -> set[str]:
    return {sign.code for sign in match.signs}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Record("深圳市鹏程物流有限公司"), Record("深圳鹏程物流")),
        (Record("深圳市鵬程物流有限公司"), Record("深圳市鹏程物流有限公司")),
        (Record("ＡＢＣ物流有限公司"), Record("abc物流")),
        (Record("深圳鹏程物流", [PHONE]), Record("深圳朋城物流", [PHONE])),
        (Record("鹏程", [PHONE]), Record("深圳市鹏程达物流有限公司", [PHONE])),
        (Record("王小明", [PHONE]), Record("王晓明", [PHONE_SWAPPED])),
        (Record("Lin Logistics"), Record("LIN LOGISTICS CO., LTD.")),
        (Record("Müller Transporte GmbH"), Record("Muller Transporte")),
        (Record("张三", [PHONE], addresses=["科技园路12号"]), Record("张三", [PHONE], addresses=["福田区深南大道2000号"])),
        (
            Record("Arnie Morton's", addresses=["435 S. La Cienega Blvd."]),
            Record("arnie mortons", addresses=["435 s la cienega"]),
        ),
    ],
    ids=lambda record: record.name,
)
def test_one_customer_written_in_two_ways_is_found(one: Record, other: Record) -> None:
    assert compare(one, other).score >= POSSIBLE, compare(one, other)
    assert set(keys_of(one)) & set(keys_of(other))


@pytest.mark.parametrize(
    ("one", "other", "says"),
    [
        (Record("鹏程物流有限公司深圳分公司"), Record("鹏程物流有限公司广州分公司"), "branch_differs"),
        (Record("鹏程物流有限公司", [PHONE]), Record("鹏程物流有限公司深圳分公司", [PHONE_OTHER]), "branch_of_other"),
        (Record("华润万家（科技园店）", [PHONE]), Record("华润万家（福田店）", [PHONE]), "branch_differs"),
        (Record("深圳鹏程物流有限公司"), Record("上海鹏程物流有限公司"), "region_differs"),
        (Record("深圳鹏程物流有限公司"), Record("深圳鹏程科技有限公司"), "trade_differs"),
        (Record("第一机械厂"), Record("第二机械厂"), "name_number_differs"),
        (Record("深圳鹏程物流", credit_code=CODE), Record("深圳鹏程物流", credit_code=OTHER_CODE), "credit_code_differs"),
        (Record("深圳市物流有限公司"), Record("深圳市科技有限公司"), "name_differs"),
        (Record("Kepler Fruit"), Record("Newton Steel", addresses=["1 High Street"]), "name_differs"),
    ],
    ids=lambda value: value.name if isinstance(value, Record) else "",
)
def test_two_customers_that_look_alike_are_not_found(one: Record, other: Record, says: str) -> None:
    match = compare(one, other)

    assert match.score < POSSIBLE, match
    assert says in codes(match)


def test_equal_credit_codes_decide_whatever_else_is_said() -> None:
    match = compare(Record("鹏程", [PHONE], credit_code=CODE), Record("Newton Steel", [PHONE_OTHER], credit_code=CODE))

    assert (match.score, match.signs[0].code) == (100, "credit_code_same")
    assert {"name_differs", "phone_differs"} <= codes(match), "what speaks against is told all the same"


def test_how_far_two_sites_lie_apart_counts_in_metres() -> None:
    here = Position(22.54, 114.05)
    near, far = Position(22.5401, 114.05), Position(23.54, 114.05)
    name = "深圳鹏程物流"
    [near_sign] = [s for s in compare(Record(name, positions=[here]), Record(name, positions=[far, near])).signs if s.value][1:]
    [far_sign] = [s for s in compare(Record(name, positions=[here]), Record(name, positions=[far])).signs if s.value][1:]

    assert (near_sign.code, near_sign.value) == ("position_near", 11)
    assert far_sign.code == "position_far"
    assert far_sign.value == pytest.approx(110_700, abs=500)
    assert near_sign.bits > 0 > far_sign.bits


texts = st.text(st.sampled_from("深圳市鹏程物流有限公司分店(）abc 12"), max_size=14)
records = st.builds(
    Record,
    name=texts,
    phones=st.lists(st.sampled_from([PHONE, PHONE_SWAPPED, PHONE_OTHER]), max_size=2),
    emails=st.lists(st.sampled_from(["a@x.cn", "b@x.cn", "a@qq.com"]), max_size=2),
    addresses=st.lists(texts, max_size=2),
    positions=st.lists(st.sampled_from([Position(22.5, 114.0), Position(22.6, 114.0)]), max_size=2),
    credit_code=st.sampled_from([None, CODE, OTHER_CODE]),
)


@given(one=records, other=records)
def test_which_record_comes_first_makes_no_difference_and_every_sign_has_words(one: Record, other: Record) -> None:
    match, turned = compare(one, other), compare(other, one)

    assert match.score == turned.score
    assert {sign.code for sign in match.signs} == {sign.code for sign in turned.signs}
    assert 0 <= match.score <= 100
    for sign in match.signs:
        for locale in (EN, ZH):
            assert "{" not in sign_text(sign.code, sign.value, locale)


@given(record=records)
def test_a_record_is_like_itself_and_its_keys_fit_their_column(record: Record) -> None:
    assert compare(record, record).score >= POSSIBLE
    keys = keys_of(record)
    assert keys
    assert all(0 < len(key) <= 80 for key in keys)
    assert len(keys) == len(set(keys)) <= 60


def test_each_sign_is_used_and_says_the_same_in_both_languages() -> None:
    source = Path(matching.__file__).read_text(encoding="utf-8")
    assert [code for code in SIGNS if f'"{code}"' not in source] == []
    assert all(english.count("{}") == chinese.count("{}") for english, chinese in SIGNS.values())
    assert POSSIBLE < LIKELY


def test_names_are_taken_apart() -> None:
    branch = name_of("中国石油化工股份有限公司北京分公司")
    assert (branch.core, branch.branch) == ("石油", "北京")
    whole = name_of("深圳市鹏程物流（集团）股份有限公司")
    assert (whole.core, whole.region, whole.branch, whole.trades) == ("鹏程", "深圳", "", {"物流"})
    assert name_of("鹏程物流（广州）有限公司").region == "广州"
    assert name_of("深圳市物流有限公司").core == "物流", "its trade is all it has"
    assert name_of("便利店").core == "便利店"
    assert name_of("Siemens AG").core == name_of("SIEMENS").core == "siemens"
    assert address_of("科技园路１２号３栋").numbers == ("12", "3")
    assert syllables("鹏程") == syllables("朋城") == ("peng", "cheng")


def test_the_table_of_characters_holds_each_once_and_pairs_that_sound_alike() -> None:
    """A slip in so long a table would pair characters that have nothing to do with each other."""
    pairs = list(zip(characters._TRADITIONAL, characters._SIMPLIFIED, strict=True))
    assert len({old for old, _ in pairs}) == len(pairs) > 400
    sounds = [[set(pinyin(sign, style=Style.NORMAL, heteronym=True)[0]) for sign in pair] for pair in pairs]
    assert [pair for pair, (old, new) in zip(pairs, sounds, strict=True) if not old & new] == []


def test_the_check_sign_of_a_credit_code_sees_every_slip_of_one_sign() -> None:
    assert is_credit_code(CODE)
    assert is_credit_code(plain_code(" ９１３５０１００ｍ０００１００ｙ４３ "))
    signs = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    slips = [CODE[:i] + sign + CODE[i + 1 :] for i in range(18) for sign in signs if sign != CODE[i]]
    assert not any(map(is_credit_code, slips))
    assert not any(map(is_credit_code, ["", CODE[:-1], CODE + "0", CODE.replace("M", "I"), "统" * 18]))
