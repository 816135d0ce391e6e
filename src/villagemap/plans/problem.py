"""What is to be visited, by whom, when: a problem as the solver, the verifier and the explanations read it.

Everything a person wrote is resolved: words became ids, clock times seconds, lengths metres. A problem is sound by
itself (`Problem` says how); what a request had wrong was told, and left out, before it became one.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

LUNCH_S = 3600
LUNCH_FROM_S = 11 * 3600 + 1800
LUNCH_TO_S = 13 * 3600


class Objective(StrEnum):
    """What a good plan is; the earlier in `Problem.objectives`, the more it counts."""

    COVER = "cover"
    """As many villages as can be (a village counts once one of its stops is called at), must-stops before all."""
    PRIORITY = "priority"
    """The largest sum of priorities called at."""
    TRAVEL = "travel"
    """The least driving time."""
    FAIRNESS = "fairness"
    """Working time spread over the teams by at most ``Problem.spread_percent``."""


@dataclass(frozen=True, slots=True)
class Window:
    """Seconds after midnight between which a service begins, both ends included; it may end later."""

    start_s: int
    end_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LunchRule:
    """A break of ``duration_s`` that begins between two times of day, both included.

    It is due on a route that leaves before ``latest_s`` and is back after it; a day that is over by then, or begins
    after it, has none. It is taken standing: between two services or before the first or after the last, before or
    after the drive, never during either.
    """

    duration_s: int = LUNCH_S
    earliest_s: int = LUNCH_FROM_S
    latest_s: int = LUNCH_TO_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """People in one car. ``start``, ``end`` are sites; ``days`` () are all. ``most_stops`` is a day's, None no bound.

    The day's shift is ``day_start_s`` to ``day_end_s``: no leaving before, back by its end.
    """

    id: str
    name: str
    start: str
    end: str
    day_start_s: int
    day_end_s: int
    lunch: LunchRule | None = LunchRule()
    skills: frozenset[str] = frozenset()
    most_stops: int | None = None
    days: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Somewhere that the matrix has a row for; without a position in a bare matrix."""

    id: str
    name: str
    lon: float | None = None
    lat: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One thing to call at, at the site of the same id.

    Parameters
    ----------
    service_s
        Time on the spot, without the set-up.
    priority
        Worth of calling, 0 to 100. A ``must`` is worth more than all that isn't one.
    windows
        Service begins inside one of these, on any day; () at any time.
    skill
        What the team must have; "" for nothing.
    teams, days
        Those allowed; () all.
    village
        Id of the village it lies in; "" for none. Stops of one village form one node, unless it is split.
    spot
        Stops of one spot (a hamlet, or issues close together) share one set-up when called at one after another.
    place_id, issue_ids
        What it stands for in the register.
    """

    id: str
    name: str
    lon: float | None = None
    lat: float | None = None
    service_s: int = 1200
    priority: int = 1
    must: bool = False
    windows: tuple[Window, ...] = ()
    skill: str = ""
    teams: tuple[str, ...] = ()
    days: tuple[int, ...] = ()
    village: str = ""
    village_name: str = ""
    town_name: str = ""
    spot: str = ""
    place_id: str = ""
    issue_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What a person has fixed of one stop: its team, its day, first or last of its route (``position``), or a day not.

    ``keep`` says that it must be in the plan at all.
    """

    stop: str
    team: str = ""
    day: int = 0
    position: str = ""
    """"first", "last" or ""."""
    not_day: int = 0
    keep: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is to be planned.

    Sound means: ids of stops and sites differ, and a stop's id is its site's too; every team's start and end is in
    ``sites`` (depots only, stops are sites by themselves); windows and shifts begin before they end; days, teams and
    stops that are named exist. ``setup_s`` is added to the service of a stop unless the stop before it on the route has
    the same ``spot`` (not ""). ``split_villages`` lets one village go to several teams on a day.
    """

    name: str
    days: tuple[date, ...]
    teams: tuple[Team, ...]
    stops: tuple[Stop, ...]
    sites: tuple[Site, ...] = ()
    objectives: tuple[Objective, ...] = (Objective.COVER, Objective.PRIORITY, Objective.TRAVEL)
    spread_percent: int = 10
    setup_s: int = 300
    split_villages: bool = False
    locks: tuple[Lock, ...] = ()

    def shifts(self) -> list[tuple[Team, int]]:
        """Every (team, day) on which somebody drives, by day and then by team."""
        days = range(1, len(self.days) + 1)
        return [(team, day) for day in days for team in self.teams if not team.days or day in team.days]
