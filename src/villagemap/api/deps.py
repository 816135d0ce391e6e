"""What requests ask for: one strict function for each group of query parameters.

An unknown name, a bad value or a value given twice is a 400 with a stable code, never a guess. These functions only
read text, so they are ``async`` and run without a thread; what needs the store (which town a word means) is done by
`issue_filter` and `tile_filter` in the route.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request

from villagemap.errors import WrongUseError
from villagemap.flows.places import find_place
from villagemap.flows.registry import Session
from villagemap.flows.tiles import TileFilter
from villagemap.model import Audience, BBox, IssueFilter, Level, Located, Place, Status, Urgency
from villagemap.settings import TIME_ZONE
from villagemap.texts import LANGS

DEFAULT_LIMIT = 100
MOST_LIMIT = 10_000
MOST_WORDS = 100
"""Values of one parameter."""

SEVERITIES = ("1", "2", "3", "4", "5")
FORMATS = ("html", "json")
DATUMS = ("wgs84", "cgcs2000", "gcj02", "bd09")
NUMBER = re.compile(r"[+-]?[0-9]{1,9}(\.[0-9]{0,20})?([eE][+-]?[0-9]{1,2})?")
BOOLEANS = {"true": True, "false": False}


def _one(description: str, example: str, **more: Any) -> Any:  # noqa: ANN401 - FastAPI's own Query is untyped
    """A parameter that is given at most once."""
    return Query(default_factory=str, description=description, openapi_examples={"example": {"value": example}}, **more)


def _many(description: str, *example: str, **more: Any) -> Any:  # noqa: ANN401
    """A parameter that may be repeated, or hold several values with commas between them."""
    return Query(
        default_factory=list, description=description, openapi_examples={"example": {"value": list(example)}}, **more
    )


async def session_of(request: Request) -> Session:
    """Who asks, and in which county; who, was found out in front of the routes."""
    local: Session = request.app.state.session
    return Session(local.workspace, request.state.actor)


Asked = Annotated[Session, Depends(session_of)]


async def only_known(request: Request) -> None:
    """Refuse parameters that a route doesn't document, empty ones, and a single one given twice.

    Raises
    ------
    WrongUseError
        Naming the parameter.
    """
    known = _parameters(request.app, getattr(request.scope.get("route"), "path_format", ""))
    seen = set()
    for name, value in request.query_params.multi_items():
        if name not in known:
            raise WrongUseError("parameter_unknown", name=name[:100], known=", ".join(sorted(known)) or "-")
        if not value.strip() or (name in seen and not known[name]):
            raise _unreadable(name, value)
        seen.add(name)


def _parameters(app: FastAPI, path: str) -> Mapping[str, bool]:
    """A route's documented query parameters, and whether each may be repeated."""
    documented = app.openapi()["paths"].get(path, {}).get("get", {}).get("parameters", ())
    return {p["name"]: p["schema"].get("type") == "array" for p in documented if p["in"] == "query"}


def _unreadable(name: str, value: str) -> WrongUseError:
    return WrongUseError("parameter_unreadable", name=name, value=value[:200])


def _words(name: str, values: Sequence[str]) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(word.strip() for value in values for word in value.split(",")))
    if "" in words or len(words) > MOST_WORDS:
        raise _unreadable(name, ",".join(values))
    return words


def _known(name: str, values: Sequence[str], known: Sequence[str], code: str = "value_unknown") -> tuple[str, ...]:
    words = _words(name, values)
    for word in words:
        if word not in known:
            raise WrongUseError(code, name=name, word=word[:100], known=", ".join(known))
    return words


