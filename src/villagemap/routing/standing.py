"""A plan as orders of stops that can be changed: what edits, explanations and new plans during the day work on."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from villagemap.plans import LeftOut, Lock, Matrix, Plan, Problem, Route, Stop, Team
from villagemap.plans.plan import Params
from villagemap.routing.figures import figures_of
from villagemap.routing.schedule import Begun, Timed, Timetable

Shift = tuple[str, int]
"""A team's id and a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What forbids a stop a shift (a key under ``routes.binding``), and the change that would lift it, if any does."""

    code: str
    params: Params = field(default_factory=dict)
    change: tuple[str, Params] | None = None


def begun_of(route: Route) -> Begun | None:
    """What of a route has happened: its done calls, and when it goes on from there."""
    done = tuple(call for call in route.calls if call.done)
    if not done:
        return None
    lunch = route.lunch if route.lunch and route.lunch.after < len(done) else None
    if len(done) < len(route.calls):
        then = route.calls[len(done)]
        free_s = then.arrive_s - then.leg_s
    else:
        free_s = route.back_s - route.back_leg_s
    if route.lunch and not lunch and route.lunch.after == len(done) and route.lunch.before_drive:
        free_s = route.lunch.begin_s
    return Begun(leave_s=route.leave_s, free_s=max(free_s, done[-1].leave_s), calls=done, lunch=lunch)


class Standing:
    """Where a plan stands: by shift the order of what is to come (``orders``), and what has happened (``begun``).

    ``closed`` shifts take nothing: they are over, or their car is broken.
    """

    def __init__(
        self,
        problem: Problem,
        matrix: Matrix,
        plan: Plan,
        *,
        begun: Mapping[Shift, Begun] | None = None,
        closed: Collection[Shift] = frozenset(),
    ) -> None:
        self.problem, self.closed = problem, closed
        self.table = Timetable(problem, matrix)
        self.teams: dict[str, Team] = {team.id: team for team in problem.teams}
        self.stop: dict[str, Stop] = self.table.stop
        self.locks: dict[str, list[Lock]] = {}
        for lock in problem.locks:
            self.locks.setdefault(lock.stop, []).append(lock)
        shifts = [(team.id, day) for team, day in problem.shifts()]
        self.routes: dict[Shift, Route] = {(route.team, route.day): route for route in plan.routes}
        self.orders: dict[Shift, list[str]] = {shift: [] for shift in shifts}
        self.begun: dict[Shift, Begun] = dict(begun or {})
        for shift, route in self.routes.items():
            self.orders[shift] = [call.stop for call in route.calls if not call.done]
            happened = begun_of(route)
            if happened and shift not in self.begun:
                self.begun[shift] = happened

    @property
    def shifts(self) -> list[Shift]:
        """Those that can take a stop."""
        return [shift for shift in self.orders if shift not in self.closed]

    def timed(self, shift: Shift, stops: Sequence[str] | None = None, *, team: Team | None = None) -> Timed:
        """The shift's route with another order, or another working day of its team."""
        order = self.orders[shift] if stops is None else stops
        return self.table.time(team or self.teams[shift[0]], shift[1], order, begun=self.begun.get(shift))

    def put(self, shift: Shift, stops: Sequence[str]) -> None:
        """Take another order for good."""
        self.orders[shift] = list(stops)
        self.routes[shift] = self.timed(shift).route

    def written(self, plan: Plan, left_out: Sequence[LeftOut]) -> Plan:
        """The plan that stands now, with the figures that follow; what a route no longer has is gone with its day."""
        order = {team.id: at for at, team in enumerate(self.problem.teams)}
        routes = [route for route in self.routes.values() if route.calls]
        routes.sort(key=lambda route: (route.day, order[route.team]))
        price = plan.figures.fairness_price_s
        figures = figures_of(self.problem, routes, fairness_price_s=price)
        same = {call.stop for route in routes for call in route.calls} == {
            call.stop for route in plan.routes for call in route.calls
        }
        return replace(
            plan,
            routes=tuple(routes),
            left_out=tuple(left_out),
            figures=figures,
            lower_bound_s=plan.lower_bound_s if same else None,
            shortfall=plan.shortfall if same else None,
        )

    def needs(self, stop: Stop, shift: Shift) -> list[Need]:
        """What forbids a stop a shift whatever the hour: skill, teams, days, locks, village, number of calls."""
        team, day = self.teams[shift[0]], shift[1]
        found = []
        if stop.skill and stop.skill not in team.skills:
            change = ("add_skill", {"team": team.id, "skill": stop.skill})
            found.append(Need(code="skill", params={"skill": stop.skill}, change=change))
        if stop.teams and team.id not in stop.teams:
            found.append(Need(code="team", change=("allow_team", {"stop": stop.id, "team": team.id})))
        if stop.days and day not in stop.days:
            found.append(Need(code="day", change=("allow_day", {"stop": stop.id, "day": day})))
        if any(_forbids(lock, team.id, day) for lock in self.locks.get(stop.id, [])):
            found.append(Need(code="lock", change=("unlock", {"stop": stop.id})))
        holder = self.holder(stop.village, shift)
        if holder:
            params = {"village": stop.village_name or stop.village, "holder": holder}
            change = ("split_villages", {"village": stop.village_name or stop.village})
            found.append(Need(code="village", params=params, change=change))
        return found + self.crowd(shift)

    def crowd(self, shift: Shift) -> list[Need]:
        """That a shift has all the calls that it may have."""
        team, begun = self.teams[shift[0]], self.begun.get(shift)
        calls = len(self.orders.get(shift, ())) + (len(begun.calls) if begun else 0)
        if team.most_stops is None or calls < team.most_stops:
            return []
        over = calls + 1 - team.most_stops
        change = ("raise_most", {"team": team.id, "day": shift[1], "most": calls + 1})
        return [Need(code="too_many_stops", params={"over": over, "most": team.most_stops}, change=change)]

    def holder(self, village: str, shift: Shift) -> str:
        """Another team that has a village on that day, unless it may be split; "" for none."""
        if not village or self.problem.split_villages:
            return ""
        for (team, day), order in self.orders.items():
            if day == shift[1] and team != shift[0] and any(self.stop[stop].village == village for stop in order):
                return team
        return ""

    def places(self, stop: str, shift: Shift) -> list[bool]:
        """For each number of calls to come that a stop could stand behind, whether a first or last lock allows that."""
        order = self.orders[shift]
        ends = {lock.position for lock in self.locks.get(stop, [])} - {""}
        allowed = [True] * (len(order) + 1)
        for at in range(len(order) + 1):
            own = ("first" not in ends or at == 0) and ("last" not in ends or at == len(order))
            behind_last = at == len(order) > 0 and self.fixed(order[-1], "last")
            before_first = at == 0 < len(order) and self.fixed(order[0], "first")
            allowed[at] = own and not behind_last and not before_first
        return allowed

    def fixed(self, stop: str, position: str) -> bool:
        """Whether a lock holds the stop "first" or "last"."""
        return any(lock.position == position for lock in self.locks.get(stop, []))


def _forbids(lock: Lock, team: str, day: int) -> bool:
    return lock.team not in ("", team) or lock.day not in (0, day) or lock.not_day == day
