"""What somebody asks to have planned: ``request.json`` as a model, its JSON Schema, and what is wrong with its form.

A request says things in words (places, clock times, minutes, kilometres an hour); `flows.routes.asking` turns it into a
`plans.Problem`. Only its form is looked at here: all its faults are told at once, each with its place. What can't be
meant so in this county is a finding about one stop or team, and no fault.
"""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from villagemap.errors import BadInputError
from villagemap.plans import Objective
from villagemap.texts import text

MOST_TEAMS = 12
MOST_DAYS = 20
MOST_STOPS = 2000
"""So many stops are planned; the rest of a longer list is told as left out."""
MOST_LISTED = 20_000
LAST_DAY = date(2999, 12, 31)
"""Days are counted on from the first: the calendar must not end before them."""
MOST_DEEP = 32
"""A request nests six deep, a drawn area of it ten; what goes on without end is none."""
MOST_SHOWN = 20
"""So many faults are told in full."""

SCHEMA_ID = "urn:villagemap:request:1"
_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def _as_id(value: object) -> object:
    """A whole number is as good a name as its digits."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Word = Annotated[str, BeforeValidator(_as_id), Field(max_length=200)]
Clock = Annotated[str, Field(pattern=r"^([01]?[0-9]|2[0-3]):[0-5][0-9]$|^24:00$", examples=["08:30"])]
Degrees = Annotated[float, Field(description="degrees, WGS 84")]
Point = Word | tuple[float, float]
"""A place's code or name, TOWN/VILLAGE, a site of a given matrix, or [lon, lat] in WGS 84."""
Day = Annotated[int, Field(ge=1, le=MOST_DAYS, description="number of a day in the plan, from 1")]
Polygon = dict[str, Any]


class Part(BaseModel):
    """A part of a request: nothing but what it names."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Days(Part):
    """Days by the first and how many."""

    first: date = Field(le=LAST_DAY)
    count: int = Field(ge=1, le=MOST_DAYS)
    weekends: bool = True
    """Whether Saturdays and Sundays count."""


class LunchTold(Part):
    """A break of ``minutes`` that begins between two times."""

    minutes: int = Field(default=60, ge=1, le=240)
    earliest: Clock = "11:30"
    latest: Clock = "13:00"


class TeamTold(Part):
    """People in one car."""

    id: Word = ""
    """What stops and locks name it by; t1, t2, … if not said."""
    name: str = Field(default="", max_length=100)
    start: Point | None = None
    """Where it sets out; the first town's seat if not said."""
    end: Point | None = None
    """Where it ends; its start if not said."""
    day_start: Clock = "08:30"
    day_end: Clock = "17:30"
    lunch: LunchTold | None = LunchTold()
    """null for none."""
    skills: list[Word] = Field(default=[], max_length=50)
    most_stops: int | None = Field(default=None, ge=1, le=MOST_STOPS)
    """On one day."""
    days: list[Day] = Field(default=[], max_length=MOST_DAYS)
    """On which days it drives; all if not said."""
    people: list[Word] = Field(default=[], max_length=20)
    """Accounts of those who ride along."""


class StopTold(Part):
    """One thing to call at: a place, an issue, a bare point, or a site of a given matrix (by ``id``)."""

    id: Word = ""
    name: str = Field(default="", max_length=200)
    place: Word = ""
    """Code or name; a name that repeats as TOWN/VILLAGE."""
    issue: Word = ""
    """Number or id."""
    lon: Degrees | None = None
    lat: Degrees | None = None
    service_min: float | None = Field(default=None, ge=0, le=1440)
    """Minutes on the spot, without the set-up."""
    priority: int = Field(default=1, ge=0, le=100)
    must: bool = False
    """Worth more than all that isn't one."""
    windows: list[tuple[Clock, Clock]] = Field(default=[], max_length=10)
    """Service begins inside one of them."""
    skill: Word = ""
    teams: list[Word] = Field(default=[], max_length=MOST_TEAMS)
    """Those allowed; all if not said."""
    days: list[Day] = Field(default=[], max_length=MOST_DAYS)


