"""From a problem to a plan: the nodes are searched, what was found is put to the test of the day, the best is kept.

Every phase depends on its input, the seed and how many iterations the search made, and on nothing else; a budget in
seconds only decides how many these are. So a plan made in ten seconds is made again by its number of iterations.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from pyvrp import Solution

from villagemap.plans import LeftOut, Matrix, Objective, Plan, Problem
from villagemap.routing.bounds import least_driving
from villagemap.routing.drafts import Draft
from villagemap.routing.engine import Search
from villagemap.routing.fairness import balanced, spread
from villagemap.routing.figures import figures_of
from villagemap.routing.model import Model, built
from villagemap.routing.nodes import Node, grouped
from villagemap.routing.terms import Terms, Worth
from villagemap.routing.warm import first_routes

TOLD_EVERY_S = 0.2
BLOCK = 40_000
"""Nodes times iterations between two looks at the clock: some hundredths of a second."""
EVEN_FROM = 1000
"""Iterations of the search before another begins, for even working time."""
NODES = 1500
"""So many nodes, the worthiest for their time, are searched; the rest may only fill what is left."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How long to search: ``seconds`` for all of it, or so many ``iterations``: that makes the very same plan again."""

    seconds: float | None = None
    iterations: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """The best so far: ``stops`` called at and ``left_out``, and whether it can be driven but for lunch."""

    seconds: float
    iterations: int
    stops: int
    left_out: int
    travel_s: int
    feasible: bool


Watch = Callable[[Progress], bool]


def solve(
    problem: Problem,
    matrix: Matrix,
    budget: Budget,
    *,
    seed: int = 1,
    warm: Plan | None = None,
    watch: Watch | None = None,
    vroom: bool = True,
) -> Plan:
    """The best plan that can be found in a budget.

    Parameters
    ----------
    warm
        A plan to begin with; the better of it and what is found is kept.
    watch
        Told of the best so far some times a second; by returning True it ends the search early.
    vroom
        Whether to begin with VROOM's plan, where it is installed.

    Returns
    -------
    Plan
        ``left_out`` holds bare ids; `explain` says why. Every route can be driven.
    """
    run = _Run(problem, matrix, budget, seed, watch)
    run.begin(warm, vroom=vroom)
    run.search()
    return run.plan()


