"""The texts of the section on datums, in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from app.core.locales import EN, ZH
from app.positions.regions import Region

WORDS: Mapping[str, Mapping[str, str]] = {
    EN: {
        "pairs": "from → to|pairs|median error, m|largest error, m|where|over the aim",
        "cases": "case|from → to|ours off, m|allowed, °|forward off, m|verdict",
        "borders": "town in the mainland|GCJ-02 shift, m|BD-09 shift, m|and back, m|neighbour|km away|GCJ-02 shift, m"
        "|BD-09 shift, m|and back, m|as it should be",
        "special": "place|region|GCJ-02 shift, m|BD-09 shift, m|and back, m|only the mainland: GCJ-02, m"
        "|only the mainland: BD-09, m|as it should be",
        "met": "met",
        "missed": "MISSED",
        "contradicts": "contradicts the formula",
        "right": "yes",
        "wrong": "NO",
        Region.MAINLAND: "mainland",
        Region.HONG_KONG: "Hong Kong",
        Region.MACAO: "Macao",
        Region.TAIWAN: "Taiwan",
        Region.ELSEWHERE: "elsewhere",
        "text": """\
Chinese maps show places shifted: in GCJ-02, and in BD-09 on top of it. `app/positions/datum.py` brings what a phone tells back to
WGS-84. *Aim*: every public pair within {aim} m, and no shift outside of the regions the deployment names; here
`FIELDLOOP_SHIFTED_REGIONS={regions}`. Distances are geodesic. Nothing is drawn by chance.

Data: {count} cities with their numbers in all three datums, and unit cases, from the tests of gcoord and eviltransform (both MIT
licence). The last two rows go to WGS-84 and back again, and are held against the numbers begun with.

{pairs}

The error from GCJ-02 is nearly the same step everywhere: on average {north} m northwards and {east} m eastwards, with a standard
deviation of at most {spread} m. Taken for WGS-84, the GCJ-02 numbers would be {gcj02_least} to {gcj02_most} m off and the
BD-09 numbers {bd09_least} to {bd09_most} m.

*Forward*: how far the published WGS-84 result, brought back by the published forward formula, is from the numbers the case begins
with. Where that is more than the case itself allows, the case contradicts the formula, no exact inverse can meet it, and it is
not counted: {contradicting}. A longitude of 183° is taken as -177°, the same meridian; the product's doors refuse it.

{cases}

Towns of the mainland and their neighbours in other countries (coordinates: GeoNames, CC BY 4.0). A town must be shifted and found
again within {aim} m; a neighbour must stay where it is, whatever datum is told. Where a border is nearer than the shift, a
position may be on either side, and both readings are kept: so at {either} of the {places} places. Other borders, and cities
inside the box by which simpler programs shift (Seoul, Hanoi), are in `tests/positions/test_datum.py`.

{borders}

Hong Kong, Macao and Taiwan, with the mainland beside them. Taiwan is not shifted; whether Hong Kong and Macao are is a setting:
*only the mainland* is a deployment that names no other region.

{special}
""",
    },
    ZH: {
        "pairs": "换算|数量|误差中位数（米）|最大误差（米）|最大误差所在|超出目标",
        "cases": "用例|换算|我方相差（米）|允许误差（°）|正向核对相差（米）|结论",
        "borders": "内地城镇|GCJ-02 偏移（米）|BD-09 偏移（米）|换算回来的误差（米）|邻国地点|相距（公里）"
        "|GCJ-02 偏移（米）|BD-09 偏移（米）|换算回来的误差（米）|符合预期",
        "special": "地点|区域|GCJ-02 偏移（米）|BD-09 偏移（米）|换算回来的误差（米）"
        "|仅内地时：GCJ-02（米）|仅内地时：BD-09（米）|符合预期",
        "met": "符合",
        "missed": "不符",
        "contradicts": "与公式矛盾",
        "right": "是",
        "wrong": "否",
        Region.MAINLAND: "内地",
        Region.HONG_KONG: "香港",
        Region.MACAO: "澳门",
        Region.TAIWAN: "台湾",
        Region.ELSEWHERE: "境外",
        "text": """\
中国的地图显示的位置带有偏移：GCJ-02，以及在其上再次偏移的 BD-09。
`app/positions/datum.py` 将手机上报的坐标换算回 WGS-84。
目标：每一组公开坐标的误差不超过 {aim} 米，且在部署所列区域之外不作偏移；此处为 `FIELDLOOP_SHIFTED_REGIONS={regions}`。
距离均为大地线长度。本节没有随机成分。

数据：{count} 个城市在三种坐标系下的坐标，以及若干单元用例，取自 gcoord 与 eviltransform 的测试（均为 MIT 许可）。
末两行先换算到 WGS-84 再换算回来，与出发的数值比较。

{pairs}

由 GCJ-02 换算的误差处处几乎相同：平均向北 {north} 米、向东 {east} 米，标准差不超过 {spread} 米。若把这些数值直接当作 WGS-84，
GCJ-02 将偏离 {gcj02_least} 至 {gcj02_most} 米，BD-09 将偏离 {bd09_least} 至 {bd09_most} 米。

“正向核对”：把公开的 WGS-84 结果用公开的正向公式换算回去，与用例的输入比较。若相差超过用例自身允许的误差，则该用例与公式矛盾，
任何精确的逆变换都无法满足，因此不计入：{contradicting}。经度 183° 按同一条经线 -177° 处理；产品的接口会拒绝这样的经度。

{cases}

内地城镇与邻国地点（坐标取自 GeoNames，CC BY 4.0）。城镇必须有偏移，且换算回来的误差不超过 {aim} 米；邻国地点无论声称何种坐标系，
都必须保持原位。若边界比偏移量更近，位置可能在任何一侧，两种解读都会保留：{places} 个地点中有 {either} 个如此。
其他边境地点，以及落在简易程序所用矩形范围之内的城市（首尔、河内），见 `tests/positions/test_datum.py`。

{borders}

香港、澳门、台湾，以及与之相邻的内地地点。台湾不作偏移；香港与澳门是否偏移由设置决定，“仅内地时”即部署只列出内地时的结果。

{special}
""",
    },
}
