"""The audit of a sweep's own list: which names turn up in issues, ledgers and tracks that the list lacks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from villagemap.auth import Policy, allows
from villagemap.flows.campaigns.sweep_views import Sweep, coverage, scope_in
from villagemap.flows.campaigns.sweeps import on_ground
from villagemap.flows.campaigns.tracks import points_of
from villagemap.flows.narrowing import columns_seen, visible
from villagemap.flows.registry import Session, flow
from villagemap.model import Issue, IssueFilter, Level, Located, Place
from villagemap.places import place_number, plain_name
from villagemap.reach import Reaches, Stop, stops_outside
from villagemap.readers.columns import match_columns
from villagemap.readers.sandbox import open_table
from villagemap.sweeps import Lacking, Met, audit_list

MOST_MET = 1_000
"""How many issues of one place that the list lacks are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAudit:
    """What a list lacks: names that were met, those met most often first, and stops of tracks outside every place."""

    lacking: tuple[Lacking, ...]
    stops: tuple[Stop, ...]


@flow("sweeps.audit", Policy.SWEEP)
def audit_sweep(session: Session, word: str, *, ledgers: Sequence[Path] = ()) -> ListAudit:
    """Look for what a sweep's list lacks, in the issues that the actor may see, in ledgers' files, and in tracks.

    Where a track stopped is told only to whoever brought the track or may sweep all of the list.

    Raises
    ------
    NotFoundError
        ``unknown_sweep``
    BadInputError
        Whatever is wrong with a ledger's file.
    """
    sweep = coverage(session, word).sweep
    met = [*_in_issues(session, sweep), *_in_tracks(session, sweep)]
    for path in ledgers:
        met += _in_ledger(path, sweep)
    lacking = audit_list(sweep.listed, met, session.workspace.vocabulary.suffixes)
    return ListAudit(lacking=lacking, stops=tuple(_stops(session, sweep)))


def _in_issues(session: Session, sweep: Sweep) -> Iterator[Met]:
    """Issues in villages that aren't listed, and those whose code of a place fits none."""
    columns, gazetteer = columns_seen(session), session.workspace.gazetteer()
    numbers = set(np.unique(columns.village).tolist())
    listed = {place.place_id for place in sweep.listed}
    for village in gazetteer.level(Level.VILLAGE):
        if place_number(village) in numbers and village.place_id not in listed:
            town = gazetteer.town_of(village)
            if not sweep.towns or (town is not None and town.place_id in sweep.towns):
                yield from _of_village(session, sweep, village, town.name if town else "")
    astray = _where(sweep, located=(Located.OUTSIDE.value, Located.UNLOCATED.value))
    for issue in session.workspace.store.issues(visible(session, astray), limit=MOST_MET):
        town = gazetteer.by_id.get(issue.town_id or "")
        if issue.village_id is None and issue.place_code_given and not gazetteer.with_code(issue.place_code_given):
            source, reference = _source(issue)
            yield Met(name=issue.place_code_given, source=source, reference=reference, town=town.name if town else "")


def _of_village(session: Session, sweep: Sweep, village: Place, town: str) -> Iterator[Met]:
    where = visible(session, _where(sweep, villages=(village.place_id,)))
    for issue in session.workspace.store.issues(where, limit=MOST_MET):
        source, reference = _source(issue)
        yield Met(name=village.name, source=source, reference=reference, town=town, place_id=village.place_id)


def _where(sweep: Sweep, *, villages: tuple[str, ...] = (), located: tuple[str, ...] = ()) -> IssueFilter:
    kinds = (sweep.category,) if sweep.category else ()
    return IssueFilter(villages=villages, located=located, categories=kinds, towns=sweep.towns)


def _source(issue: Issue) -> tuple[str, str]:
    """Where an issue's place was met: on a ledger, by its name, or as an issue, by its number."""
    ledger = next((sighting.list_name for sighting in issue.sightings if sighting.list_name), "")
    return ("ledger", ledger) if ledger else ("issue", issue.number or issue.id)


def _in_tracks(session: Session, sweep: Sweep) -> Iterator[Met]:
    gazetteer = session.workspace.gazetteer()
    for record in session.workspace.store.records("track", sweep.id):
        for place_id in record.fields.get("met", ()):
            place = gazetteer.by_id.get(place_id)
            town = gazetteer.town_of(place) if place else None
            if place is not None:
                yield Met(
                    name=place.name,
                    source="track",
                    reference=record.fields["last_on"],
                    town=town.name if town else "",
                    place_id=place_id,
                )


def _in_ledger(path: Path, sweep: Sweep) -> Iterator[Met]:
    """The villages (and hamlets, where the list has some) that the rows of a file name."""
    levels = {place.level.value for place in sweep.listed} & {"village", "hamlet"}
    towns = {plain_name(place.town) for place in sweep.listed}
    with open_table(path) as table:
        fields = match_columns(table.columns, "issues").fields
        for batch in table.batches():
            for row in batch:
                town = row.values[fields["town"]].strip() if "town" in fields else ""
                if sweep.towns and town and not any(name.startswith(plain_name(town)) for name in towns):
                    continue
                for level in sorted(levels & fields.keys()):
                    name = row.values[fields[level]].strip()
                    if name:
                        yield Met(name=name, source="ledger", reference=table.file, town=town)


def _stops(session: Session, sweep: Sweep) -> Iterator[Stop]:
    everywhere = all(allows(session.actor, Policy.SWEEP, scope_in(session, sweep, place)) for place in sweep.listed)
    reaches = Reaches([on_ground(session, place) for place in sweep.listed])
    for record in session.workspace.store.records("track", sweep.id):
        track = points_of(session, record) if everywhere or record.fields["by"] == session.actor.id else None
        if track is not None:
            yield from stops_outside(track, reaches)
