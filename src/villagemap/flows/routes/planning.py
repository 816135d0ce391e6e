"""Making a plan: from a request to a problem, a matrix, the solver's answer, its check, and what is kept."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from villagemap.auth import Policy
from villagemap.flows.registry import Session, flow
from villagemap.flows.routes.asking import ask
from villagemap.flows.routes.kept import KeptPlan, Made, find_plan, keep_plan, matrices, plan_of, whole
from villagemap.flows.routes.request import Request
from villagemap.flows.routes.travelling import matrix_for
from villagemap.plan_check import Breach, check_plan
from villagemap.plans import Matrix, Plan, Problem
from villagemap.routing.explaining import explain
from villagemap.routing.solving import Budget, Progress, solve

DEFAULT_SECONDS = 10.0

Watch = Callable[[Progress], bool]
"""Is told how far a plan is, and answers whether to stop with the best so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanCheck:
    """A kept plan looked at again: its texts against their digest, its matrix, and every rule of the problem."""

    kept: KeptPlan
    whole: bool
    breaches: tuple[Breach, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong with it."""
        return self.whole and not self.breaches


@flow("plans.make", Policy.PLAN)
def make_plan(session: Session, request: Request, *, watch: Watch | None = None) -> KeptPlan:
    """Make a plan and keep it.

    What can't be planned is told by findings and by the plan's ``left_out``; nothing of it is an error.

    Raises
    ------
    NotFoundError, AmbiguousError, WrongUseError, BadInputError
        As `flows.routes.asking.ask` and `flows.routes.travelling.matrix_for` do.
    """
    asked = ask(session, request)
    matrix, found = matrix_for(session, request, asked.problem)
    plan = solved(asked.problem, matrix, request, watch=watch)
    made = Made(
        problem=asked.problem,
        matrix=matrix,
        plan=plan,
        findings=(*asked.findings, *found),
        request=request_text(request),
        sweep=asked.sweep,
    )
    return keep_plan(session, made)


def solved(
    problem: Problem, matrix: Matrix, request: Request, *, watch: Watch | None = None, warm: Plan | None = None
) -> Plan:
    """The best plan within a request's budget, with its reasons."""
    budget = Budget(iterations=request.iterations) if request.iterations else Budget(seconds=_seconds(request))
    plan = solve(problem, matrix, budget, seed=request.seed, watch=watch, warm=warm)
    return explain(problem, matrix, plan)


def _seconds(request: Request) -> float:
    return DEFAULT_SECONDS if request.seconds is None else request.seconds


def request_text(request: Request) -> str:
    """A request as it is kept beside its plan: without a matrix, which is kept by itself, and without blank parts."""
    slim = request.model_copy()
    if slim.travel is not None and slim.travel.matrix is not None:
        slim = slim.model_copy(update={"travel": None})
    return slim.model_dump_json(exclude_defaults=True)


@flow("plans.check", Policy.PLAN)
def check_kept(session: Session, word: str) -> PlanCheck:
    """Hold a kept plan against its digest and its problem again, by the verifier that shares no code with the solver.

    Raises
    ------
    NotFoundError
        ``unknown_plan``, ``matrix_missing``
    """
    record = find_plan(session, word)
    kept = plan_of(record)
    matrix = matrices(session).get(kept.matrix)
    return PlanCheck(kept=kept, whole=whole(record), breaches=tuple(check_plan(kept.problem, matrix, kept.plan)))


def fraction(progress: Progress, request: Request) -> float:
    """How much of a request's budget is spent, 0 to 1."""
    spent = progress.iterations / request.iterations if request.iterations else progress.seconds / _seconds(request)
    return min(1.0, max(0.0, spent))


def told_progress(progress: Progress, request: Request) -> Mapping[str, Any]:
    """How far a plan is, for a machine."""
    return {**asdict(progress), "fraction": round(fraction(progress, request), 3)}
