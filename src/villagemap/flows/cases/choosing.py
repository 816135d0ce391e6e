"""Which issues somebody means: words of people → a filter of ids and codes."""

import math
from collections.abc import Sequence
from datetime import date

from villagemap.auth import Policy
from villagemap.errors import WrongUseError
from villagemap.flows.places import find_place
from villagemap.flows.registry import Session, flow
from villagemap.model import Audience, BBox, IssueFilter, Level


@flow("issues.choose", Policy.READ)
def choose_issues(
    session: Session,
    *,
    towns: Sequence[str] = (),
    villages: Sequence[str] = (),
    categories: Sequence[str] = (),
    statuses: Sequence[str] = (),
    overdue: bool = False,
    bbox: Sequence[float] | None = None,
    found_from: date | None = None,
    found_to: date | None = None,
    audience: Audience = Audience.OWNER,
) -> IssueFilter:
    """The filter that a person's words mean.

    Parameters
    ----------
    towns, villages
        Codes or names; a village's name is looked for in the first of ``towns``, if there is one.
    categories, statuses
        Codes or labels in any of our languages.
    overdue
        Only what is past its deadline on the county's day.
    bbox
        West, south, east, north in degrees, WGS 84.

    Raises
    ------
    NotFoundError, AmbiguousError
        For a place that isn't known, or several.
    WrongUseError
        ``unknown_categories``, ``unknown_statuses``, ``bbox_unreadable``
    """
    return IssueFilter(
        towns=tuple(find_place(session, word, Level.TOWN).place_id for word in towns),
        villages=tuple(find_place(session, w, Level.VILLAGE, next(iter(towns), "")).place_id for w in villages),
        categories=_codes(session, categories, "categories"),
        statuses=_codes(session, statuses, "statuses"),
        overdue_on=session.workspace.settings.day() if overdue else None,
        bbox=_extent(bbox) if bbox is not None else None,
        found_from=found_from,
        found_to=found_to,
        audience=audience,
    )


def _codes(session: Session, words: Sequence[str], kind: str) -> tuple[str, ...]:
    vocabulary = session.workspace.vocabulary
    codes = []
    for word in words:
        code = vocabulary.code_of(kind, word)
        if code is None:
            known = vocabulary.categories if kind == "categories" else vocabulary.words[kind]
            raise WrongUseError(f"unknown_{kind}", word=word, known=", ".join(known))
        codes.append(code)
    return tuple(codes)


def _extent(numbers: Sequence[float]) -> BBox:
    if len(numbers) != len(BBox._fields) or not all(map(math.isfinite, numbers)):
        raise WrongUseError("bbox_unreadable", value=",".join(map(str, numbers)))
    west, south, east, north = map(float, numbers)
    if west > east or south > north:
        raise WrongUseError("bbox_unreadable", value=",".join(map(str, numbers)))
    return BBox(west, south, east, north)
