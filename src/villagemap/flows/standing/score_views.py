"""Scores, what is due, outlooks and meetings for a machine: plain values, the same for the API and the command line."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from villagemap.flows.cases.deadlines import DueSheet, Outlooks
from villagemap.flows.cases.relapses import Revisit
from villagemap.flows.standing.meetings import Meeting, MeetingAgain
from villagemap.flows.standing.scores import DeductionTable, RankTable, ScoreTable
from villagemap.forecast import Forecast, Outlook
from villagemap.model import Place
from villagemap.rubric import RATES
from villagemap.scores import Rate, percent

Told = dict[str, Any]


def told_scores(table: ScoreTable) -> Told:
    """Figures by place, with the shares claimed and verified in per cent."""
    rows = []
    for n, place in enumerate(table.places):
        figures = {name: figure for name, figure in table.tally.row(n).items() if name != "ids"}
        shares = {f"{name}_percent": percent(figures[name], figures["found"]) for name in ("claimed", "verified")}
        rows.append({**_place(place), **figures, **shares})
    return {**_of(table), "places": rows}


def told_rank(table: RankTable) -> Told:
    """The rank with what it stands on: rates, exposure, and the marks for ties and small samples."""
    told, rows = table.ranking, []
    for n, place in enumerate(table.places):
        rows.append(
            {
                **_place(place),
                "rank": int(told.rank[n]) or None,
                "score": float(told.score[n]) if told.rank[n] else None,
                "tied": bool(told.tied[n]),
                "small": bool(told.small[n]),
                "decided": int(told.decided[n]),
                "quick": int(told.quick[n]),
                "quick_lift": round(float(told.quick_lift[n]), 2),
                "villages": int(told.villages[n]),
                "visited": int(told.visited[n]),
                "rates": {name: _rate(told.rates[name], n) for name in RATES},
            }
        )
    rules = table.rubric.rank
    return {**_of(table), "quick_cap": rules.quick_cap, "least_cases": rules.least_cases, "places": rows}


def _rate(rate: Rate, n: int) -> Told:
    share = float(rate.rate[n])
    return {
        "events": int(rate.events[n]),
        "exposure": int(rate.exposure[n]),
        "expected": round(float(rate.expected[n]), 2),
        "rate": None if math.isnan(share) else round(share, 4),
        "points": round(float(rate.points[n]), 2),
    }


def told_deductions(table: DeductionTable) -> Told:
    """The deduction sheet; ``official`` says whose points these are."""
    sheet, rows = table.sheet, []
    for n, place in enumerate(table.places):
        lines = {
            code: {
                "cases": int(sheet.cases[n, i]),
                "off": round(float(sheet.off[n, i]), 2),
                "capped": bool(sheet.capped[n, i]),
            }
            for i, code in enumerate(sheet.indicators)
        }
        total = round(float(sheet.total[n]), 2)
        rows.append({**_place(place), "total": total, "undated": int(sheet.undated[n]), "indicators": lines})
    rubric = table.rubric
    return {**_of(table), "official": rubric.official, "source": rubric.source, "points": rubric.points, "places": rows}


def _of(table: ScoreTable | RankTable | DeductionTable) -> Told:
    return {"seq": table.seq, "day": table.day.isoformat(), "by": table.by.value}


def _place(place: Place) -> Told:
    return {"place_id": place.place_id, "code": place.code, "name": place.name}


def told_due(sheet: DueSheet) -> Told:
    """What is due; codes and ISO dates."""
    return {
        "day": sheet.day.isoformat(),
        "counts": asdict(sheet.counts),
        "towns": [{**(_place(town) if town else {"name": None}), **asdict(counts)} for town, counts in sheet.towns],
        "units": [{"unit": unit, **asdict(counts)} for unit, counts in sheet.units],
        "persons": [{"person": person, **asdict(counts)} for person, counts in sheet.persons],
        "issues": [asdict(line) | {"urgency": line.urgency.value} for line in sheet.lines],
    }


def told_revisits(revisits: Sequence[Revisit]) -> list[Told]:
    """Closed cases to be looked at again."""
    return [asdict(revisit) | {"due_on": revisit.due_on.isoformat()} for revisit in revisits]


def told_outlook(told: Outlooks, lang: str) -> Told:
    """Both deadlines, both figures, in numbers and in words."""
    return {
        "last_on": told.last_on.isoformat(),
        "open": told.open,
        "soft": _outlook(told.soft, lang),
        "hard": _outlook(told.hard, lang) if told.hard else None,
    }


def _outlook(told: Outlook, lang: str) -> Told:
    return {"verified": _forecast(told.verified, lang), "claimed": _forecast(told.claimed, lang)}


def _forecast(told: Forecast, lang: str) -> Told:
    plain = {**asdict(told), "deadline": told.deadline.isoformat(), "trend": told.trend.value}
    untold = told.untold.value if told.untold else None
    return {**plain, "untold": untold, "in_words": told.in_words(lang)}


def told_meeting(meeting: Meeting) -> Told:
    """Where the chain stood, and the figures of then."""
    return {**asdict(meeting), "day": meeting.day.isoformat()}


def told_again(again: MeetingAgain) -> Told:
    """A meeting with its figures made again."""
    return {
        **told_meeting(again.meeting),
        "again": again.figures,
        "equal": again.equal,
        "same_rules": again.same_rules,
        "intact": again.intact,
    }
