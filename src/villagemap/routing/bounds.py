"""What no plan can do better: the least driving for the same stops, and the team-days missing for every village."""

from collections.abc import Sequence

from villagemap.plans import Matrix, Plan, Problem, Route, Shortfall


def least_driving(problem: Problem, matrix: Matrix, routes: Sequence[Route]) -> int | None:
    return None


def missing_team_days(problem: Problem, matrix: Matrix, plan: Plan) -> Shortfall | None:
    return None
