"""The map of a day, for paper: ground, route with arrows, numbered stops, scale and north, as SVG without any text.

Texts are handed back beside it with their places, and whoever prints sets them: so no name can become markup. Greys and
one blue that is darker than all of them: it reads in black and white. Millimetres on paper, y down.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import shapely

from villagemap.sheets.placing import Board, Box, Spot, emptiest_corner, size_of
from villagemap.sheets.view import Ground, Line, PlanView, Point, RouteView, Shape
from villagemap.sheets.words import one_line
from villagemap.texts import text

WIDTH = 186.0
"""Of an A4 page between its margins."""

LOWEST, HIGHEST = 78.0, 112.0
_PADDING = 9.0
_METRES = 111_320.0
"""Of a degree along the equator (WGS 84, to 0.02 %)."""

_LEAST_ACROSS_M = 1200.0
_POINTS = 9.0
_FINE = 0.08
"""Detail that paper doesn't show."""

_ASIDE = 0.75
"""A leg is drawn that far to its right, so that there and back lie beside each other."""

_BLUE = "#2166AC"
_INK = "#111827"

_AREAS = {Ground.NEIGHBOUR: "#ECECE8", Ground.WATER: "#BFD7EA"}
_STROKES = {
    Ground.STREAM: (("#BFD7EA", 0.6),),
    Ground.VILLAGE: (("#B4B8BD", 0.15),),
    Ground.ROAD_MINOR: (("#D3D6DA", 0.4),),
    Ground.ROAD_MIDDLE: (("#B9BDC3", 0.7),),
    Ground.ROAD_MAJOR: (("#969BA3", 1.0),),
    Ground.TOWN: (("#FFFFFF", 1.1), ("#6B7280", 0.4)),
}
_BORDERS = {Ground.VILLAGE, Ground.TOWN}


@dataclass(frozen=True, slots=True)
class Label:
    """A text and its place: the middle, and the room that it was given."""

    said: str
    box: Box
    style: str
    """``number``, ``depot``, ``name``, ``town`` or ``scale``."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn map."""

    width: float
    height: float
    svg: str
    labels: tuple[Label, ...]


def draw_map(view: PlanView, route: RouteView) -> Picture | None:
    """The map of a day; None where no stop has a position."""
    spots = [call.at for call in route.calls if call.at]
    if not spots:
        return None
    return _Drawing(view, route, [*spots, *(at for at in (route.start.at, route.end.at) if at)]).picture()


@dataclass(slots=True)
class _Frame:
    """Degrees to millimetres: a plate carrée true to scale in the middle of the map."""

    lon: float
    lat: float
    mm_per_m: float
    height: float

    @classmethod
    def around(cls, points: Sequence[Point]) -> "_Frame":
        lons, lats = np.array(points).T
        lon, lat = float(lons.min() + lons.max()) / 2, float(lats.min() + lats.max()) / 2
        across = max(float(np.ptp(lons)) * _METRES * math.cos(math.radians(lat)), _LEAST_ACROSS_M)
        along = max(float(np.ptp(lats)) * _METRES, 1.0)
        room = WIDTH - 2 * _PADDING
        height = min(max(room * along / across + 2 * _PADDING, LOWEST), HIGHEST)
        return cls(lon, lat, min(room / across, (height - 2 * _PADDING) / along), height)

    def onto(self, points: Any) -> Any:  # noqa: ANN401 - numpy in, numpy out, as shapely wants it
        scale = _METRES * self.mm_per_m
        x = WIDTH / 2 + (points[:, 0] - self.lon) * scale * math.cos(math.radians(self.lat))
        return np.column_stack([x, self.height / 2 - (points[:, 1] - self.lat) * scale])

    def spot(self, at: Point) -> Spot:
        x, y = self.onto(np.array([at]))[0]
        return float(x), float(y)

    def line(self, points: Sequence[Point]) -> Any:  # noqa: ANN401 - shapely has no types
        return shapely.simplify(shapely.linestrings(self.onto(np.array(points))), _FINE)

    def ground(self, shapes: Sequence[Shape]) -> Any:  # noqa: ANN401 - see `line`
        """What of the shapes lies near the sheet, on paper."""
        found = shapely.from_wkb(np.array([shape.wkb for shape in shapes], object))
        scale = _METRES * self.mm_per_m
        half_x = WIDTH / 2 / scale / math.cos(math.radians(self.lat))
        half_y = self.height / 2 / scale
        sheet = shapely.box(self.lon - half_x, self.lat - half_y, self.lon + half_x, self.lat + half_y)
        return shapely.transform(found[shapely.intersects(found, sheet)], self.onto)


