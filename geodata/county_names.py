"""Names of the fictional county. No stem is a town or village name anywhere in China's 2023 statistical list."""

import numpy as np

COUNTY = "澜屿县"
COUNTY_CODE = "449923"
SLUG = "demo"

TOWNS: tuple[tuple[str, str, str, float, float, int, float], ...] = (
    # code, name, short name, x and y of the seat (km), villages, head start of its area (km)
    ("001", "屿城街道", "屿城", 28.6, 32.0, 36, -2.6),
    ("100", "汐口镇", "汐口", 25.5, 24.0, 27, 1.5),
    ("101", "灯屿镇", "灯屿", 22.8, 14.5, 24, 1.5),
    ("102", "鲎湾镇", "鲎湾", 13.0, 7.0, 24, 0.0),
    ("103", "荔汀镇", "荔汀", 7.5, 17.5, 21, 0.0),
    ("104", "稻浦镇", "稻浦", 15.5, 19.0, 28, -0.5),
    ("105", "苇塍镇", "苇塍", 15.0, 27.5, 25, 0.0),
    ("106", "楝溪镇", "楝溪", 16.0, 36.5, 22, -0.5),
    ("107", "霁山镇", "霁山", 9.0, 46.5, 15, 0.5),
    ("108", "蕉岚镇", "蕉岚", 22.0, 46.5, 17, 1.0),
    ("109", "榕汐镇", "榕汐", 39.0, 31.0, 31, 0.5),
    ("110", "云葭镇", "云葭", 34.5, 44.5, 20, -0.5),
    ("111", "桐鲤镇", "桐鲤", 43.5, 41.0, 22, 2.0),
    ("112", "鹭汀镇", "鹭汀", 55.0, 42.5, 26, 1.0),
    ("113", "望澜镇", "望澜", 40.5, 23.0, 12, 1.8),
)

FIRST = "汐鹭榕蚝桄霁岚芷蘅葭榉桤椿楝樨鲎鲻鳐蛏蚬砗屿澜漪沅荻芡菱蓼荇苇萤鸢鹳鸥凫鸬梓楠槿橄榄稻黍粟帆桅锚"
BY_THE_SEA = "埠湾港埕洲澳围厝"
INLAND = "塘坡埇墩垌屋寮坑田岭头尾园潭溪洋桥井陂陇沥"
MIDDLE = ("上", "下", "大", "西", "东")
_REAL = """
鹭溪 鹭洲 榕垌 榕岭 榕头 榕溪 榕桥 岚田 岚头 岚溪 岚桥 芷湾 芷寮 芷田 芷溪 芷陂 榉溪 蚬港 屿田 屿岭 屿头 澜湾
澜溪 沅潭 沅溪 沅洲 荻田 荻溪 荻港 菱塘 菱田 菱溪 蓼塘 蓼坑 蓼园 蓼洲 荇塘 苇塘 苇湾 苇坑 苇田 苇园 凫塘 凫田
凫潭 凫溪 梓塘 梓坑 梓田 梓园 梓溪 梓桥 梓洲 楠垌 楠溪 楠桥 楠洲 榄塘 稻湾 稻田 稻园 稻港 粟塘 粟田
"""
REAL = frozenset(_REAL.split())
"""Stems that would be somebody's real village."""

REPEATED = 11
"""So many short names stand for villages of two towns (the last of them of three)."""

HAMLET_FORMS = (
    "{}村",
    "{}仔",
    "上{}",
    "下{}",
    "{}尾",
    "新{}",
    "{}头村",
    "老{}",
    "{}坡",
    "{}园",
    "{}东",
    "{}西",
    "{}塘边",
)


def village_stems(by_the_sea: list[bool], towns: list[int], rng: np.random.Generator) -> list[str]:
    """A short name for each village, in order; unique but for the repeats between towns."""
    used = {short for _, _, short, *_ in TOWNS}
    stems: list[str] = []
    for coastal in by_the_sea:
        stem = _stem(coastal, rng)
        while stem in used or stem in REAL:
            stem = _stem(coastal, rng)
        used.add(stem)
        stems.append(stem)
    return _repeat_some(stems, towns, rng)


def _stem(coastal: bool, rng: np.random.Generator) -> str:
    endings = BY_THE_SEA if coastal and rng.random() < 0.7 else INLAND
    stem = FIRST[rng.integers(len(FIRST))] + endings[rng.integers(len(endings))]
    return str(rng.choice(MIDDLE)) + stem if rng.random() < 0.08 else stem


def _repeat_some(stems: list[str], towns: list[int], rng: np.random.Generator) -> list[str]:
    """Give `REPEATED` villages the short name of a village in another town; one name stands three times."""
    order = rng.permutation(len(stems)).tolist()
    pairs = 0
    taken: set[int] = set()
    for one in order:
        others = [o for o in order if o not in taken and o != one and towns[o] != towns[one]]
        if one in taken or one not in order[: len(order) // 2]:
            continue
        copies = (
            others[:1] if pairs < REPEATED - 1 else [o for o in others if towns[o] != towns[others[0]]][:1] + others[:1]
        )
        for other in copies:
            stems[other] = stems[one]
        taken.update([one, *copies])
        pairs += 1
        if pairs == REPEATED:
            return stems
    raise ValueError("too few villages for the repeats")


def hamlet_names(stem: str, count: int, used: set[str], rng: np.random.Generator) -> list[str]:
    """Names of a village's hamlets: the village's own first, then its variants and stems of their own."""
    names = [f"{stem}村"]
    while len(names) < count:
        form = HAMLET_FORMS[1 + rng.integers(len(HAMLET_FORMS) - 1)]
        own = _stem(coastal=False, rng=rng)
        name = form.format(stem) if rng.random() < 0.55 else own + ("村" if rng.random() < 0.7 else "仔村")
        if name not in names and not (own in used and own in name) and own not in REAL:
            names.append(name)
    return names
