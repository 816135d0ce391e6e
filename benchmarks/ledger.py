"""A ledger of any length from a seed: Chinese columns, the words of offices, places of the sample county."""

import csv
import json
import random
from datetime import date, timedelta
from pathlib import Path

GEODATA = Path(__file__).parents[1] / "geodata"
COLUMNS = (
    "编号", "来源", "发现日期", "镇", "村委会", "位置描述", "经度", "纬度", "二级类别",
    "问题描述", "数量", "整改时限", "整改状态", "完成日期",
)  # fmt: skip
CATEGORIES = (
    "垃圾乱扔乱放",
    "杂物乱堆",
    "应拆未拆旱厕",
    "家禽散养",
    "公厕异味严重",
    "破损篱笆乱堆",
    "应拆未拆泥砖房",
    "垃圾收集点破损",
)
SOURCES = ("大排查", "县督查暗访", "自查自评", "群众反映")
DONE = "已销号"
STATUSES = ("已立账", "整改中", "整改中", DONE)
SPOTS = ("村口", "祠堂旁", "晒谷场边", "鱼塘边", "小学围墙外", "村道拐弯处")
FIRST_DAY = date(2026, 1, 1)


def write_ledger(path: Path, rows: int, seed: int = 1) -> Path:
    """``rows`` rows in 14 columns, UTF-8; every position lies within about 60 m of a hamlet of its village."""
    dice = random.Random(seed)
    places = _places()
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number in range(1, rows + 1):
            town, village, hamlet, lon, lat = dice.choice(places)
            found = FIRST_DAY + timedelta(days=dice.randrange(79))
            category = dice.choice(CATEGORIES)
            spot, status = dice.choice(SPOTS), dice.choice(STATUSES)
            due = found + timedelta(days=dice.randrange(3, 40))
            done = found + timedelta(days=dice.randrange(1, 30))
            writer.writerow(
                (
                    number, dice.choice(SOURCES), found.isoformat(), town, village, hamlet + spot,
                    f"{lon + dice.uniform(-6e-4, 6e-4):.6f}", f"{lat + dice.uniform(-6e-4, 6e-4):.6f}", category,
                    f"{hamlet}{spot}{category}，约{dice.randrange(1, 40)}处", dice.randrange(1, 9),
                    due.isoformat(), status, done.isoformat() if status == DONE else "",
                )
            )  # fmt: skip
    return path


def _places() -> list[tuple[str, str, str, float, float]]:
    """Town, village, hamlet, lon, lat of every hamlet."""
    towns, villages, hamlets = (
        json.loads((GEODATA / f"{name}.geojson").read_text(encoding="utf-8"))["features"]
        for name in ("towns", "villages", "hamlets")
    )
    names = {f["properties"]["code"]: f["properties"]["name"] for f in (*towns, *villages)}
    parents = {f["properties"]["code"]: f["properties"]["parent_code"] for f in villages}
    return [
        (names[parents[p["parent_code"]]], names[p["parent_code"]], p["name"], *f["geometry"]["coordinates"])
        for f in hamlets
        for p in (f["properties"],)
    ]