class _Drawing:
    def __init__(self, view: PlanView, route: RouteView, points: Sequence[Point]) -> None:
        self.view, self.route = view, route
        # legs belong to it too, but one that strays far must not shrink the rest to a blot
        lines = [point for leg in _legs(route) for point in leg[0]]
        self.frame = _Frame.around([*points, *_near(points, lines)])
        self.board = Board(WIDTH, self.frame.height)
        self.labels: list[Label] = []
        self.dots = [self.frame.spot(at) for at in points]

    def picture(self) -> Picture:
        height = self.frame.height
        legs = [(self.frame.line(line), known) for line, known in _legs(self.route)]
        ways = shapely.multilinestrings([line for line, _ in legs]) if legs else shapely.multilinestrings([])
        corner = emptiest_corner(self.board, (52, 9), self.dots, ways)
        marks = [*self.stops(), *self.depots()]
        self.names(ways)
        size = f'width="{WIDTH}mm" height="{height:.2f}mm"'
        whole = f'<rect width="{WIDTH}" height="{height:.2f}"'
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.2f}" {size}>',
            f'<clipPath id="sheet">{whole}/></clipPath><g clip-path="url(#sheet)">',
            f'{whole} fill="#FAFAF7"/>',
            *self.ground(),
            *_route_lines(legs, self.board.taken),
            "</g>",
            *(f'<circle cx="{x:.2f}" cy="{y:.2f}" r="0.8" fill="{_INK}"/>' for x, y in self.dots),
            *marks,
            *self.scale(corner),
            f'{whole} fill="none" stroke="#4B5563" stroke-width="0.3"/></svg>',
        ]
        return Picture(WIDTH, height, "".join(parts), tuple(self.labels))

    def ground(self) -> Iterator[str]:
        sheet = (-1.0, -1.0, WIDTH + 1, self.frame.height + 1)
        for kind in Ground:
            shapes = [shape for shape in self.view.ground if shape.kind is kind]
            found = self.frame.ground(shapes) if shapes else []
            if not len(found):
                continue
            if kind in _AREAS:
                areas = shapely.simplify(shapely.clip_by_rect(shapely.make_valid(found), *sheet), _FINE)
                yield f'<path d="{_path(areas)}" fill="{_AREAS[kind]}" fill-rule="evenodd"/>'
                continue
            is_area = shapely.get_dimensions(found) > 1
            lines = np.where(is_area, shapely.boundary(found), found)
            lines = shapely.clip_by_rect(lines, *sheet)
            # neighbours share a border: drawn twice, its dashes would fill each other's gaps
            merged = shapely.line_merge(shapely.union_all(lines)) if kind in _BORDERS else lines
            yield from self.strokes(kind, _path(np.atleast_1d(shapely.simplify(merged, _FINE))))

    def strokes(self, kind: Ground, path: str) -> Iterator[str]:
        for colour, width in _STROKES[kind]:
            dashed = ' stroke-dasharray="1.6 0.9"' if self.view.approximate and kind in _BORDERS else ""
            yield f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dashed}/>'

    def stops(self) -> Iterator[str]:
        """Each number on its stop where there is room, else beside it with a line that leads there."""
        for call in self.route.calls:
            if call.at is None:
                continue
            spot = self.frame.spot(call.at)
            box = self.board.put_near(spot, (max(5.2, 1.9 * len(str(call.order)) + 1.6), 5.2), self.dots)
            yield from _leader(spot, box)
            yield _pill(box, 2.6, "#FFFFFF", _INK, 0.55 if call.must else 0.3)
            self.labels.append(Label(str(call.order), box, "number"))

    def depots(self) -> Iterator[str]:
        start, end, lang = self.route.start, self.route.end, self.view.lang
        same = start.at == end.at
        for depot, key in ((start, "both"),) if same else ((start, "start"), (end, "end")):
            if depot.at is None:
                continue
            said, spot = text(f"sheets.map.{key}", lang), self.frame.spot(depot.at)
            width, _ = size_of(said, _POINTS)
            box = self.board.put_near(spot, (width + 1.6, 5.2), self.dots)
            yield from _leader(spot, box)
            yield _pill(box, 0.5, _INK, _INK, 0.3)
            self.labels.append(Label(said, box, "depot"))

    def names(self, ways: Any) -> None:  # noqa: ANN401 - shapely has no types
        """Towns, then stops, as far as there is room: the table has them all."""
        self.board.taken += [Box(*dot, 1, 1) for dot in self.dots]
        badges = [label.box for label in self.labels if label.style == "number"]
        for call, badge in zip([call for call in self.route.calls if call.at], badges, strict=True):
            said = _shortened(one_line(call.name), 10)
            box = self.board.put_beside(badge, size_of(said, _POINTS), ways)
            if box:
                self.labels.append(Label(said, box, "name"))
        sheet = shapely.box(0, 0, WIDTH, self.frame.height)
        for shape in self.view.ground:
            if shape.kind is not Ground.TOWN or not shape.name:
                continue
            for area in self.frame.ground([shape]):
                seen = shapely.intersection(shapely.make_valid(area), sheet)
                middle = shapely.point_on_surface(seen)
                box = Box(float(shapely.get_x(middle)), float(shapely.get_y(middle)), *size_of(shape.name, 11))
                if self.board.free(box) and not shapely.intersects(box.shape(), ways):
                    self.board.taken.append(box)
                    self.labels.append(Label(_shortened(one_line(shape.name), 10), box, "town"))

    def scale(self, corner: Box) -> Iterator[str]:
        """A bar of a round length and an arrow to the north (the map's top)."""
        metres = _round_length(34 / self.frame.mm_per_m)
        length, left, low = metres * self.frame.mm_per_m, corner.x - 24, corner.y + 2.6
        said = f"{metres / 1000:g}\u202fkm" if metres >= 1000 else f"{metres:g}\u202fm"  # noqa: PLR2004 - a kilometre
        yield _pill(corner, 0.8, "#FFFFFF", "#FFFFFF", 0.1)
        yield (
            f'<path d="M{left:.2f},{low - 1:.2f}v1h{length:.2f}v-1M{left + length / 2:.2f},{low:.2f}v-1" fill="none"'
            f' stroke="{_INK}" stroke-width="0.3"/>'
        )
        x, y = corner.x + 21.5, corner.y
        yield f'<path d="M{x:.2f},{y - 4:.2f}l2,4.6l-2,-1.2l-2,1.2z" fill="{_INK}"/>'
        self.labels.append(Label(said, Box(left + length / 2, low - 3.2, max(length, 16), 3.6), "scale"))
        self.labels.append(Label(text("sheets.map.north", self.view.lang), Box(x, y + 2.6, 4, 3.6), "scale"))