class Choice(Part):
    """Stops by filter: the open issues that all of it fits, and villages."""

    towns: list[Word] = Field(default=[], max_length=100)
    categories: list[Word] = Field(default=[], max_length=100)
    """Codes or labels."""
    overdue: bool = False
    issues: bool = True
    """Whether issues are stops at all, or villages only."""
    villages: Literal["all"] | list[Word] = []
    """Villages to call at (all: those of ``towns``, or of the county)."""
    must: bool = True
    """Whether these villages must be called at."""


class MatrixTold(Part):
    """Travel between sites: seconds, and metres if known; null, or a negative number, where there is no way."""

    ids: list[Word] = Field(min_length=1, max_length=MOST_STOPS + 2 * MOST_TEAMS)
    durations_s: list[list[float | None]]
    distances_m: list[list[float | None]] | None = None


class Travel(Part):
    """Where travel times come from, if not from the roads."""

    detour: float | None = Field(default=None, ge=1, le=5)
    """Straight lines are so much longer on the road (with ``speed_km_h``: an estimate, instead of the roads)."""
    speed_km_h: float | None = Field(default=None, gt=0, le=150)
    matrix: MatrixTold | None = None
    """Overrides all."""


class LockTold(Part):
    """What a person has fixed of one stop."""

    stop: Word
    team: Word = ""
    day: int = Field(default=0, ge=0, le=MOST_DAYS)
    position: Literal["", "first", "last"] = ""
    not_day: int = Field(default=0, ge=0, le=MOST_DAYS)
    keep: bool = False
    """It must be in the plan at all."""


class Request(Part):
    """A request for a plan."""

    name: str = Field(default="", max_length=100)
    days: Annotated[list[date], Field(min_length=1, max_length=MOST_DAYS)] | Days | None = None
    """Dates, or the first and how many; the county's day if not said."""
    teams: list[TeamTold] = Field(default=[], max_length=MOST_TEAMS)
    stops: list[StopTold] = Field(default=[], max_length=MOST_LISTED)
    choose: Choice | None = None
    sweep: str = Field(default="", max_length=200)
    """Name or id of a sweep: the villages that nobody has visited yet must be called at."""
    objectives: list[Objective] = Field(
        default=[Objective.COVER, Objective.PRIORITY, Objective.TRAVEL], min_length=1, max_length=len(Objective)
    )
    """What a good plan is, in the order of weight."""
    spread_percent: int = Field(default=10, ge=0, le=100)
    """With the objective fairness: how far the teams' working times may lie apart."""
    setup_min: float = Field(default=5, ge=0, le=120)
    """Parking and walking: once for stops of one spot that are called at one after another."""
    village_min: float = Field(default=30, gt=0, le=1440)
    """Minutes in a village where a stop doesn't say its own."""
    issue_min: float = Field(default=10, gt=0, le=1440)
    """Minutes for each issue."""
    group_within_m: float = Field(default=150, ge=0, le=5000)
    """Issues so close together, or in one hamlet, are one stop."""
    split_villages: bool = False
    """Whether a village may go to several teams on one day."""
    locks: list[LockTold] = Field(default=[], max_length=MOST_STOPS)
    travel: Travel | None = None
    closed: list[Polygon | Word] = Field(default=[], max_length=100)
    """Closed roads: GeoJSON polygons, or ids of edges."""
    seconds: float | None = Field(default=None, gt=0, le=600)
    """How long to look for a better plan."""
    iterations: int | None = Field(default=None, ge=1, le=10_000_000)
    """Or how many rounds: with the seed, the same plan again."""
    seed: int = Field(default=1, ge=0, le=2**31 - 1)


def seconds(clock: str) -> int:
    """A time of day (08:30) as seconds after midnight."""
    hours, _, minutes = clock.partition(":")
    return int(hours) * 3600 + int(minutes) * 60


class UnreadableRequestError(BadInputError):
    """A request whose form is wrong: all faults at once, each with its place.

    ``params["faults"]`` are (place, code, values); the codes are keys under ``plans.faults``.
    """

    def __init__(self, faults: list[tuple[str, str, Mapping[str, str]]]) -> None:
        super().__init__("request_unreadable", count=len(faults), places=[place for place, _, _ in faults])
        self.faults = faults

    def sentence(self, lang: str) -> str:
        """Every fault: where, and what would be right."""
        shown = [
            text("plans.fault", lang, place=place or text("plans.whole", lang), fault=_told(code, lang, values))
            for place, code, values in self.faults[:MOST_SHOWN]
        ]
        if len(self.faults) > MOST_SHOWN:
            shown.append(text("plans.more_faults", lang, count=len(self.faults) - MOST_SHOWN))
        return text("errors.request_unreadable", lang, faults="\n".join(shown))


