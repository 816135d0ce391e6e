"""A new plan during the day: what has happened stays, and what was moved, dropped or came in is told."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import Field, ValidationError

from villagemap.auth import Policy
from villagemap.errors import NotFoundError
from villagemap.flows.campaigns.sweep_views import coverage
from villagemap.flows.registry import Session, flow
from villagemap.flows.routes.findings import Finding
from villagemap.flows.routes.kept import KeptPlan, Made, find_plan, keep_revision, made_of, plan_of
from villagemap.flows.routes.request import (
    MOST_DAYS,
    MOST_STOPS,
    Clock,
    Part,
    Polygon,
    Request,
    StopTold,
    UnreadableRequestError,
    Word,
    faults_of,
    parsed,
    read_request,
    seconds,
)
from villagemap.flows.routes.stops import MINUTE_S, Stops
from villagemap.flows.routes.travelling import again, sites_of
from villagemap.plans import MatrixKind, Problem, Stop
from villagemap.routing.replanning import Change, Replanned, Situation, replan
from villagemap.routing.telling import Teller
from villagemap.sweeps import VISITED

LATE_MIN = Annotated[float, Field(ge=0, le=1440)]


class Happened(Part):
    """Where things stand on a day of a plan."""

    day: int = Field(ge=1, le=MOST_DAYS)
    now: Clock
    done: list[Word] = Field(default=[], max_length=MOST_STOPS)
    """Stops called at today; those whose village was checked in at in the plan's sweep count by themselves."""
    missed: list[Word] = Field(default=[], max_length=MOST_STOPS)
    """Stops of earlier days that were not called at."""
    under_way: dict[Word, Word] = Field(default={}, max_length=100)
    """Team to the stop that it is at or on its way to."""
    late: dict[Word, LATE_MIN] = Field(default={}, max_length=100)
    """Team to minutes."""
    broken: list[Word] = Field(default=[], max_length=100)
    """Teams whose car is out of service for today."""
    closed: list[Polygon | Word] = Field(default=[], max_length=100)
    """Roads closed from now on."""
    new_stops: list[StopTold] = Field(default=[], max_length=200)
    revision: int | None = None
    """The revision that the asker has seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPlan:
    """The new revision, what changed of what was still to come, and how much of that stayed (0 to 1)."""

    kept: KeptPlan
    changes: tuple[Change, ...]
    stability: float


def read_happened(said: bytes | Mapping[str, Any]) -> Happened:
    """What happened, as JSON says it; raises `UnreadableRequestError`."""
    try:
        return Happened.model_validate(parsed(said or b"{}"))
    except ValidationError as fault:
        raise UnreadableRequestError(faults_of(fault)) from fault


@flow("plans.replan", Policy.PLAN)
def replan_day(session: Session, word: str, happened: Happened) -> NewPlan:
    """Plan the rest of a day, and the days after it, anew; the new plan is a revision of the old.

    Raises
    ------
    NotFoundError
        ``unknown_plan``, ``unknown_stop``, ``unknown_shift``
    ConflictError
        ``plan_changed``
    """
    kept = plan_of(find_plan(session, word))
    made = made_of(session, kept)
    _check(made.problem, happened)
    request = read_request(made.request or b"{}")
    request = request.model_copy(update={"closed": [*request.closed, *happened.closed]})
    new, findings = _new_stops(session, request, made, happened)
    wider = replace(made.problem, stops=(*made.problem.stops, *new))
    matrix = made.matrix
    if new or happened.closed:
        matrix = again(session, made.matrix, sites_of(wider), request.closed)
    found = replan(made.problem, matrix, made.plan, _situation(session, kept, happened, new))
    made = Made(
        problem=found.problem,
        matrix=matrix,
        plan=found.plan,
        findings=(*made.findings, *findings),
        request=request.model_dump_json(exclude_defaults=True),
        sweep=made.sweep,
    )
    revision = kept.revision if happened.revision is None else happened.revision
    return _as_new(keep_revision(session, kept.id, made, revision=revision, kind="replan"), found)


def _as_new(kept: KeptPlan, found: Replanned) -> NewPlan:
    return NewPlan(kept=kept, changes=found.changes, stability=found.stability)


def _check(problem: Problem, happened: Happened) -> None:
    stops, teams = {stop.id for stop in problem.stops}, {team.id for team in problem.teams}
    for stop in (*happened.done, *happened.missed, *happened.under_way.values()):
        if stop not in stops:
            raise NotFoundError("unknown_stop", stop=stop)
    for team in (*happened.under_way, *happened.late, *happened.broken):
        if team not in teams or happened.day > len(problem.days):
            raise NotFoundError("unknown_shift", team=team, day=happened.day)


def _new_stops(
    session: Session, request: Request, made: Made, happened: Happened
) -> tuple[tuple[Stop, ...], list[Finding]]:
    """What came up, as stops; in a matrix that somebody gave there is no row for it."""
    teams = frozenset(team.id for team in made.problem.teams)
    asked = request.model_copy(update={"stops": happened.new_stops, "choose": None, "sweep": "", "group_within_m": 0})
    if not happened.new_stops:
        return (), []
    stops = Stops(session, asked, teams, len(made.problem.days))
    known = {stop.id for stop in made.problem.stops}
    found = [stop for stop in stops.collect() if stop.id not in known]
    if made.matrix.kind is not MatrixKind.GIVEN:
        return tuple(found), stops.findings
    inside = [stop for stop in found if stop.id in made.matrix.ids]
    lost = [Finding(code="not_in_matrix", stop=s.id, left_out=True) for s in found if s.id not in made.matrix.ids]
    return tuple(inside), [*stops.findings, *lost]


def _situation(session: Session, kept: KeptPlan, happened: Happened, new: tuple[Stop, ...]) -> Situation:
    seen = [stop for stop in visited(session, kept) if stop not in happened.under_way.values()]
    return Situation(
        day=happened.day,
        now_s=seconds(happened.now),
        done=tuple(dict.fromkeys([*happened.done, *seen])),
        under_way=dict(happened.under_way),
        late_s={team: round(minutes * MINUTE_S) for team, minutes in happened.late.items()},
        broken=frozenset(happened.broken),
        new_stops=new,
        missed=frozenset(happened.missed) - set(seen),
    )


def visited(session: Session, kept: KeptPlan) -> list[str]:
    """Stops of a plan whose place was visited, with proof, in the sweep that the plan is for."""
    if not kept.sweep:
        return []
    done = {line.place.place_id for line in coverage(session, kept.sweep).places if line.outcome in VISITED}
    return [stop.id for stop in kept.problem.stops if stop.place_id in done and not stop.issue_ids]


def told_changes(new: NewPlan, lang: str) -> dict[str, Any]:
    """What changed, as sentences: ``moved``, ``dropped`` (what was new and found no room too), ``added``."""
    teller = Teller(new.kept.problem, lang)
    kinds = {"moved": "moved", "dropped": "dropped", "refused": "dropped", "came_in": "added"}
    told: dict[str, Any] = {"moved": [], "dropped": [], "added": [], "stability": round(100 * new.stability)}
    for change in new.changes:
        told[kinds[change.kind]].append(
            {
                "stop": change.stop,
                "kind": change.kind,
                "was": change.was,
                "now": change.now,
                "sentence": teller.change(change),
            }
        )
    return told
