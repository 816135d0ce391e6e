"""The words of a plan: what is to be visited by whom (`problem`), how far it is (`matrix`), what was found (`plan`).

Frozen values without behaviour beyond what follows from themselves; `codec` writes and reads them as JSON. Times of day
are whole seconds after midnight, Asia/Shanghai; durations ``_s`` whole seconds, distances ``_m`` whole metres;
positions WGS 84 degrees. A *day* is its number in the plan, from 1.
"""

from villagemap.plans.matrix import NEVER, Matrix, MatrixKind
from villagemap.plans.plan import Call, Figures, Hint, LeftOut, Lunch, Plan, Route, Shortfall, Try
from villagemap.plans.problem import Lock, LunchRule, Objective, Problem, Site, Stop, Team, Window

__all__ = [
    "NEVER",
    "Call",
    "Figures",
    "Hint",
    "LeftOut",
    "Lock",
    "Lunch",
    "LunchRule",
    "Matrix",
    "MatrixKind",
    "Objective",
    "Plan",
    "Problem",
    "Route",
    "Shortfall",
    "Site",
    "Stop",
    "Team",
    "Try",
    "Window",
]