def _told(code: str, lang: str, values: Mapping[str, str]) -> str:
    return text(f"plans.faults.{code}", lang, **values)


def read_request(said: bytes | str | Mapping[str, Any]) -> Request:
    """The request that JSON, or a Python mapping of the same form, says.

    Raises
    ------
    UnreadableRequestError
        ``request_unreadable``, with every fault of its form.
    """
    try:
        return Request.model_validate(parsed(said))
    except ValidationError as fault:
        raise UnreadableRequestError(faults_of(fault)) from fault


def parsed(said: bytes | str | Mapping[str, Any]) -> object:
    """What JSON says, or a Python mapping as it is; raises as `read_request` does, also for what nests too deep."""
    try:
        value = said if isinstance(said, Mapping) else orjson.loads(said)
    except orjson.JSONDecodeError as fault:
        where = f"{fault.lineno}:{fault.colno}"
        raise UnreadableRequestError([(where, "not_json", {"fault": fault.msg})]) from fault
    level: list[Any] = [[value]]
    for _ in range(MOST_DEEP):
        inner = [one.values() if isinstance(one, Mapping) else one for one in level]
        level = [part for parts in inner for part in parts if isinstance(part, Mapping | list)]
        if not level:
            return value
    raise UnreadableRequestError([("", "kind", {"value": "[[[…"})])


_KINDS = {
    "missing": "missing",
    "extra_forbidden": "unknown",
    "string_pattern_mismatch": "clock",
    "literal_error": "one_of",
    "enum": "one_of",
}
_RANGES = {"greater_than": ">", "greater_than_equal": "≥", "less_than": "<", "less_than_equal": "≤"}
_LENGTHS = {"too_long": "≤", "too_short": "≥", "string_too_long": "≤"}
_BOUNDS = ("gt", "ge", "lt", "le", "max_length", "min_length")


def faults_of(fault: ValidationError) -> list[tuple[str, str, Mapping[str, str]]]:
    """Faults by place; where a value may be one of several kinds, only once."""
    found: dict[str, tuple[str, str, Mapping[str, str]]] = {}
    for one in fault.errors(include_url=False):
        place, several = _place(one["loc"])
        code, values = _fault(one["type"], one.get("ctx", {}), one.get("input"))
        if several and one["type"] not in _RANGES and one["type"] not in _LENGTHS:
            code = "kind"
        found.setdefault(place, (place, code, values))
    return list(found.values())


_UNIONS = frozenset({"Days", "constrained-str", "str", "dict[str,any]"})


def _place(location: tuple[int | str, ...]) -> tuple[str, bool]:
    """A place as a person writes it (teams[0].start), and whether it lies in one of several kinds."""
    words, several = "", False
    for part in location:
        if several:
            break
        if isinstance(part, int):
            words += f"[{part}]"
        elif part in _UNIONS or "[" in part:
            several = True
        else:
            words += f".{part}" if words else part
    return words, several


def _fault(kind: str, context: Mapping[str, Any], given: object) -> tuple[str, Mapping[str, str]]:
    value = str(given)[:60]
    bound = str(next((context[name] for name in _BOUNDS if name in context), ""))
    if kind in _RANGES:
        return "range", {"value": value, "bound": f"{_RANGES[kind]} {bound}"}
    if kind in _LENGTHS:
        return "length", {"bound": f"{_LENGTHS[kind]} {bound}"}
    if kind in {"literal_error", "enum"}:
        return "one_of", {"value": value, "known": str(context.get("expected", ""))}
    return _KINDS.get(kind, "kind"), {"value": value}


def request_schema() -> bytes:
    """The JSON Schema of a request, as ``docs/request.schema.json`` holds it."""
    schema = Request.model_json_schema()
    told = {"$schema": _DRAFT, "$id": SCHEMA_ID, **schema, "title": "villagemap request"}
    return orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n"
