"""A kept plan for machines and people: its values, and sentences about what was left out and what is wrong."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import orjson

from villagemap.auth import Policy
from villagemap.chain import instant_text
from villagemap.flows.registry import Session, flow
from villagemap.flows.routes.kept import KeptPlan, matrices, told_findings
from villagemap.flows.routes.replanning import visited
from villagemap.plan_check import Breach, check_plan
from villagemap.plans import LeftOut, Plan, Problem
from villagemap.plans.codec import to_json
from villagemap.routing.telling import Teller
from villagemap.sheets.view import matrix_sentence


@flow("plans.tell", Policy.PLAN)
def tell_plan(session: Session, kept: KeptPlan, lang: str) -> dict[str, Any]:
    """All that there is to know of a plan; checked again by the verifier before it is told.

    Raises
    ------
    NotFoundError
        ``matrix_missing``
    """
    seen = visited(session, kept)
    breaches = check_plan(kept.problem, matrices(session).get(kept.matrix), kept.plan)
    return {
        "id": kept.id,
        "name": kept.name,
        "revision": kept.revision,
        "made_at": instant_text(kept.made_at),
        "made_by": kept.made_by,
        "sealed": kept.sealed,
        "sweep": kept.sweep,
        "digest": kept.digest,
        "can_undo": kept.can_undo,
        "problem": orjson.loads(to_json(kept.problem)),
        "plan": orjson.loads(to_json(with_visits(kept.plan, seen))),
        "visited": seen,
        "findings": told_findings(kept.findings, lang),
        "told": {
            "left_out": told_left_out(kept.problem, kept.plan.left_out, lang),
            "breaches": told_breaches(kept.problem, breaches, lang),
            "shortfall": Teller(kept.problem, lang).shortfall(kept.plan.shortfall) if kept.plan.shortfall else "",
            "matrix": matrix_sentence(kept.plan.matrix, lang),
        },
    }


def with_visits(plan: Plan, seen: Collection[str]) -> Plan:
    """A plan with the calls marked as done whose village was checked in at in the plan's sweep."""
    routes = [
        replace(r, calls=tuple(replace(c, done=True) if c.stop in seen else c for c in r.calls)) for r in plan.routes
    ]
    return replace(plan, routes=tuple(routes))


def told_left_out(problem: Problem, left_out: Sequence[LeftOut], lang: str) -> dict[str, dict[str, Any]]:
    """Why each stop was left out, what was tried, and what would help, as sentences by stop."""
    teller = Teller(problem, lang)
    return {left.stop: teller.left_out(left) for left in left_out}


def told_breaches(problem: Problem, breaches: Sequence[Breach], lang: str) -> list[dict[str, Any]]:
    """What breaks a rule, as sentences with where it is."""
    teller = Teller(problem, lang)
    return [
        {"code": b.code, "sentence": teller.breach(b), "stop": b.stop, "team": b.team, "day": b.day} for b in breaches
    ]