def _legs(route: RouteView) -> Iterator[tuple[Line, bool]]:
    """Geometry of each leg, and whether it is known: else a straight line from stop to stop."""
    ends = [route.start.at, *(call.at for call in route.calls), route.end.at]
    lines = [*(call.line for call in route.calls), route.back_line]
    for (start, end), line in zip(pairwise(ends), lines, strict=True):
        if len(line) > 1:
            yield line, True
        elif start and end and start != end:
            yield (start, end), False


def _near(points: Sequence[Point], line: Sequence[Point]) -> list[Point]:
    """Corners of what of a line lies no further from the points than half of what they span."""
    if not line:
        return []
    found, along = np.array(points), np.array(line)
    low, high = found.min(axis=0), found.max(axis=0)
    room = np.maximum(np.max(high - low) / 2, 0.005)
    along = np.clip(along, low - room, high + room)
    corners = along.min(axis=0), along.max(axis=0)
    return [(float(lon), float(lat)) for lon, lat in corners]


def _route_lines(legs: Sequence[tuple[Any, bool]], marks: Sequence[Box]) -> Iterator[str]:
    aside = []
    for line, known in legs:
        moved = shapely.offset_curve(line, _ASIDE, join_style="mitre", mitre_limit=1.5)
        # of a tight knot nothing may be left on that side
        whole = moved if shapely.length(moved) > 0.7 * shapely.length(line) else line
        aside.append((whole, known))
    casing = _path(np.array([line for line, _ in aside], object))
    yield f'<path d="{casing}" fill="none" stroke="#FFFFFF" stroke-width="1.9" stroke-linejoin="round"/>'
    for line, known in aside:
        dashed = "" if known else ' stroke-dasharray="2 1.2"'
        path = _path(np.array([line], object))
        yield f'<path d="{path}" fill="none" stroke="{_BLUE}" stroke-width="1" stroke-linejoin="round"{dashed}/>'
    for line, _ in aside:
        yield from _arrows(line, marks)


