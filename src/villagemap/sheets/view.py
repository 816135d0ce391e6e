"""What a sheet is made of: a plan in the words of those who drive it, whole before anything is drawn.

All sentences and labels are in the view's language already. Times of day are seconds after midnight, Asia/Shanghai;
durations ``_s``, distances ``_m``; positions WGS 84 degrees, (lon, lat). No field holds a reporter's, a household's or
a responsible person's name: the only people are the team itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from villagemap.plans import Call, Lunch, MatrixKind, Plan, Problem, Route, Site, Stop
from villagemap.plans.plan import Params
from villagemap.texts import text

Point = tuple[float, float]
"""(lon, lat), WGS 84."""

Line = tuple[Point, ...]
"""At least two points, or () where nothing is known."""


class Ground(StrEnum):
    """What a shape behind the route is; the map draws them in this order, the later over the earlier."""

    NEIGHBOUR = "neighbour"
    """An area that isn't the county's."""
    WATER = "water"
    """An area: sea, reservoir, pond, wide river."""
    STREAM = "stream"
    """A line."""
    VILLAGE = "village"
    """An area or its border."""
    ROAD_MINOR = "road_minor"
    """乡道, 村道; what isn't one of the others."""
    ROAD_MIDDLE = "road_middle"
    """县道; OSM's secondary and tertiary."""
    ROAD_MAJOR = "road_major"
    """国道, 省道; OSM's motorway, trunk and primary."""
    TOWN = "town"
    """An area or its border."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A piece of the map's ground; ``wkb`` is any 2D geometry, longer and wider than the map as it likes.

    ``name`` is written on the map for towns only.
    """

    kind: Ground
    wkb: bytes
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIssue:
    """An open issue to look at: ``number`` (readable), category's label, what it is, who has to mend it.

    ``path`` is its page's path on the server (``/issues/…``), "" where it has none. Restricted issues don't belong
    here, nor do telephone numbers in ``what``.
    """

    number: str
    category: str
    what: str
    duty_unit: str = ""
    due_on: date | None = None
    overdue: bool = False
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallView:
    """A stop in its place of the day: order from 1, times, the leg that leads there, what is to be seen.

    ``service_s`` holds the set-up. ``village_id`` joins stops of one village (its name where it has none);
    ``line`` is the leg's geometry, ``path`` the village's page on the server.
    """

    order: int
    stop: str
    name: str
    village_id: str = ""
    village: str = ""
    town: str = ""
    lon: float | None = None
    lat: float | None = None
    leg_s: int
    leg_m: int
    arrive_s: int
    begin_s: int
    leave_s: int
    wait_s: int = 0
    must: bool = False
    done: bool = False
    issues: tuple[OpenIssue, ...] = ()
    line: Line = ()
    path: str = ""

    @property
    def service_s(self) -> int:
        """Time on the spot, set-up included."""
        return self.leave_s - self.begin_s

    @property
    def at(self) -> Point | None:
        """Where it is; None in a bare matrix."""
        return None if self.lon is None or self.lat is None else (self.lon, self.lat)


@dataclass(frozen=True, slots=True, kw_only=True)
class Depot:
    """Where a team leaves from or comes back to."""

    name: str
    lon: float | None = None
    lat: float | None = None

    @property
    def at(self) -> Point | None:
        """Where it is; None in a bare matrix."""
        return None if self.lon is None or self.lat is None else (self.lon, self.lat)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteView:
    """One team's day. ``day`` counts from 1, ``on`` is its date; ``back_line`` the geometry of the last leg.

    ``lunch.after`` is how many calls come before the break.
    """

    team: str
    team_name: str
    people: tuple[str, ...] = ()
    day: int
    on: date
    start: Depot
    end: Depot
    leave_s: int
    back_s: int
    back_leg_s: int
    back_leg_m: int
    back_line: Line = ()
    calls: tuple[CallView, ...]
    lunch: Lunch | None = None
    breaches: tuple[str, ...] = ()
    """Sentences: what this day breaks, where a person kept it nevertheless."""

    @property
    def travel_s(self) -> int:
        """Driving time."""
        return sum(call.leg_s for call in self.calls) + self.back_leg_s

    @property
    def distance_m(self) -> int:
        """Driving distance."""
        return sum(call.leg_m for call in self.calls) + self.back_leg_m

    @property
    def working_s(self) -> int:
        """From leaving to being back, without lunch."""
        return self.back_s - self.leave_s - (self.lunch.end_s - self.lunch.begin_s if self.lunch else 0)

    @property
    def open_issues(self) -> int:
        """How many open issues lie at its stops."""
        return sum(len(call.issues) for call in self.calls)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOutView:
    """A stop that isn't planned: why, and what would help, as sentences."""

    stop: str
    name: str
    village: str = ""
    town: str = ""
    must: bool = False
    why: str = ""
    hints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    """Several teams' days, and what they share.

    Parameters
    ----------
    matrix
        A sentence that says where times and distances come from.
    estimated
        Whether they are straight lines: the sentence then stands in the head of each sheet, in a frame.
    demo
        The county is made up: 示例 / DEMO on each page.
    review_number
        The map's review number (审图号); without one each page says 内部用图.
    base_address
        ``https://host[:port]`` of the county's server, to which ``path`` is added in codes and links; "" for none.
    ground
        What the map shows behind the routes; () for a map of the stops alone.
    ground_source
        Where the ground comes from, for the line below the map.
    approximate
        Whether borders on it are approximate: they are drawn dashed, and the caption says so.
    """

    title: str
    county_name: str
    lang: str
    routes: tuple[RouteView, ...]
    left_out: tuple[LeftOutView, ...] = ()
    matrix: str = ""
    estimated: bool = False
    demo: bool = False
    review_number: str = ""
    base_address: str = ""
    ground: tuple[Shape, ...] = field(default=(), repr=False)
    ground_source: str = ""
    approximate: bool = False

    def only(self, team: str = "", day: int = 0) -> "PlanView":
        """The routes of one team, of one day, or both; what was left out stays with the whole plan alone."""
        routes = tuple(r for r in self.routes if (not team or r.team == team) and (not day or r.day == day))
        return self if routes == self.routes else replace(self, routes=routes, left_out=())

    def link(self, path: str) -> str:
        """The address of a page of ours; "" where there is no server to reach or no page."""
        return self.base_address.rstrip("/") + path if self.base_address and path else ""