class _Run:
    """One run of `solve`."""

    def __init__(self, problem: Problem, matrix: Matrix, budget: Budget, seed: int, watch: Watch | None) -> None:
        self.began = time.perf_counter()
        self.problem, self.budget, self.seed, self.watch = problem, budget, seed, watch
        self.terms = Terms(problem, matrix)
        self.drafts: list[Draft] = []
        self.search_of: Search | None = None
        self.model: Model | None = None
        self.fair_search: Search | None = None
        self.fair_model: Model | None = None
        self.first_s: float | None = None
        self.making_s = 0.0
        self.stopped = False
        self.with_vroom = False

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.perf_counter() - self.began

    def begin(self, warm: Plan | None, *, vroom: bool) -> None:
        """Plans to begin with: the search's own first, the given one, VROOM's; the search goes on from the best."""
        nodes = _chosen(self.terms, grouped(self.terms, samples=_tight(self.terms)))
        if not nodes:
            self._keep(Draft(self.terms))
            return
        self.model = built(self.terms, nodes)
        self.search_of = Search(self.model.data, self.seed)
        searched_s = self.seconds
        self._keep(Draft(self.terms, self.model.routes(self.search_of.best)))
        self.first_s = self.seconds
        self.making_s = self.first_s - searched_s
        if warm:
            self._keep(self._warmed(warm))
        if routes := first_routes(self.terms, nodes) if vroom else {}:
            self._keep(Draft(self.terms, routes))
        best = max(self.drafts, key=Draft.worth)
        self.with_vroom = bool(routes) and best is self.drafts[-1]
        self.search_of.offer(self.model.solution(best.by_shift()))

    def _warmed(self, warm: Plan) -> Draft:
        number = {(team.id, day): shift for shift, (team, day) in enumerate(self.terms.shifts)}
        routes = {
            number[route.team, route.day]: [call.stop for call in route.calls]
            for route in warm.routes
            if (route.team, route.day) in number
        }
        return Draft(self.terms, routes)

    def _keep(self, draft: Draft) -> None:
        self.drafts.append(draft.made())

    def search(self) -> None:
        """Search until the budget is used up or the watcher has seen enough."""
        if self.search_of is None or self.model is None:
            return
        block = max(1, min(200, BLOCK // len(self.model.nodes) // 10))
        limit, told = self.budget.iterations, 0.0
        end = None if self.budget.seconds is None else self.budget.seconds - self._aside()
        while (limit is None or self.iterations < limit) and (end is None or self.seconds < end):
            self._turn(block).run(block if limit is None else min(block, limit - self.iterations))
            if self.watch and self.seconds - told >= TOLD_EVERY_S:
                told = self.seconds
                if self.watch(self._progress(self.search_of.best)):
                    self.stopped = True
                    break
        self._keep(Draft(self.terms, self.model.routes(self.search_of.best)))
        if self.fair_search and self.fair_model:
            self.drafts.append(Draft(self.terms, self.fair_model.routes(self.fair_search.best)).made(even=True))

    @property
    def iterations(self) -> int:
        """Of both searches."""
        return sum(search.iterations for search in (self.search_of, self.fair_search) if search)

    def _turn(self, block: int) -> Search:
        """Whose turn it is: every third block is one of shifts cut even, where working time is to be even.

        It depends on the iterations made alone, as all does.
        """
        assert self.search_of is not None  # noqa: S101 - `search` has looked
        since = self.iterations - EVEN_FROM
        if Objective.FAIRNESS not in self.problem.objectives or since < 0:
            return self.search_of
        if self.fair_search is None:
            self._cut_even(self.search_of)
        return self.fair_search if self.fair_search and since // block % 3 == 2 else self.search_of  # noqa: PLR2004

    def _cut_even(self, search: Search) -> None:
        """A search whose shifts are no longer than their share of the work of the best plan so far."""
        assert self.model is not None  # noqa: S101 - `search` has looked
        draft = Draft(self.terms, self.model.routes(search.best)).made()
        days = Counter(team.id for team, _ in self.terms.shifts)
        share = sum(route.working_s for route in draft.written()) / len(days)
        share *= 1 + self.problem.spread_percent / 250
        longest = {shift: int(share / days[team.id]) for shift, (team, _) in enumerate(self.terms.shifts)}
        self.fair_model = built(self.terms, _distinct(self.model.nodes), longest)
        self.fair_search = Search(self.fair_model.data, self.seed)
        self.fair_search.offer(self.fair_model.solution(draft.by_shift()))

    def _aside(self) -> float:
        """Seconds to set aside for what comes behind the search, by what making the first plan took."""
        fair = Objective.FAIRNESS in self.problem.objectives
        return min(0.5 * (self.budget.seconds or 0), (6 if fair else 2) * self.making_s + 0.2)

    def _progress(self, best: Solution) -> Progress:
        stops = sum(len(route) for route in self.model.routes(best).values()) if self.model else 0
        return Progress(
            seconds=self.seconds,
            iterations=self.iterations,
            stops=stops,
            left_out=len(self.problem.stops) - stops,
            travel_s=best.distance(),
            feasible=best.is_feasible(),
        )

    def _fairest(self, best: Draft) -> Draft:
        """The plan with even working time: the best made even, or the other search's if that drives less."""
        most = self.problem.spread_percent
        found = [balanced(best), *([balanced(self.drafts[-1])] if self.fair_search else [])]

        def fair(draft: Draft) -> tuple[Worth, float, int]:
            return draft.worth()[:-1], -max(spread(draft), most), -draft.driving_s()

        return max(found, key=fair)

    def plan(self) -> Plan:
        """The best of what was found, balanced where that is asked for."""
        best, price = max(self.drafts, key=Draft.worth), None
        if Objective.FAIRNESS in self.problem.objectives:
            fair = self._fairest(best)
            price = max(0, fair.driving_s() - best.driving_s())
            best = fair
        routes = best.written()
        about = self.terms.matrix
        return Plan(
            routes=routes,
            left_out=tuple(LeftOut(stop=stop, code="") for stop in best.out),
            figures=figures_of(self.problem, routes, fairness_price_s=price),
            matrix=about.source(),
            solver=f"pyvrp {version('pyvrp')}" + (" + vroom" if self.with_vroom else ""),
            seed=self.seed,
            iterations=self.iterations,
            lower_bound_s=least_driving(self.problem, about, routes),
            first_s=round(self.first_s, 3) if self.first_s is not None else None,
            stopped=self.stopped,
            seconds=round(self.seconds, 3),
        )


def _distinct(nodes: Sequence[Node]) -> list[Node]:
    """Each node once, as the windows of one made several clients of it."""
    return list({id(node): node for node in nodes}.values())


def _tight(terms: Terms) -> bool:
    """Whether it may be that not everything fits: the work alone fills four fifths of the shifts."""
    work = sum(terms.stop[stop].service_s + terms.problem.setup_s for stop, shifts in terms.open_to.items() if shifts)
    return 5 * work > 4 * sum(team.day_end_s - team.day_start_s for team, _ in terms.shifts)


def _chosen(terms: Terms, nodes: list[Node]) -> list[Node]:
    """The nodes that are searched: those worth most for their time, where there are too many."""
    if len(nodes) <= NODES:
        return nodes

    def worth(node: Node) -> float:
        return sum(terms.prize(terms.stop[stop]) for stop in node.stops) / (node.work_s + 600)

    chosen = {id(node) for node in sorted(nodes, key=lambda node: -worth(node))[:NODES]}
    return [node for node in nodes if id(node) in chosen]
