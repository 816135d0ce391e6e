"""A made-up town in the open sea, for tests of what is drawn: rough polygons, issues of every kind."""

import math
import random
from datetime import date, timedelta
from typing import Any

import orjson
import shapely

from villagemap.maps import InlineTown, Links, TownView
from villagemap.model import BBox, Counts, Urgency
from villagemap.vocabulary import Vocabulary, load_vocabulary

TODAY = date(2022, 3, 20)
NAMES = ["石塘", "大洲", "南兴", "北岭", "东湾", "西坡", "下寮", "上埔", "沙尾", "盐田", "龙眼", "榕树"]


def ring(lon: float, lat: float, reach: float, rnd: random.Random) -> shapely.Polygon:
    phases = [rnd.uniform(0, math.tau) for _ in range(3)]
    points = []
    for step in range(48):
        turn = math.tau * step / 48
        waves = sum(0.1 / k * math.sin((k + 1) * turn + phase) for k, phase in enumerate(phases, 1))
        points.append((lon + reach * (1 + waves) * math.cos(turn), lat + reach * (1 + waves) * math.sin(turn)))
    return shapely.Polygon(points)


def feature(geometry: Any, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": shapely.geometry.mapping(geometry), "properties": properties}


def collection(features: list[dict[str, Any]]) -> bytes:
    return orjson.dumps({"type": "FeatureCollection", "features": features})


def sample_villages(town: shapely.Polygon, rnd: random.Random, text: str | None) -> list[dict[str, Any]]:
    west, south, east, north = town.bounds
    seats: list[shapely.Point] = []
    while len(seats) < len(NAMES):
        point = shapely.Point(rnd.uniform(west, east), rnd.uniform(south, north))
        if town.contains(point) and all(point.distance(other) > 0.012 for other in seats):
            seats.append(point)
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.MultiPoint(seats), extend_to=town))
    found = []
    for index, (seat, name) in enumerate(zip(seats, NAMES, strict=True)):
        area = next(cell for cell in cells if cell.contains(seat)).intersection(town)
        names = {"name": text or f"{name}村委会", "short_name": text or name}
        found.append(
            feature(area, code=f"99000100{index:04}", seat=[seat.x, seat.y], households=rnd.randrange(90, 900), **names)
        )
    return found


def sample_card(
    number: int, village: dict[str, Any], words: Vocabulary, rnd: random.Random, text: str | None
) -> dict[str, Any]:
    urgency = list(Urgency)[number % len(Urgency)]
    category = list(words.categories.values())[number % len(words.categories)]
    lon, lat = village["properties"]["seat"]
    left = {"overdue": -5, "near": 3}.get(urgency, 12)
    return {
        "id": f"0190-{number:04}",
        "number": f"HJ-{number:04}",
        "category": category.code,
        "subdefects": list(category.subdefects)[:1],
        "status": {"closed": "closed", "submitted": "submitted"}.get(urgency, "rectifying"),
        "urgency": str(urgency),
        "village": village["properties"]["name"],
        "place": text,
        "location_text": text or "村口水塘边",
        "description": text or "建筑垃圾和生活垃圾混堆，夹杂农药瓶。",
        "quantity_found": 12.0,
        "quantity_done": 5.0,
        "unit": text or category.unit,
        "found_on": str(TODAY - timedelta(days=20)),
        "sources": [text or "county_unannounced"],
        "due_on": str(TODAY + timedelta(days=left)),
        "days_left": left,
        "lead_unit": text or category.lead,
        "responsible": text or "",
        "claimed_closed_on": "2022-03-18" if urgency == "submitted" else None,
        "closed_on": "2022-03-15" if urgency == "closed" else None,
        "interim_on": "2022-03-10" if number % 11 == 0 else None,
        "located": "inside",
        "lon": round(lon + rnd.gauss(0, 0.003), 7),
        "lat": round(lat + rnd.gauss(0, 0.003), 7),
        "photos": [{"stage": "before", "href": text}] if text else [],
        "events": [
            {"seq": 1, "at": "2022-03-12T02:00:00Z", "kind": text or "issue.return", "actor": "", "note": text or ""}
        ],
    }


def sample_view(
    lang: str = "zh",
    *,
    issues: int = 300,
    text: str | None = None,
    links: Links | None = None,
    words: Vocabulary | None = None,
    **parts: Any,
) -> TownView:
    """A view of the town; ``text`` stands in for every word that a user could have written."""
    rnd, words = random.Random(7), words or load_vocabulary()
    town = ring(111.3, 20.75, 0.05, rnd)
    villages = sample_villages(town, rnd, text)
    cards = [sample_card(i, villages[i % 8], words, rnd, text) for i in range(issues)]
    west, south, east, north = town.bounds
    inline = InlineTown(
        boundary=orjson.dumps(feature(town, code=text or "990001", name=text or "海角镇")),
        villages=collection(villages),
        neighbours=collection([feature(ring(111.42, 20.75, 0.05, rnd).difference(town), code="990002")]),
        cards=cards,
    )
    given: dict[str, Any] = {
        "code": text or "990001",
        "name": text or "海角镇",
        "county_name": text or "示例县",
        "lang": lang,
        "today": TODAY,
        "data_on": date(2022, 3, 19),
        "bbox": BBox(west, south, east, north),
        "counts": Counts(found=issues, open=250, overdue=50, claimed=95, verified=50, unlocated=7, outside=4),
        "vocabulary": words,
        "links": links,
        "inline": None if links else inline,
    }
    return TownView(**given | parts)
