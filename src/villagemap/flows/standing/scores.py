"""Flows that score towns and villages, now or as of an instant: figures, rank, deductions.

A tally counts what the actor may see. Ranks and deductions are made from all cases of the county, so that everybody
reads the same, and shown for the places that the actor may see.
"""

from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from typing import Any, TypeVar

import numpy as np

from villagemap.auth import Policy
from villagemap.flows.campaigns.sweep_views import as_visit, visit_line
from villagemap.flows.narrowing import reach_of
from villagemap.flows.places import find_place
from villagemap.flows.registry import Session, flow
from villagemap.flows.standing.moments import Moment, all_columns, columns_then, moment_of
from villagemap.model import Level, Place
from villagemap.places import place_number
from villagemap.reach import proof_of_visit
from villagemap.rubric import Rubric, load_rubric
from villagemap.scores import (
    CaseColumns,
    Deductions,
    Flags,
    Ranking,
    Rate,
    Tally,
    VillageColumns,
    deductions,
    ranking,
    tally,
)
from villagemap.store import IssueColumns
from villagemap.sweeps import VISITED

RUBRIC_FILE = "rubric.toml"
"""In the workspace: what a county lays over our rubric."""

Told = TypeVar("Told", Ranking, Deductions, Rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreTable:
    """Figures by place, in the order of ``places``; ``seq`` and ``day`` say as of when."""

    seq: int
    day: date
    by: Level
    places: tuple[Place, ...]
    tally: Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class RankTable:
    """The rank by place, in the order of ``places``, and the rules it was made by."""

    seq: int
    day: date
    by: Level
    places: tuple[Place, ...]
    ranking: Ranking
    rubric: Rubric


@dataclass(frozen=True, slots=True, kw_only=True)
class DeductionTable:
    """The deduction sheet by place, in the order of ``places``, and its rules."""

    seq: int
    day: date
    by: Level
    places: tuple[Place, ...]
    sheet: Deductions
    rubric: Rubric


def rubric_of(session: Session) -> Rubric:
    """The county's rubric."""
    return load_rubric(session.workspace.folder / RUBRIC_FILE)


def case_columns(session: Session, columns: IssueColumns) -> CaseColumns:
    """The cases that columns hold, as scores read them."""
    sources = session.workspace.vocabulary.words["sources"]
    own = np.array([bool(sources.get(code, {}).get("self")) for code in columns.sources], np.bool_)
    return CaseColumns(
        categories=columns.categories,
        town=columns.town,
        village=columns.village,
        category=columns.category,
        status=columns.status,
        privacy=columns.privacy,
        found=columns.found,
        due=columns.due,
        claimed=columns.claimed,
        closed=columns.closed,
        returns=columns.returns,
        relapse=columns.relapse.astype(np.bool_),
        failed_recheck=columns.reopened.astype(np.bool_),
        self_found=own[columns.source] if len(own) else np.zeros(len(columns.fid), np.bool_),
    )


def visited_villages(session: Session, seq: int) -> VillageColumns:
    """All villages at event ``seq``, and which a sweep had visited with proof, in a hamlet or as a whole."""
    store = session.workspace.store
    if seq == store.head().seq:
        records = store.records("visit")
        above = {p.place_id: (p.level.value, p.parent_id or "") for p in session.workspace.gazetteer().places}
    else:
        records = store.records_at("visit", seq)
        above = {key: (told["level"], told.get("parent_id", "")) for key, told in store.places_at(seq).items()}
    went = [visit for visit in map(as_visit, map(visit_line, records)) if visit.outcome in VISITED]
    proven = {visit.place_id for visit in went if (proof := proof_of_visit(visit.proofs)) and proof.holds}
    visited = proven | {above[place][1] for place in proven if place in above}
    villages = [(key, parent) for key, (level, parent) in above.items() if level == Level.VILLAGE.value]
    return VillageColumns(
        town=np.array([int(parent[1:] or 0) for _, parent in villages], np.int32),
        village=np.array([int(key[1:]) for key, _ in villages], np.int32),
        visited=np.array([key in visited for key, _ in villages], np.bool_),
    )


def places_scored(session: Session, by: Level, town: str, day: date) -> tuple[Place, ...]:
    """The places that stood on a day and that this actor may see, in the order of their codes."""
    gazetteer = session.workspace.gazetteer()
    inside = find_place(session, town, Level.TOWN) if town else None
    parts = reach_of(session)
    return tuple(
        place
        for place in gazetteer.level(by)
        if (place.valid_to is None or place.valid_to >= day)
        and (inside is None or gazetteer.town_of(place) == inside)
        and (
            parts is None
            or any(not p.issues and (not p.places or {place.place_id, place.parent_id} & {*p.places}) for p in parts)
        )
    )


@flow("scores.table", Policy.READ)
def score_table(
    session: Session,
    *,
    by: Level = Level.TOWN,
    town: str = "",
    as_of: datetime | None = None,
    today: date | None = None,
) -> ScoreTable:
    """What was found and done in each town, or each village, of what the actor may see.

    Raises
    ------
    NotFoundError, AmbiguousError
        If ``town`` means no town, or several.
    """
    moment = moment_of(session, as_of, today)
    places = places_scored(session, by, town, moment.day)
    cases = case_columns(session, columns_then(session, moment))
    villages = visited_villages(session, moment.head.seq)
    told = tally(cases, [*map(place_number, places)], moment.day, by=by.value, villages=villages)
    return ScoreTable(seq=moment.head.seq, day=moment.day, by=by, places=places, tally=told)


@flow("scores.rank", Policy.READ)
def rank_table(
    session: Session,
    *,
    by: Level = Level.TOWN,
    town: str = "",
    as_of: datetime | None = None,
    today: date | None = None,
) -> RankTable:
    """The rank of the county's towns or villages; `scores` tells the formula. Raises like `score_table`."""
    moment, rubric = moment_of(session, as_of, today), rubric_of(session)
    ids, places, shown = _ranked(session, by, town, moment)
    told = ranking(
        case_columns(session, all_columns(session, moment)),
        ids,
        moment.day,
        rubric.rank,
        by=by.value,
        villages=visited_villages(session, moment.head.seq),
    )
    kept = _cut(told, shown)
    return RankTable(seq=moment.head.seq, day=moment.day, by=by, places=places, ranking=kept, rubric=rubric)


@flow("scores.deductions", Policy.READ)
def deduction_table(
    session: Session,
    *,
    by: Level = Level.TOWN,
    town: str = "",
    as_of: datetime | None = None,
    first_on: date | None = None,
    last_on: date | None = None,
) -> DeductionTable:
    """The capped-deduction sheet from cases found by others in a period; raises like `score_table`."""
    moment, rubric = moment_of(session, as_of), rubric_of(session)
    ids, places, shown = _ranked(session, by, town, moment)
    cases = case_columns(session, all_columns(session, moment))
    told = deductions(cases, ids, rubric, by=by.value, first_on=first_on, last_on=last_on)
    kept = _cut(told, shown)
    return DeductionTable(seq=moment.head.seq, day=moment.day, by=by, places=places, sheet=kept, rubric=rubric)


def _ranked(session: Session, by: Level, town: str, moment: Moment) -> tuple[list[int], tuple[Place, ...], Flags]:
    """Numbers of all places of the county at a level; those to be shown, and which of all they are."""
    shown = places_scored(session, by, town, moment.day)
    every = [p for p in session.workspace.gazetteer().level(by) if p.valid_to is None or p.valid_to >= moment.day]
    ids = {place.place_id for place in shown}
    return [*map(place_number, every)], shown, np.array([place.place_id in ids for place in every], np.bool_)


def _cut(told: Told, shown: Flags) -> Told:
    """The lines of some places; every array's first axis is places."""
    arrays = {f.name: getattr(told, f.name) for f in fields(told)}
    kept: dict[str, Any] = {name: array[shown] for name, array in arrays.items() if isinstance(array, np.ndarray)}
    if isinstance(told, Ranking):
        kept["rates"] = {name: _cut(rate, shown) for name, rate in told.rates.items()}
    return replace(told, **kept)