async def bbox_given(
    bbox: Annotated[str, _one("west,south,east,north in degrees, WGS 84", "111.2,20.7,111.4,20.9")],
) -> BBox | None:
    """An extent; six numbers are taken as three-dimensional, and their heights are left aside (OGC 17-069r4, 7.15.3).

    Raises
    ------
    WrongUseError
        If it isn't four or six plain numbers in range, in order.
    """
    if not bbox:
        return None
    parts = [part.strip() for part in bbox.split(",")]
    numbers = [float(part) for part in parts] if all(map(NUMBER.fullmatch, parts)) else []
    if len(numbers) == 6:  # noqa: PLR2004
        numbers = [*numbers[0:2], *numbers[3:5]]
    if len(numbers) != 4:  # noqa: PLR2004
        raise WrongUseError("bbox_unreadable", value=bbox[:200])
    box = BBox(*numbers)
    if not (-180 <= box.west <= box.east <= 180 and -90 <= box.south <= box.north <= 90):  # noqa: PLR2004
        raise WrongUseError("bbox_unreadable", value=bbox[:200])
    return box


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a long list: ``cursor`` is None for its beginning."""

    limit: int
    cursor: str | None


async def page_given(
    limit: Annotated[str, _one(f"How many features, at most {MOST_LIMIT}; {DEFAULT_LIMIT} if not said", "100")],
    cursor: Annotated[str, _one("Where the last page ended, from its next link", "aXNzdWVzOjEwMA")],
) -> Page:
    """The size and start of a page; a limit above the maximum is taken for the maximum."""
    if limit and not re.fullmatch(r"0*[1-9][0-9]{0,15}", limit):
        raise _unreadable("limit", limit)
    return Page(min(int(limit or DEFAULT_LIMIT), MOST_LIMIT), cursor or None)


def cursor_of(collection: str, after: int) -> str:
    """An opaque text for where a page of a collection ended."""
    return base64.urlsafe_b64encode(f"{collection}:{after}".encode()).decode().rstrip("=")


def after_of(collection: str, page: Page) -> int:
    """Where a page of a collection starts: behind this key.

    Raises
    ------
    WrongUseError
        If the cursor isn't one of ours, or another collection's.
    """
    if page.cursor is None:
        return 0
    try:
        said = base64.b64decode(page.cursor + "=" * (-len(page.cursor) % 4), altchars=b"-_", validate=True)
        name, _, key = said.decode("ascii").partition(":")
    except ValueError:
        name, key = "", ""
    if name != collection or not re.fullmatch(r"[0-9]{1,18}", key):
        raise _unreadable("cursor", page.cursor)
    return int(key)


@dataclass(frozen=True, slots=True)
class Days:
    """First and last day, both inclusive, Asia/Shanghai calendar."""

    first: date | None = None
    last: date | None = None


async def found_given(
    datetime: Annotated[str, _one("When found: a date, an instant, or an interval with ..", "2022-03-01/..")],
    found_from: Annotated[str, _one("First day of finding", "2022-03-01")],
    found_to: Annotated[str, _one("Last day of finding", "2022-03-31")],
) -> Days:
    """The days on which issues were found; what is given must all hold."""
    first, last = _interval(datetime) if datetime else (None, None)
    firsts = [day for day in (first, _day(found_from)) if day]
    lasts = [day for day in (last, _day(found_to)) if day]
    return Days(max(firsts, default=None), min(lasts, default=None))


def _interval(value: str) -> tuple[date | None, date | None]:
    """Days of a date-time parameter (OGC 17-069r4, 7.15.4): one, or two with a slash, an open end as .. or empty."""
    parts = value.split("/")
    days = [None if part in {"", ".."} else _day(part) for part in parts]
    first, last = days[0], days[-1]
    if len(parts) > 2 or (first is None and last is None) or (first and last and first > last):  # noqa: PLR2004
        raise WrongUseError("date_unreadable", value=value[:100])
    return first, last


def _day(value: str) -> date | None:
    """A date, or the day in Asia/Shanghai of an RFC 3339 instant; None where nothing is given."""
    if not value:
        return None
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
            return date.fromisoformat(value)
        at = datetime.fromisoformat(value)
        if at.tzinfo is not None:
            return at.astimezone(TIME_ZONE).date()
    except (ValueError, OverflowError):
        pass
    raise WrongUseError("date_unreadable", value=value[:100])


@dataclass(frozen=True, slots=True)
class Kinds:
    """Which kinds of issues, by codes; empty means all."""

    categories: tuple[str, ...]
    statuses: tuple[str, ...]


async def kinds_given(
    session: Asked,
    category: Annotated[list[str], _many("Category codes", "toilet_dry", "black_water")],
    status: Annotated[list[str], _many(f"Statuses: {', '.join(Status)}", "rectifying", "returned")],
) -> Kinds:
    """Categories of this county's vocabulary, and statuses."""
    known = list(session.workspace.vocabulary.categories)
    return Kinds(
        _known("category", category, known, "unknown_categories"),
        _known("status", status, list(Status), "unknown_statuses"),
    )


