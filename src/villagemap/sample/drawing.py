"""Draw what a batch of issues is, all at once: category, place, position, source, days. No text yet."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from villagemap.crs import wgs84_to_gcj02
from villagemap.sample.ground import Floats, Ground, Ints, points_beside, points_near, shapes_at
from villagemap.sample.lives import NEVER, Flags, Lives, Terms, found_days, happens, lives
from villagemap.sample.words import Words, shape_kind

NOBODY = -1
"""The number of an issue, town or village that there isn't."""
DAYS = 160
"""So many days before ``today`` have a row in the table of deadlines."""


Parts = tuple[Ints, Ints, Ints, Ints]
"""Category, hamlet, day of finding and source of n issues."""


@dataclass(frozen=True, slots=True)
class County:
    """What all batches share; ``due`` is a day number by category (rows) and days ago (columns)."""

    ground: Ground
    words: Words
    skill: Floats
    due: Ints
    today: int


@dataclass(frozen=True, slots=True)
class Batch:
    """n issues as columns of plain numbers, which a loop reads faster than arrays.

    ``relapse`` and ``twin`` are the numbers of other issues of the batch, or `NOBODY`; ``points`` are WGS 84 and
    ``gcj02`` the same points in that datum.
    """

    category: list[int]
    hamlet: list[int]
    outside: list[bool]
    unlocated: list[bool]
    relapse: list[int]
    twin: list[int]
    source: list[int]
    found: list[int]
    due: list[int]
    quantity: list[int]
    points: list[list[float]]
    gcj02: list[list[float]]
    wkt: list[str | None]
    lives: dict[str, list[int]]


def draw(county: County, n: int, rng: np.random.Generator) -> Batch:
    """Draw ``n`` issues."""
    ground, words = county.ground, county.words
    category = rng.choice(len(words.kinds), n, p=words.weights)
    hamlet = rng.choice(len(ground.hamlets), n, p=ground.weights)
    found = found_days(n, county.today, rng)
    outside = happens(0.004, n, rng)
    points = points_near(ground, hamlet, rng)
    points[outside] = np.round(ground.rim[rng.integers(0, len(ground.rim), int(outside.sum()))], 6)
    source = _sources(county, hamlet, rng)
    parts = (category, hamlet, found, source)
    first = _lives(county, parts, rng)
    relapse = _predecessors(county, parts, outside, first, rng)
    again = relapse != NOBODY
    for column in (category, hamlet):
        column[again] = column[relapse[again]]
    second = _lives(county, (category[again], hamlet[again], found[again], source[again]), rng)
    both = _merged(first, second, again)
    twin = _originals(parts, outside | again, both, rng)
    copied = twin != NOBODY
    for column in (category, hamlet):
        column[copied] = column[twin[copied]]
    for other in (relapse, twin):
        near = other != NOBODY
        points[near] = points_beside(ground, ground.village_of[hamlet[near]], points[other[near]], rng)
    both = _settled(both, twin)
    quantity = _quantities(words, category, rng)
    wkt, unlocated = _geometries(county, category, hamlet, outside, points, quantity, rng)
    return Batch(
        category=category.tolist(),
        hamlet=hamlet.tolist(),
        outside=outside.tolist(),
        unlocated=unlocated.tolist(),
        relapse=relapse.tolist(),
        twin=twin.tolist(),
        source=source.tolist(),
        found=found.tolist(),
        due=county.due[category, county.today - found].tolist(),
        quantity=quantity.tolist(),
        points=points.tolist(),
        gcj02=np.column_stack(wgs84_to_gcj02(points[:, 0], points[:, 1])).tolist(),
        wkt=wkt,
        lives={name: getattr(both, name).tolist() for name in Lives.__slots__},
    )


def _skill(county: County, hamlet: Ints) -> Floats:
    return county.skill[county.ground.town_of[county.ground.village_of[hamlet]]]


def _sources(county: County, hamlet: Ints, rng: np.random.Generator) -> Ints:
    """The source of each issue: good towns find more by themselves."""
    words = county.words
    by_oneself = happens(0.30 + 0.42 * _skill(county, hamlet), len(hamlet), rng)
    source = np.zeros(len(hamlet), np.int64)
    for chosen, pool in ((by_oneself, words.found_by_oneself), (~by_oneself, ~words.found_by_oneself)):
        weights = words.source_weights * pool
        if not weights.any():
            weights = words.source_weights
        source[chosen] = rng.choice(len(weights), int(chosen.sum()), p=weights / weights.sum())
    return source


def _lives(county: County, parts: Parts, rng: np.random.Generator) -> Lives:
    category, hamlet, found, source = parts
    kinds = county.words.kinds
    public = np.array([name == "public_report" for name in county.words.sources], bool)
    terms = Terms(
        found=found,
        due=county.due[category, county.today - found],
        skill=_skill(county, hamlet),
        by_public=public[source],
        may_defer=np.array([kind.category.may_defer for kind in kinds], bool)[category],
        has_interim=np.array([bool(kind.interim) for kind in kinds], bool)[category],
    )
    return lives(terms, county.today, rng)


