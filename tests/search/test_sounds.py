"""Names are found by how their characters are read in the words they stand in, wherever in the name they stand."""

from __future__ import annotations

import pytest

from tests.factories import World
from tests.people import Http

# word: how people read it, one syllable a character.
WORDS = {
    "银行": "yin hang",
    "商行": "shang hang",
    "行业": "hang ye",
    "重庆": "chong qing",
    "重工": "zhong gong",
    "重型": "zhong xing",
    "长沙": "chang sha",
    "长城": "chang cheng",
    "成长": "cheng zhang",
    "增长": "zeng zhang",
    "音乐": "yin yue",
    "乐器": "yue qi",
    "快乐": "kuai le",
    "可乐": "ke le",
    "还原": "huan yuan",
    "成都": "cheng du",
    "都市": "du shi",
    "厦门": "xia men",
    "大厦": "da sha",
    "单县": "shan xian",
    "单位": "dan wei",
    "解放": "jie fang",
    "解氏": "xie shi",
    "曾氏": "zeng shi",
    "朝阳": "chao yang",
    "调味": "tiao wei",
    "调度": "diao du",
    "空调": "kong tiao",
    "传动": "chuan dong",
    "传记": "zhuan ji",
    "弹簧": "tan huang",
    "西藏": "xi zang",
    "冷藏": "leng cang",
    "会计": "kuai ji",
    "大会": "da hui",
    "人参": "ren shen",
    "参茸": "shen rong",
    "学校": "xue xiao",
    "校准": "jiao zhun",
    "便宜": "pian yi",
    "便利": "bian li",
    "称重": "cheng zhong",
    "薄膜": "bo mo",
    "蚌埠": "beng bu",
    "六安": "lu an",
    "番禺": "pan yu",
    "东阿": "dong e",
    "台州": "tai zhou",
    "丽水": "li shui",
    "大埔": "da bu",
    "黄埔": "huang pu",
    "乐清": "yue qing",
    "给水": "ji shui",
    "供给": "gong ji",
    "角色": "jue se",
    "强盛": "qiang sheng",
    "模具": "mu ju",
    "模型": "mo xing",
    "粘合": "nian he",
    "血液": "xue ye",
    "湖泊": "hu po",
    "柏林": "bo lin",
    "塞北": "sai bei",
    "关卡": "guan qia",
    "咖啡": "ka fei",
    "绿洲": "lv zhou",
    "燕山": "yan shan",
}

# place in a name: the name, its initials, and the pinyin from a word of it on; {} stands for the word.
PLACES = {
    "start": ("{}海天贸易", "{}htmy", "{}haitianmaoyi"),
    "middle": ("深圳市海天{}贸易有限公司", "szsht{}my", "haitian{}maoyi"),
    "end": ("深圳市南山区海天实业{}", "szsnsqhtsy{}", "haitianshiye{}"),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_name_is_found_by_the_readings_its_words_have(http: Http, world: World, place: str) -> None:
    office = http.as_(world.manager)
    name, initials, pinyin = PLACES[place]
    for word in WORDS:
        office.post("/customers", {"name": name.format(word), "territory_id": world.territory}, 201)

    lost = []
    for word, sound in WORDS.items():
        syllables = sound.split()
        asked = (initials.format("".join(one[0] for one in syllables)), pinyin.format("".join(syllables))[:32])
        for one in asked:
            titles = [item["title"] for item in office.get(f"/search?q={one}&kinds=customer")["items"]]
            lost += [] if name.format(word) in titles else [(word, one)]
    assert lost == []
