"""From a request to a problem: teams, days, locks and stops that hold together, and findings about what didn't."""

import math
from dataclasses import dataclass, field
from datetime import date, timedelta

from villagemap.auth import Policy
from villagemap.errors import AmbiguousError, NotFoundError
from villagemap.flows.registry import Session, flow
from villagemap.flows.routes.findings import Finding
from villagemap.flows.routes.places import find_any, seat_of
from villagemap.flows.routes.request import Days, LockTold, Point, Request, TeamTold, seconds
from villagemap.flows.routes.stops import MINUTE_S, Stops
from villagemap.model import Level
from villagemap.plans import Lock, LunchRule, Problem, Site, Stop, Team
from villagemap.texts import DEFAULT_LANG, text

SATURDAY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A problem, what was found on the way to it, and the id of the sweep that it is for ("" for none)."""

    problem: Problem
    findings: tuple[Finding, ...]
    sweep: str = ""


@flow("plans.ask", Policy.PLAN)
def ask(session: Session, request: Request) -> Asked:
    """The problem that a request means in this county.

    Raises
    ------
    NotFoundError, AmbiguousError, WrongUseError
        ``unknown_town``, ``unknown_categories``, … for a word of ``choose``; ``unknown_sweep``: what is to be visited
        isn't known then.
    """
    days = _days(session, request)
    teams = _Teams(session, request, len(days))
    teams.collect()
    stops = Stops(session, request, frozenset(team.id for team in teams.teams), len(days))
    found = stops.collect()
    findings = [*teams.findings, *stops.findings, *_short_shifts(teams.teams, found, request)]
    locks = _locks(request, stops.names, stops.teams, len(days), {stop.id for stop in found}, findings)
    if not found and not any(finding.code == "sweep_done" for finding in findings):
        findings.append(Finding(code="no_stops"))
    problem = Problem(
        name=request.name or text("plans.names.plan", DEFAULT_LANG, day=days[0].isoformat()),
        days=tuple(days),
        teams=tuple(teams.teams),
        stops=tuple(found),
        sites=tuple(teams.sites.values()),
        objectives=tuple(dict.fromkeys(request.objectives)),
        spread_percent=request.spread_percent,
        setup_s=round(request.setup_min * MINUTE_S),
        split_villages=request.split_villages,
        locks=tuple(locks),
    )
    return Asked(problem=problem, findings=tuple(findings), sweep=stops.sweep)


def _days(session: Session, request: Request) -> list[date]:
    told = request.days
    if told is None:
        return [session.workspace.settings.day()]
    if not isinstance(told, Days):
        return sorted(set(told))
    days: list[date] = []
    day = told.first
    while len(days) < told.count:
        if told.weekends or day.weekday() < SATURDAY:
            days.append(day)
        day += timedelta(days=1)
    return days


def _short_shifts(teams: list[Team], stops: list[Stop], request: Request) -> list[Finding]:
    """Teams whose working day is shorter than any one visit."""
    if not stops:
        return []
    least = min(stop.service_s for stop in stops) + round(request.setup_min * MINUTE_S)
    short = [team for team in teams if team.day_end_s - team.day_start_s < least]
    return [Finding(code="shift_short", team=t.id, params={"minutes": math.ceil(least / MINUTE_S)}) for t in short]


def _locks(
    request: Request,
    names: dict[str, str],
    teams: frozenset[str],
    days: int,
    planned: set[str],
    findings: list[Finding],
) -> list[Lock]:
    """Locks of stops, teams and days that there are; the others are told."""
    locks = []
    for told in request.locks:
        stop = names.get(told.stop, told.stop)
        code = _lock_fault(told, stop, teams, days, planned)
        if code:
            params = {"team": told.team} if code == "lock_unknown_team" else {}
            findings.append(Finding(code=code, stop=told.stop, params=params))
        else:
            locks.append(
                Lock(
                    stop=stop,
                    team=told.team,
                    day=told.day,
                    position=told.position,
                    not_day=told.not_day,
                    keep=told.keep,
                )
            )
    return locks


def _lock_fault(told: LockTold, stop: str, teams: frozenset[str], days: int, planned: set[str]) -> str:
    if stop not in planned:
        return "lock_unknown_stop"
    if told.team and told.team not in teams:
        return "lock_unknown_team"
    return "lock_unknown_day" if max(told.day, told.not_day) > days else ""


@dataclass(slots=True)
class _Teams:
    """Collects the teams of a request and the sites where they start and end."""

    session: Session
    request: Request
    days: int
    teams: list[Team] = field(default_factory=list)
    sites: dict[str, Site] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def collect(self) -> None:
        """All teams that can drive."""
        for number, told in enumerate(self.request.teams, 1):
            word = told.id or f"t{number}"
            if any(team.id == word for team in self.teams):
                self._tell("team_repeats", word, left_out=True)
                continue
            team = self._team(told, word)
            if team is not None:
                self.teams.append(team)
        if not self.teams:
            self.findings.append(Finding(code="no_teams"))

    def _team(self, told: TeamTold, word: str) -> Team | None:
        start_s, end_s = seconds(told.day_start), seconds(told.day_end)
        days = tuple(sorted({day for day in told.days if day <= self.days}))
        if start_s >= end_s:
            self._tell("shift_backwards", word, left_out=True, start=told.day_start, end=told.day_end)
            return None
        if told.days and not days:
            self._tell("team_no_day", word, left_out=True, count=self.days)
            return None
        start = self._site(told.start, word) or self._home(word)
        end = self._site(told.end, word) or start
        if start is None or end is None:
            return None
        return Team(
            id=word,
            name=told.name or text("plans.names.team", DEFAULT_LANG, id=word.removeprefix("t")),
            start=start,
            end=end,
            day_start_s=start_s,
            day_end_s=end_s,
            lunch=self._lunch(told, word),
            skills=frozenset(told.skills),
            most_stops=told.most_stops,
            days=days,
        )

    def _lunch(self, told: TeamTold, word: str) -> LunchRule | None:
        if told.lunch is None:
            return None
        first, last = seconds(told.lunch.earliest), seconds(told.lunch.latest)
        if first > last:
            self._tell("lunch_backwards", word, start=told.lunch.earliest, end=told.lunch.latest)
            return LunchRule(duration_s=told.lunch.minutes * MINUTE_S)
        return LunchRule(duration_s=told.lunch.minutes * MINUTE_S, earliest_s=first, latest_s=last)

    def _site(self, point: Point | None, team: str) -> str | None:
        """The id of the site that is meant; None where none is, which is told if one was."""
        matrix = self.request.travel.matrix if self.request.travel else None
        if point is None:
            return None
        if matrix is None:
            return self._at_place(point, team) if isinstance(point, str) else self._at(point, team)
        if not isinstance(point, str) or point not in matrix.ids:
            self._tell("start_not_in_matrix", team, word=str(point))
            return None
        return self._keep(Site(id=f"@{point}", name=point))

    def _at_place(self, word: str, team: str) -> str | None:
        try:
            place = find_any(self.session.workspace.gazetteer(), word)
        except (NotFoundError, AmbiguousError):
            self._tell("start_unknown", team, word=word)
            return None
        seat = seat_of(place)
        if seat is None:
            self._tell("start_nowhere", team, word=word)
            return None
        return self._keep(Site(id=f"@{place.place_id}", name=place.name, lon=seat[0], lat=seat[1]))

    def _at(self, point: tuple[float, float], team: str) -> str | None:
        lon, lat = point
        if not (math.isfinite(lon) and math.isfinite(lat) and abs(lon) <= 180 and abs(lat) <= 90):  # noqa: PLR2004 - degrees
            self._tell("start_unknown", team, word=f"{lon}, {lat}")
            return None
        return self._keep(Site(id=f"@{lon:.6f},{lat:.6f}", name=f"{lon:.5f}, {lat:.5f}", lon=lon, lat=lat))

    def _home(self, team: str) -> str | None:
        """Where a team sets out that says nothing: the matrix' first site, the county's seat, else the first town's."""
        matrix = self.request.travel.matrix if self.request.travel else None
        if matrix is not None:
            return self._keep(Site(id=f"@{matrix.ids[0]}", name=matrix.ids[0]))
        gazetteer = self.session.workspace.gazetteer()
        for place in (*gazetteer.level(Level.COUNTY), *gazetteer.level(Level.TOWN)):
            seat = seat_of(place)
            if seat is not None:
                return self._keep(Site(id=f"@{place.place_id}", name=place.name, lon=seat[0], lat=seat[1]))
        self._tell("start_needed", team, left_out=True)
        return None

    def _keep(self, site: Site) -> str:
        return self.sites.setdefault(site.id, site).id

    def _tell(self, code: str, team: str, *, left_out: bool = False, **params: str | int) -> None:
        self.findings.append(Finding(code=code, team=team, left_out=left_out, params=params))