@dataclass(frozen=True, slots=True)
class Where:
    """Places as they were named: codes or names."""

    towns: tuple[str, ...]
    villages: tuple[str, ...]


async def places_given(
    town: Annotated[list[str], _many("Towns by code or name", "990001001")],
    village: Annotated[list[str], _many("Villages by code, or by name beside one town", "990001001200")],
) -> Where:
    """Towns and villages, not yet looked up."""
    return Where(_words("town", town), _words("village", village))


async def town_given(town: Annotated[str, _one("Only places in this town, by code or name", "990001001")]) -> str:
    """One town, not yet looked up."""
    return town


async def overdue_given(
    overdue: Annotated[str, _one("true: only what is past its deadline today", "true")],
) -> bool:
    """Whether only overdue issues are asked for; ``false`` is no filter."""
    return _boolean("overdue", overdue) or False


async def count_given(
    count: Annotated[
        str, _one("Whether numberMatched is counted; if not said, on the first page where it is quick", "false")
    ],
) -> bool | None:
    """Whether matching features shall be counted; None if it isn't said."""
    return _boolean("count", count)


def _boolean(name: str, value: str) -> bool | None:
    if value and value not in BOOLEANS:
        raise WrongUseError("value_unknown", name=name, word=value[:100], known=", ".join(BOOLEANS))
    return BOOLEANS.get(value)


async def audience_given(
    audience: Annotated[
        str, _one("For whom: office and public leave out what they may not see", "office", alias="for")
    ],
) -> Audience:
    """For whom a file is; without one it is for whoever asks."""
    return Audience(_known("for", [audience], list(Audience))[0]) if audience else Audience.OWNER


async def datum_given(
    datum: Annotated[str, _one(f"Coordinates of the file: {', '.join(DATUMS)}", "gcj02")],
) -> str:
    """The datum that a file is written in."""
    return _known("datum", [datum], DATUMS)[0] if datum else "wgs84"


async def lang_given(
    lang: Annotated[str, _one(f"Language of the page: {', '.join(LANGS)}", "en")],
) -> str:
    """The language chosen in the address, or "" if none is."""
    return _known("lang", [lang], LANGS)[0] if lang else ""


async def next_given(after: Annotated[str, _one("Where to go after logging in: a path", "/", alias="next")]) -> str:
    """Where somebody wanted to go; "" if it isn't said."""
    return after


async def format_given(f: Annotated[str, _one("html: the page; json: the document for programs", "json")]) -> str:
    """The form of the answer that the address asks for, or "" if it doesn't."""
    return _known("f", [f], FORMATS)[0] if f else ""


@dataclass(frozen=True, slots=True)
class IssuesAsked:
    """Which issues, as asked for: places not yet looked up."""

    where: Where
    kinds: Kinds
    found: Days
    overdue: bool
    severities: tuple[int, ...]
    located: tuple[str, ...]
    bbox: BBox | None

    def narrowed_by_places_alone(self) -> bool:
        """Whether nothing but towns and villages narrows it."""
        return self == IssuesAsked(
            self.where, Kinds((), ()), Days(), overdue=False, severities=(), located=(), bbox=None
        )


