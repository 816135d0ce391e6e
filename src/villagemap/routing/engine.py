"""The search itself: an iterated local search on PyVRP's data that can be paused, watched and repeated.

It is the algorithm of PyVRP's ``solve`` (late-acceptance hill climbing over a perturbing local search, [1]_), with its
loop laid open: what comes of a search depends on its seed, its start and how many iterations it made, never on the
clock, and it can be asked for its best at any time.

.. [1] E. K. Burke, Y. Bykov (2017). The Late Acceptance Hill-Climbing Heuristic. EJOR 258(1), 70-78.
"""

import warnings
from dataclasses import dataclass

from pyvrp import CostEvaluator, PenaltyManager, PenaltyParams, ProblemData, RandomNumberGenerator, Solution
from pyvrp.exceptions import PenaltyBoundWarning
from pyvrp.RingBuffer import RingBuffer
from pyvrp.search import (
    OPERATORS,
    LocalSearch,
    NeighbourhoodParams,
    PerturbationManager,
    PerturbationParams,
    compute_neighbours,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What the search is tuned by; the defaults hold the bars of ``benchmarks/routes.py``.

    Parameters
    ----------
    neighbours
        How many near clients a move may involve.
    perturbations
        How many clients an iteration disturbs at most.
    history
        How many iterations back the plan lies that a new one must not be worse than.
    restart_after
        Iterations for each client without a better plan, until the search begins again elsewhere.
    penalty, update_every
        What a second or a unit too much costs at first, and after how many iterations that is adapted. PyVRP's own
        50,000 and 500 keep short searches from ever passing through plans that are a little too long.
    """

    neighbours: int = 50
    perturbations: int = 20
    history: int = 300
    restart_after: int = 40
    penalty: float = 1000.0
    update_every: int = 100


class Search:
    """One search, begun at a random or an empty plan made good.

    ``best`` is the best feasible solution so far (or, before there is one, the first), ``iterations`` how many were
    made.
    """

    def __init__(self, data: ProblemData, seed: int, *, tuning: Tuning | None = None) -> None:
        self.tuning = tuning or Tuning()
        self.iterations = 0
        self._data, self._random = data, RandomNumberGenerator(seed=seed)
        self._local = self._local_search(data)
        params = PenaltyParams(solutions_between_updates=self.tuning.update_every)
        first = self.tuning.penalty
        self._penalties = PenaltyManager(([first] * data.num_load_dimensions, first, first), params)
        self.best = self._fresh(self._penalties.max_cost_evaluator())
        self._first = self._current = self.best
        self._history: RingBuffer[Solution] = RingBuffer(self.tuning.history)
        self._idle = 0

    def _local_search(self, data: ProblemData) -> LocalSearch:
        neighbours = compute_neighbours(data, NeighbourhoodParams(num_neighbours=self.tuning.neighbours))
        perturbation = PerturbationManager(PerturbationParams(1, self.tuning.perturbations))
        local = LocalSearch(data, self._random, neighbours, perturbation)
        for operator in OPERATORS:
            if operator.supports(data):
                local.add_operator(operator(data))
        return local

    def _fresh(self, costs: CostEvaluator) -> Solution:
        """The better of a random plan and an empty one made good: from nothing, clients come in where they fit well."""
        starts = (Solution.make_random(self._data, self._random), Solution(self._data, []))
        return min((self._local(start, costs, exhaustive=True) for start in starts), key=costs.penalised_cost)

    def offer(self, start: Solution) -> None:
        """Go on from another plan made good, if that is better than the best."""
        costs = self._penalties.max_cost_evaluator()
        found = self._local(start, costs, exhaustive=True)
        if costs.penalised_cost(found) < costs.penalised_cost(self.best):
            self.best = self._first = self._current = found

    @property
    def cost(self) -> int:
        """What the best costs: distance and prizes not collected."""
        return self._penalties.cost_evaluator().cost(self.best)

    def run(self, iterations: int) -> None:
        """Make so many more iterations."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PenaltyBoundWarning)
            for _ in range(iterations):
                self._iterate()

    def _begin_again(self) -> None:
        """Go on from a new plan: what is left of the search is used for another valley."""
        self._history = RingBuffer(self.tuning.history)
        self._first = self._current = self._fresh(self._penalties.cost_evaluator())
        self._idle = 0

    def _iterate(self) -> None:
        self.iterations += 1
        if self._idle == self.tuning.restart_after * max(self._data.num_clients, 50):
            self._begin_again()
        costs = self._penalties.cost_evaluator()
        found = self._local(self._current, costs, exhaustive=False)
        self._penalties.register(found)
        self._idle += 1
        if costs.cost(found) < costs.cost(self.best):
            self.best, self._idle = found, 0
            found = self._local(found, costs, exhaustive=True)
            if costs.cost(found) < costs.cost(self.best):
                self.best = found
        late = self._history.peek()
        late_cost = costs.penalised_cost(late if late is not None else self._first)
        found_cost, current_cost = costs.penalised_cost(found), costs.penalised_cost(self._current)
        if found_cost < late_cost or found_cost < current_cost:
            self._current, current_cost = found, found_cost
        if current_cost < late_cost or late is None:
            self._history.append(self._current)
        else:
            self._history.skip()  # type: ignore[no-untyped-call]
