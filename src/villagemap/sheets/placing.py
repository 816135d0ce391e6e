"""Where numbers and names go on a printed map, so that none lies on another. Millimetres, y down."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import shapely

Spot = tuple[float, float]
"""(x, y) on paper."""

PT = 25.4 / 72
"""Millimetres of a point."""

_WIDE = 0x2E80
"""From here on a character is as wide as it is high."""

_NARROW_EM = 0.58
_LINE_EM = 1.25

_RINGS = 24
_STEP_MM = 1.6
_TURNS = 16


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle by its middle and size."""

    x: float
    y: float
    width: float
    height: float

    def meets(self, other: "Box", gap: float = 0.3) -> bool:
        """Whether the two are closer than ``gap``."""
        apart_x = abs(self.x - other.x) - (self.width + other.width) / 2
        apart_y = abs(self.y - other.y) - (self.height + other.height) / 2
        return apart_x < gap and apart_y < gap

    def inside(self, width: float, height: float, margin: float = 0.6) -> bool:
        """Whether it lies on a sheet from 0, 0 to ``width``, ``height``."""
        half_x, half_y = self.width / 2 + margin, self.height / 2 + margin
        return half_x <= self.x <= width - half_x and half_y <= self.y <= height - half_y

    def shape(self) -> Any:  # noqa: ANN401 - shapely has no types
        """As a polygon."""
        half_x, half_y = self.width / 2, self.height / 2
        return shapely.box(self.x - half_x, self.y - half_y, self.x + half_x, self.y + half_y)


def size_of(said: str, points: float) -> tuple[float, float]:
    """Width and height of a line of text, a little more than any of our fonts needs."""
    ems = sum(1.0 if ord(letter) >= _WIDE else _NARROW_EM for letter in said)
    return ems * points * PT + 0.6, points * PT * _LINE_EM


@dataclass(slots=True)
class Board:
    """A sheet that fills: what was put on it keeps its place."""

    width: float
    height: float
    taken: list[Box] = field(default_factory=list)

    def free(self, box: Box) -> bool:
        """Whether nothing lies there yet, and it is on the sheet."""
        return box.inside(self.width, self.height) and not any(box.meets(other) for other in self.taken)

    def put_near(self, spot: Spot, size: tuple[float, float], others: Sequence[Spot] = ()) -> Box:
        """The free place nearest to ``spot``, which covers none of ``others``; the spot itself where all is full."""
        for x, y in _around(spot):
            box = Box(x, y, *size)
            if self.free(box) and not any(box.meets(Box(*dot, 0, 0), 0.6) for dot in others if dot != spot):
                self.taken.append(box)
                return box
        return Box(*spot, *size)

    def put_beside(self, anchor: Box, size: tuple[float, float], lines: Any) -> Box | None:  # noqa: ANN401 - shapely
        """A free place beside ``anchor`` that hides none of ``lines``; None where there is none."""
        for box in _beside(anchor, size):
            if self.free(box) and not shapely.intersects(box.shape(), lines):
                self.taken.append(box)
                return box
        return None


def _around(spot: Spot) -> Iterator[Spot]:
    """The spot, then rings about it."""
    yield spot
    for ring in range(1, _RINGS + 1):
        for turn in range(_TURNS):
            angle = 2 * math.pi * turn / _TURNS
            yield (
                spot[0] + (2.6 + ring * _STEP_MM) * math.cos(angle),
                spot[1] + (2.6 + ring * _STEP_MM) * math.sin(angle),
            )


def _beside(anchor: Box, size: tuple[float, float]) -> Iterator[Box]:
    right, down = (anchor.width + size[0]) / 2 + 0.4, (anchor.height + size[1]) / 2 + 0.4
    for x, y in ((right, 0), (-right, 0), (0, down), (0, -down), (right, down), (right, -down), (-right, down)):
        yield Box(anchor.x + x, anchor.y + y, *size)


def emptiest_corner(board: Board, size: tuple[float, float], spots: Iterable[Spot], lines: Any) -> Box:  # noqa: ANN401 - shapely
    """The corner for scale and north, where they hide the least of the route."""
    half_x, half_y = size[0] / 2 + 1.5, size[1] / 2 + 1.5
    corners = [
        Box(x, y, *size) for y in (board.height - half_y, half_y) for x in (half_x, board.width - half_x)
    ]  # fmt: skip
    dots = shapely.multipoints(list(spots))

    def hidden(corner: Box) -> float:
        shape = corner.shape()
        inside = shapely.get_num_geometries(shapely.intersection(dots, shape)) if shapely.intersects(dots, shape) else 0
        return 100 * float(inside) + float(shapely.length(shapely.intersection(lines, shape)))

    best = min(corners, key=hidden)
    board.taken.append(best)
    return best