def view_of(
    problem: Problem,
    plan: Plan,
    *,
    lang: str,
    county_name: str,
    people: Mapping[str, Sequence[str]] | None = None,
    issues: Mapping[str, Sequence[OpenIssue]] | None = None,
    paths: Mapping[str, str] | None = None,
    lines: Mapping[tuple[str, int], Sequence[Line]] | None = None,
    why: Mapping[str, str] | None = None,
    hints: Mapping[str, Sequence[str]] | None = None,
    breaches: Mapping[tuple[str, int], Sequence[str]] | None = None,
) -> PlanView:
    """As much of a view as follows from a problem and its plan; ``dataclasses.replace`` adds what the county knows.

    Parameters
    ----------
    people
        By team.
    issues, paths
        By stop: its open issues, and its village's page.
    lines
        By team and day: the geometry of each leg, the first from the start, one more than there are calls.
    why, hints
        By stop left out: sentences. A stop without one has "".
    breaches
        By team and day: sentences.

    Raises
    ------
    KeyError
        If the plan isn't one of this problem.
    """
    known = _Known(problem, people or {}, issues or {}, paths or {}, lines or {}, breaches or {})
    ordered = sorted(plan.routes, key=lambda route: (route.day, known.rank[route.team]))
    left = [
        LeftOutView(
            stop=one.stop,
            name=(stop := known.stops[one.stop]).name,
            village=stop.village_name,
            town=stop.town_name,
            must=stop.must,
            why=(why or {}).get(one.stop, ""),
            hints=tuple((hints or {}).get(one.stop, ())),
        )
        for one in plan.left_out
    ]
    return PlanView(
        title=problem.name,
        county_name=county_name,
        lang=lang,
        routes=tuple(known.route(route) for route in ordered if route.calls),
        left_out=tuple(left),
        matrix=matrix_sentence(plan.matrix, lang),
        estimated=bool(plan.matrix.get("estimated")),
    )


def matrix_sentence(matrix: Params, lang: str) -> str:
    """Where the travel times of a plan come from, from its ``matrix``."""
    kind, about = str(matrix.get("kind", "")), matrix.get("about", {})
    if kind == MatrixKind.LINE and {"detour", "speed_km_h"} <= set(about):
        return text("sheets.matrix.line_by", lang, detour=about["detour"], speed=about["speed_km_h"])
    return text(f"sheets.matrix.{kind}", lang) if kind in set(MatrixKind) else ""


class _Known:
    """A problem's stops, teams and sites by id, and what a caller told of them."""

    def __init__(
        self,
        problem: Problem,
        people: Mapping[str, Sequence[str]],
        issues: Mapping[str, Sequence[OpenIssue]],
        paths: Mapping[str, str],
        lines: Mapping[tuple[str, int], Sequence[Line]],
        breaches: Mapping[tuple[str, int], Sequence[str]],
    ) -> None:
        self.problem, self.people, self.issues, self.paths = problem, people, issues, paths
        self.lines, self.breaches = lines, breaches
        self.stops: dict[str, Stop] = {stop.id: stop for stop in problem.stops}
        sites = [*problem.sites, *(Site(id=s.id, name=s.name, lon=s.lon, lat=s.lat) for s in problem.stops)]
        self.depots = {site.id: Depot(name=site.name or site.id, lon=site.lon, lat=site.lat) for site in sites}
        self.teams = {team.id: team for team in problem.teams}
        self.rank = {team.id: n for n, team in enumerate(problem.teams)}

    def route(self, route: Route) -> RouteView:
        team, shift = self.teams[route.team], (route.team, route.day)
        lines = [tuple(line) for line in self.lines.get(shift, ())] or [()] * (len(route.calls) + 1)
        return RouteView(
            team=team.id,
            team_name=team.name or team.id,
            people=tuple(self.people.get(team.id, ())),
            day=route.day,
            on=self.problem.days[route.day - 1],
            start=self.depots[team.start],
            end=self.depots[team.end],
            leave_s=route.leave_s,
            back_s=route.back_s,
            back_leg_s=route.back_leg_s,
            back_leg_m=route.back_leg_m,
            back_line=lines[-1],
            calls=tuple(self.call(n, call, lines[n - 1]) for n, call in enumerate(route.calls, 1)),
            lunch=route.lunch,
            breaches=tuple(self.breaches.get(shift, ())),
        )

    def call(self, order: int, call: Call, line: Line) -> CallView:
        stop = self.stops[call.stop]
        return CallView(
            order=order,
            stop=stop.id,
            name=stop.name or stop.id,
            village_id=stop.village or stop.village_name or stop.id,
            village=stop.village_name,
            town=stop.town_name,
            lon=stop.lon,
            lat=stop.lat,
            leg_s=call.leg_s,
            leg_m=call.leg_m,
            arrive_s=call.arrive_s,
            begin_s=call.begin_s,
            leave_s=call.leave_s,
            wait_s=call.wait_s,
            must=stop.must,
            done=call.done,
            issues=tuple(self.issues.get(stop.id, ())),
            line=line,
            path=self.paths.get(stop.id, ""),
        )