async def issues_asked(
    where: Annotated[Where, Depends(places_given)],
    kinds: Annotated[Kinds, Depends(kinds_given)],
    found: Annotated[Days, Depends(found_given)],
    overdue: Annotated[bool, Depends(overdue_given)],
    bbox: Annotated[BBox | None, Depends(bbox_given)],
    severity: Annotated[list[str], _many("Severities, 1 (slight) to 5 (grave)", "4", "5")],
    located: Annotated[list[str], _many(f"What is known of the position: {', '.join(Located)}", "unlocated")],
) -> IssuesAsked:
    """All filters of issues."""
    severities = tuple(int(word) for word in _known("severity", severity, SEVERITIES))
    return IssuesAsked(where, kinds, found, overdue, severities, _known("located", located, list(Located)), bbox)


IssueQuery = Annotated[IssuesAsked, Depends(issues_asked)]


def issue_filter(session: Session, asked: IssuesAsked, audience: Audience = Audience.OWNER) -> IssueFilter:
    """The filter that a request means.

    Raises
    ------
    WrongUseError
        If a town or village isn't known, or a village's name fits several; ``candidates`` lists them.
    """
    towns, villages = places_meant(session, asked.where)
    return IssueFilter(
        towns=tuple(place.place_id for place in towns),
        villages=tuple(place.place_id for place in villages),
        categories=asked.kinds.categories,
        statuses=asked.kinds.statuses,
        severities=asked.severities,
        located=asked.located,
        overdue_on=session.workspace.settings.day() if asked.overdue else None,
        found_from=asked.found.first,
        found_to=asked.found.last,
        bbox=asked.bbox,
        audience=audience,
    )


def places_meant(session: Session, where: Where) -> tuple[list[Place], list[Place]]:
    """The towns and villages that words mean; a village's name is looked up inside the town if there is one."""
    inside = where.towns[0] if len(where.towns) == 1 else ""
    try:
        towns = [find_place(session, word, Level.TOWN) for word in where.towns]
        villages = [find_place(session, word, Level.VILLAGE, inside) for word in where.villages]
    except WrongUseError as fault:  # a bad value of a filter, not a missing page
        raise WrongUseError(fault.code, **fault.params) from fault
    return towns, villages


def town_meant(session: Session, word: str) -> str:
    """The code or name of a town that is known to exist; "" stays ""."""
    if word:
        places_meant(session, Where((word,), ()))
    return word


@dataclass(frozen=True, slots=True)
class TileAsked:
    """Which issues a tile shows, as asked for."""

    where: Where
    kinds: Kinds
    urgencies: tuple[str, ...]


async def tile_asked(
    where: Annotated[Where, Depends(places_given)],
    kinds: Annotated[Kinds, Depends(kinds_given)],
    overdue: Annotated[bool, Depends(overdue_given)],
    urgency: Annotated[list[str], _many(f"Urgencies: {', '.join(Urgency)}", "overdue", "near")],
) -> TileAsked:
    """The filters that tiles know."""
    urgencies = _known("urgency", urgency, list(Urgency))
    if overdue:
        if urgencies and Urgency.OVERDUE not in urgencies:
            raise _unreadable("urgency", ",".join(urgencies))
        urgencies = (Urgency.OVERDUE.value,)
    return TileAsked(where, kinds, urgencies)


def tile_filter(session: Session, asked: TileAsked) -> TileFilter:
    """The filter that a request for a tile means; raises like `issue_filter`."""
    towns, villages = places_meant(session, asked.where)
    return TileFilter(
        towns=tuple(towns),
        villages=tuple(villages),
        categories=asked.kinds.categories,
        statuses=asked.kinds.statuses,
        urgencies=asked.urgencies,
    )