def _predecessors(county: County, parts: Parts, outside: Flags, first: Lives, rng: np.random.Generator) -> Ints:
    """For 4 % of the issues the number of an earlier one, closed before, that they are a relapse of."""
    category, _, found, _ = parts
    recurrent = np.array([kind.recurrent for kind in county.words.kinds], bool)[category]
    chosen = happens(0.046, len(found), rng) & ~outside
    pool = np.flatnonzero(recurrent & ~outside & ~chosen & (first.close != NEVER))
    return _earlier(pool, first.close, np.where(chosen, found, -NEVER), rng)


def _originals(parts: Parts, barred: Flags, both: Lives, rng: np.random.Generator) -> Ints:
    """For issues found to be duplicates the number of an issue registered before."""
    plain = (both.twin == NEVER) & (both.reject == NEVER) & (both.register != NEVER) & (both.close == NEVER) & ~barred
    _, _, found, _ = parts
    wanted = np.where((both.twin != NEVER) & ~barred, np.minimum(found + 1, both.twin), -NEVER)
    return _earlier(np.flatnonzero(plain), both.register, wanted, rng)


def _earlier(pool: Ints, when: Ints, before: Ints, rng: np.random.Generator) -> Ints:
    """For each issue a random one of ``pool`` whose ``when`` comes before its ``before``; `NOBODY` if none does."""
    ranked = pool[np.argsort(when[pool], kind="stable")]
    choices = np.searchsorted(when[ranked], before, side="left")
    picks = (rng.random(len(before)) * choices).astype(np.int64)
    padded: Ints = np.append(ranked, NOBODY)
    chosen: Ints = padded[np.where(choices > 0, picks, 0)]
    return np.asarray(np.where(choices > 0, chosen, NOBODY), np.int64)


def _merged(first: Lives, second: Lives, again: Flags) -> Lives:
    """``first`` with the lives of the issues marked in ``again`` taken from ``second``."""
    for name in Lives.__slots__:
        getattr(first, name)[again] = getattr(second, name)
    return first


def _settled(both: Lives, twin: Ints) -> Lives:
    """Duplicates without an original become rejected; those with one have nothing done about them."""
    lost = (both.twin != NEVER) & (twin == NOBODY)
    both.reject[lost] = both.twin[lost]
    both.twin[lost] = NEVER
    both.interim[twin != NOBODY] = NEVER
    return both


def _quantities(words: Words, category: Ints, rng: np.random.Generator) -> Ints:
    """How much was found: small numbers mostly; metres and square metres in tens."""
    least = np.array([kind.least for kind in words.kinds], float)[category]
    most = np.array([kind.most for kind in words.kinds], float)[category]
    drawn = least + np.floor((most - least + 1) * rng.random(len(category)) ** 2.2)
    tens = most >= 100  # noqa: PLR2004 - nobody measures a lane to the metre
    return np.asarray(np.where(tens, np.round(drawn, -1), drawn), np.int64)


def _geometries(
    county: County,
    category: Ints,
    hamlet: Ints,
    outside: Flags,
    points: Floats,
    quantity: Ints,
    rng: np.random.Generator,
) -> tuple[list[str | None], Flags]:
    """WKT for each issue (None where it has none), and which issues lack a position that they need."""
    kinds, chance = county.words.kinds, rng.random(len(category)).tolist()
    chosen: npt.NDArray[np.str_] = np.array(
        [shape_kind(kinds[c].category, u) for c, u in zip(category.tolist(), chance, strict=True)]
    )
    chosen[outside] = "point"
    bound = np.array([kind.category.bound_to_village for kind in kinds], bool)[category]
    unlocated = happens(0.0165, len(category), rng) & ~bound & ~outside
    wkt: list[str | None] = [f"POINT ({x:.6f} {y:.6f})" for x, y in points.tolist()]
    metres = np.array([kind.category.unit == "m" for kind in kinds], bool)[category]
    square = np.array([kind.category.unit == "m²" for kind in kinds], bool)[category]
    village = county.ground.village_of[hamlet]
    for kind in ("line", "polygon"):
        those = np.flatnonzero(chosen == kind)
        size = rng.uniform(*((25.0, 90.0) if kind == "line" else (6.0, 18.0)), len(those))
        measured = quantity[those].astype(float)
        size = np.where(square[those], np.sqrt(measured / np.pi), size)
        size = np.where(metres[those], np.minimum(measured, 700.0), size)
        shapes = shapes_at(county.ground, village[those], points[those], size, closed=kind == "polygon", rng=rng)
        for i, shape in zip(those.tolist(), shapes, strict=True):
            wkt[i] = shape or wkt[i]
    for i in np.flatnonzero(unlocated | (chosen == "village")).tolist():
        wkt[i] = None
    return wkt, unlocated
