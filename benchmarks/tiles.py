"""The tiles that a viewport asks for, over HTTP with one kept-alive connection, without any cache of a browser."""

import http.client
import json
import math
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit

from serving import served
from table import Row

ROUNDS = 15
VIEWPORT = (1280, 800)
TILE = 512
Tile = tuple[int, int, int]
Box = tuple[float, float, float, float]


def rows(workspace: Path, count: int) -> list[Row]:
    """Median answer for each tile of the county's view, of one town's view, and of a view within that town."""
    with served(workspace) as address:
        connection = http.client.HTTPConnection(urlsplit(address).netloc)
        towns = json.loads(_asked(connection, "/collections/towns/items?limit=1000"))["features"]
        boxes = {town["properties"]["code"]: _box(town) for town in towns}
        whole = _around(list(boxes.values()))
        first = _once(connection, _viewport(whole), "")
        code = max(boxes, key=lambda town: _size(boxes[town]))
        only = f"?town={quote(code)}"
        county = _answers(connection, _viewport(whole), "")
        town = _answers(connection, _viewport(boxes[code]), only)
        near = _answers(connection, _viewport(_middle(boxes[code])), only)
    work = f"tile at {count:,} issues"
    return [
        Row(work=f"{work}, county's view", figure=_p50(county), unit="ms", most=60, notes=_told(county)),
        Row(work=f"{work}, a town's view", figure=_p50(town), unit="ms", most=10, notes=_told(town)),
        Row(work=f"{work}, within a town", figure=_p50(near), unit="ms", most=10, notes=_told(near)),
        Row(work=f"{work}, the first after a start", figure=max(first), unit="ms", notes="builds the index of tiles"),
    ]


def _told(times: Sequence[float]) -> str:
    worst = statistics.quantiles(times, n=20)[-1]
    return f"p95 {worst:.1f} ms of {len(times)} answers"


def _p50(times: Sequence[float]) -> float:
    return statistics.median(times)


def _answers(connection: http.client.HTTPConnection, tiles: Sequence[Tile], query: str) -> list[float]:
    return [each for _ in range(ROUNDS) for each in _once(connection, tiles, query)]


def _once(connection: http.client.HTTPConnection, tiles: Sequence[Tile], query: str) -> list[float]:
    """Milliseconds for each tile."""
    times = []
    for zoom, x, y in tiles:
        began = time.perf_counter()
        _asked(connection, f"/tiles/issues/{zoom}/{x}/{y}{query}")
        times.append((time.perf_counter() - began) * 1000)
    return times


def _asked(connection: http.client.HTTPConnection, path: str) -> bytes:
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != http.client.OK:
        raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
    return body


def _box(feature: dict) -> Box:
    points = [point for ring in _rings(feature["geometry"]["coordinates"]) for point in ring]
    lon, lat = zip(*points, strict=True)
    return min(lon), min(lat), max(lon), max(lat)


def _rings(coordinates: list) -> list:
    """Rings of a polygon or multipolygon."""
    if isinstance(coordinates[0][0][0], float | int):
        return coordinates
    return [ring for polygon in coordinates for ring in polygon]


def _around(boxes: Sequence[Box]) -> Box:
    west, south, east, north = zip(*boxes, strict=True)
    return min(west), min(south), max(east), max(north)


def _middle(box: Box) -> Box:
    """The inner eighth of a box, which is what people see after three steps of zoom."""
    west, south, east, north = box
    lon, lat, half_lon, half_lat = (west + east) / 2, (south + north) / 2, (east - west) / 16, (north - south) / 16
    return lon - half_lon, lat - half_lat, lon + half_lon, lat + half_lat


def _size(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _viewport(box: Box) -> list[Tile]:
    """The 512-pixel tiles of a map that shows all of a box in a window of `VIEWPORT` pixels."""
    west, south, east, north = box
    (left, top), (right, bottom) = _mercator(west, north), _mercator(east, south)
    zoom = int(min(math.log2(VIEWPORT[0] / TILE / (right - left)), math.log2(VIEWPORT[1] / TILE / (bottom - top))))
    world = 2**zoom
    middle = (left + right) / 2 * world, (top + bottom) / 2 * world
    spans = [(at - size / TILE / 2, at + size / TILE / 2) for at, size in zip(middle, VIEWPORT, strict=True)]
    (x0, x1), (y0, y1) = [(math.floor(first), math.floor(last)) for first, last in spans]
    return [(zoom, x, y) for x in range(x0, x1 + 1) for y in range(y0, y1 + 1)]


def _mercator(lon: float, lat: float) -> tuple[float, float]:
    """Web-mercator position between 0 and 1."""
    sine = math.sin(math.radians(lat))
    return lon / 360 + 0.5, 0.5 - math.log((1 + sine) / (1 - sine)) / (4 * math.pi)
