"""Changing a plan by hand: try a move, keep it, lock stops; every change is a new revision and can be taken back."""

from collections.abc import Sequence
from dataclasses import replace

from villagemap.auth import Policy
from villagemap.errors import ConflictError, NotFoundError
from villagemap.flows.registry import Session, flow
from villagemap.flows.routes.kept import KeptPlan, find_plan, keep_revision, made_of, plan_of
from villagemap.plan_check import Breach, check_plan
from villagemap.plans import Lock
from villagemap.plans.codec import to_json
from villagemap.routing.editing import Edited, Move, move
from villagemap.routing.explaining import explain


class PlanBreaksError(ConflictError):
    """A change that breaks what the plan held so far: ``plan_breaks``, with what it breaks."""

    def __init__(self, breaches: Sequence[Breach]) -> None:
        super().__init__("plan_breaks", count=len(breaches))
        self.breaches = tuple(breaches)


@flow("plans.try", Policy.PLAN)
def try_moves(session: Session, word: str, moves: Sequence[Move]) -> tuple[KeptPlan, Edited]:
    """What moves would come to; nothing is kept.

    Raises
    ------
    NotFoundError
        ``unknown_plan``, ``unknown_stop``, ``unknown_shift``
    ConflictError
        ``stop_is_done``
    """
    kept = plan_of(find_plan(session, word))
    made = made_of(session, kept)
    return kept, move(made.problem, made.matrix, made.plan, moves)


@flow("plans.move", Policy.PLAN)
def keep_moves(
    session: Session, word: str, moves: Sequence[Move], *, revision: int | None = None, force: bool = False
) -> KeptPlan:
    """Make moves and keep the plan, with ``force`` whatever it breaks; raises as `try_moves` does.

    Raises
    ------
    PlanBreaksError
        ``plan_breaks`` for what the plan didn't break before.
    ConflictError
        ``plan_changed``
    """
    kept = plan_of(find_plan(session, word))
    made = made_of(session, kept)
    edited = move(made.problem, made.matrix, made.plan, moves)
    before = {to_json(breach) for breach in check_plan(made.problem, made.matrix, made.plan)}
    fresh = [breach for breach in edited.breaches if to_json(breach) not in before]
    if fresh and not force:
        raise PlanBreaksError(fresh)
    plan = explain(made.problem, made.matrix, edited.plan)
    return keep_revision(
        session,
        kept.id,
        replace(made, plan=plan),
        revision=kept.revision if revision is None else revision,
        kind="move",
    )


@flow("plans.lock", Policy.PLAN)
def set_locks(session: Session, word: str, locks: Sequence[Lock], *, revision: int | None = None) -> KeptPlan:
    """Fix stops; ``locks`` take the place of all that there are. The routes stay: a new plan goes by the locks.

    Raises
    ------
    NotFoundError
        ``unknown_plan``, ``unknown_stop``, ``unknown_shift`` for a lock of something that isn't in the problem.
    ConflictError
        ``plan_changed``
    """
    kept = plan_of(find_plan(session, word))
    made = made_of(session, kept)
    stops, teams = {stop.id for stop in made.problem.stops}, {team.id for team in made.problem.teams}
    for lock in locks:
        if lock.stop not in stops:
            raise NotFoundError("unknown_stop", stop=lock.stop[:100])
        if (lock.team and lock.team not in teams) or max(lock.day, lock.not_day) > len(made.problem.days):
            raise NotFoundError("unknown_shift", team=lock.team[:100], day=max(lock.day, lock.not_day))
    problem = replace(made.problem, locks=tuple(locks))
    plan = explain(problem, made.matrix, made.plan)
    return keep_revision(
        session,
        kept.id,
        replace(made, problem=problem, plan=plan),
        revision=kept.revision if revision is None else revision,
        kind="lock",
    )