def _arrows(line: Any, marks: Sequence[Box]) -> Iterator[str]:  # noqa: ANN401 - shapely has no types
    """Which way it goes: one arrow a leg, more on a long one, none below a number."""
    length = float(shapely.length(line))
    count = max(1, int(length // 45))
    if shapely.get_type_id(line) != 1 or length < 3:  # noqa: PLR2004 - a line string; mm
        return
    for number in range(count):
        for nudge in (0.4, 0.3, 0.6, 0.2, 0.8):
            at = length * (number + nudge) / count
            before, here = (shapely.line_interpolate_point(line, max(at + back, 0)) for back in (-0.6, 0.6))
            x, y = float(shapely.get_x(here)), float(shapely.get_y(here))
            if any(Box(x, y, 2, 2).meets(mark, 0) for mark in marks):
                continue
            turn = math.degrees(math.atan2(y - float(shapely.get_y(before)), x - float(shapely.get_x(before))))
            yield (
                f'<path d="M1.5,0L-1.5,1.5L-0.8,0L-1.5,-1.5z" fill="{_BLUE}" stroke="#FFFFFF" stroke-width="0.25"'
                f' transform="translate({x:.2f} {y:.2f}) rotate({turn:.1f})"/>'
            )
            break


def _leader(spot: Spot, box: Box) -> Iterator[str]:
    if (box.x, box.y) != spot:
        yield (
            f'<path d="M{spot[0]:.2f},{spot[1]:.2f}L{box.x:.2f},{box.y:.2f}" stroke="{_INK}" stroke-width="0.25"'
            ' fill="none"/>'
        )


def _pill(box: Box, radius: float, fill: str, stroke: str, width: float) -> str:
    return (
        f'<rect x="{box.x - box.width / 2:.2f}" y="{box.y - box.height / 2:.2f}" width="{box.width:.2f}"'
        f' height="{box.height:.2f}" rx="{radius}" fill="{fill}" stroke="{stroke}" stroke-width="{width}"/>'
    )


def _path(shapes: Any) -> str:  # noqa: ANN401 - shapely has no types
    """SVG path of lines and areas, to a hundredth of a millimetre."""
    parts = shapely.get_parts(shapes)
    while (shapely.get_type_id(parts) >= 4).any():  # noqa: PLR2004 - a collection
        parts = shapely.get_parts(parts)
    areas = shapely.get_type_id(parts) == 3  # noqa: PLR2004 - a polygon
    rings = shapely.get_rings(parts[areas])
    lines = parts[np.isin(shapely.get_type_id(parts), (1, 2))]
    found = [_run(line) for line in lines] + [_run(ring) + "z" for ring in rings]
    return "".join(found)


def _run(line: Any) -> str:  # noqa: ANN401 - shapely has no types
    points = np.round(shapely.get_coordinates(line), 2).tolist()
    return "M" + "L".join(f"{x:g},{y:g}" for x, y in points) if points else ""


def _round_length(most: float) -> float:
    """The longest of 1, 2, 5, 10, … that isn't longer than ``most``."""
    power = 10.0 ** math.floor(math.log10(most))
    return max(step * power for step in (1, 2, 5) if step * power <= most)


def _shortened(name: str, most: int) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"
