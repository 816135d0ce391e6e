"""Flows about an inspector's track: turned into visits of a sweep at once, its points kept apart and soon deleted.

Only fixes within work hours are looked at. The chain gets the file's digest and the visits; the points lie in the
folder ``tracks`` beside it until `KEPT` after their last day, so that a visit can be questioned, and are deleted then.
A track without times can't be shown to be work: it is looked at once, tells an order of places, and nothing is kept.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from uuid_utils import uuid7

from villagemap.auth import Policy, allows
from villagemap.errors import NotFoundError
from villagemap.flows.campaigns.sweep_views import Sweep, VisitLine, find_sweep, listed_places, scope_in, visit_line
from villagemap.flows.campaigns.sweeps import CLOCK_SKEW, check_open, on_ground, put_visit
from villagemap.flows.registry import Session, flow
from villagemap.flows.workspace import PARTIAL
from villagemap.model import IssueFilter, Level, Record
from villagemap.reach import DWELL_S, ListedPlace, Reaches, Stay, Track, kept, proof_by_track, visits_of_track
from villagemap.readers.tracks import TrackRead, read_track
from villagemap.settings import TIME_ZONE, now
from villagemap.store import Writer
from villagemap.sweeps import Outcome

KEPT = timedelta(days=30)
"""How long a track's points are kept after its last day (docs/privacy.md)."""
FOLDER = "tracks"
_UTC_PLUS_8 = np.timedelta64(8, "h")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """A listed place that a track touched, in the order of the first touch; ``dwell_s`` is None without times."""

    place: ListedPlace
    order: int
    dwell_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackReport:
    """What a track came to: rows = within + left out (outside work hours or the sweep) + unreadable + untimed.

    ``visits`` are recorded; ``passed`` are touched without enough dwell, or all that is touched where ``timed`` is
    False. ``elsewhere`` counts visited places that aren't the actor's to record. ``known`` says that the very file
    was taken before. ``points_until`` is the day on which the points are deleted, None where none are kept.
    """

    file: str
    sweep: str
    timed: bool
    rows: int
    within: int
    left_out: int
    unreadable: int
    untimed: int
    visits: tuple[VisitLine, ...] = ()
    passed: tuple[Passed, ...] = ()
    elsewhere: int = 0
    known: bool = False
    points_until: date | None = None


@dataclass(frozen=True, slots=True)
class _Ridden:
    """What a track shows: stays at listed places, and villages that the list lacks and where it stopped."""

    track: Track
    stays: tuple[Stay, ...]
    met: tuple[str, ...]


@flow("sweeps.track", Policy.SWEEP)
def import_track(session: Session, path: Path, sweep: str, *, datum: str = "") -> TrackReport:
    """Turn a track into visits of a sweep; the same file again changes nothing.

    A visited place counts as with issues where the register has one found there that day, else as clean.

    Raises
    ------
    NotFoundError
        ``unknown_sweep``
    ConflictError
        ``sweep_closed``
    BadInputError
        Whatever is wrong with the file.
    """
    found = find_sweep(session, sweep)
    if not any(_may(session, found, place) for place in found.listed):
        raise NotFoundError("unknown_sweep", word=sweep[:100])
    check_open(found)
    read = read_track(path, datum=datum)
    timed = read.untimed < len(read.track.time)
    ridden = _ridden(session, found, _within(read.track, found) if timed else read.track)
    report = _report(read, found, ridden, timed=timed)
    if not timed:
        return report
    subject = f"track/{found.id}-{read.sha256[:16]}"
    with session.workspace.store.writing() as writer:
        if session.workspace.store.record(subject) is not None:
            visits = [visit_line(one) for one in session.workspace.store.records("visit", found.id)]
            return replace(report, known=True, visits=tuple(line for line in visits if line.source == subject))
        check_open(find_sweep(session, found.id))
        visits, elsewhere = _put_visits(session, writer, found, subject, ridden)
        until = _put_track(session, writer, Record(subject=subject, type="track", parent=found.id), read, ridden)
    forget_expired(session)
    return replace(report, visits=tuple(visits), elsewhere=elsewhere, points_until=until)


@flow("sweeps.forget_tracks", Policy.ADMIN)
def forget_tracks(session: Session, on: date | None = None) -> int:
    """Delete the points of every track whose time is over on a day, today if not given; returns how many."""
    return forget_expired(session, on)


def forget_expired(session: Session, on: date | None = None) -> int:
    """What `forget_tracks` does; every import of a track does it too, so that it needs nobody to remember it."""
    at = now()
    day = on or at.astimezone(TIME_ZONE).date()
    store, gone = session.workspace.store, 0
    with store.writing() as writer:
        alive = set()
        for record in store.records("track"):
            if "forgotten_on" in record.fields:
                continue
            if date.fromisoformat(record.fields["delete_on"]) > day:
                alive.add(_points_file(session, record.subject))
                continue
            fields = {**record.fields, "forgotten_on": day.isoformat()}
            writer.put_record(replace(record, fields=fields), kind="forget", actor=session.actor.id, at=at)
            gone += 1
        for path in _folder(session).glob("*.npz*"):
            if path not in alive:  # also what a crash left of an import
                path.unlink(missing_ok=True)
    return gone


def points_of(session: Session, record: Record, on: date | None = None) -> Track | None:
    """The kept points of a track; None once they are, or should be, deleted."""
    day = on or now().astimezone(TIME_ZONE).date()
    path = _points_file(session, record.subject)
    if "forgotten_on" in record.fields or date.fromisoformat(record.fields["delete_on"]) <= day or not path.exists():
        return None
    with np.load(path, allow_pickle=False) as points:
        return Track(lon=points["lon"], lat=points["lat"], time=points["time"])


def _within(track: Track, sweep: Sweep) -> Track:
    """The fixes in work hours, from the sweep's first day until now."""
    latest = np.datetime64((now() + CLOCK_SKEW).replace(tzinfo=None), "s")
    first = np.datetime64(sweep.begins_on, "s") - _UTC_PLUS_8
    mask = kept(track) & (track.time >= first) & (track.time <= latest)
    return Track(lon=track.lon[mask], lat=track.lat[mask], time=track.time[mask])


def _ridden(session: Session, sweep: Sweep, track: Track) -> _Ridden:
    listed = [on_ground(session, place) for place in sweep.listed]
    ids = {place.place_id for place in listed}
    others = [
        on_ground(session, place)
        for place, _ in listed_places(session, {Level.VILLAGE})
        if place.place_id not in ids and (not sweep.towns or place.town_id in sweep.towns)
    ]
    stays = visits_of_track(track, Reaches([*listed, *others]))
    met = tuple(stay.place_id for stay in stays if stay.place_id not in ids and (stay.dwell_s or 0.0) >= DWELL_S)
    return _Ridden(track, tuple(stay for stay in stays if stay.place_id in ids), met)


def _report(read: TrackRead, sweep: Sweep, ridden: _Ridden, *, timed: bool) -> TrackReport:
    by_id = {place.place_id: place for place in sweep.listed}
    short = [stay for stay in ridden.stays if not proof_by_track(stay).holds]
    within = len(ridden.track.lon) if timed else 0
    untimed = read.untimed
    return TrackReport(
        file=read.file,
        sweep=sweep.id,
        timed=timed,
        rows=read.rows,
        within=within,
        left_out=read.rows - read.unreadable - untimed - within,
        unreadable=read.unreadable,
        untimed=untimed,
        passed=tuple(Passed(place=by_id[s.place_id], order=s.order, dwell_s=s.dwell_s) for s in short),
    )


def _put_visits(
    session: Session, writer: Writer, sweep: Sweep, subject: str, ridden: _Ridden
) -> tuple[list[VisitLine], int]:
    """The visits that were written, and how many places weren't the actor's."""
    at, by_id = now(), {place.place_id: place for place in sweep.listed}
    visits, elsewhere = [], 0
    for stay in ridden.stays:
        proof = proof_by_track(stay)
        if not proof.holds or stay.first_at is None:
            continue
        place = by_id[stay.place_id]
        if not _may(session, sweep, place):
            elsewhere += 1
            continue
        found = _found_there(session, sweep, place, stay.first_at.astimezone(TIME_ZONE).date())
        line = VisitLine(
            id=str(uuid7()),
            sweep=sweep.id,
            place_id=place.place_id,
            outcome=Outcome.VISITED_WITH_ISSUES if found else Outcome.VISITED_CLEAN,
            at=stay.first_at,
            by=session.actor.id,
            proofs=(proof,),
            source=subject,
        )
        put_visit(writer, line, at)
        visits.append(line)
    return visits, elsewhere


def _put_track(session: Session, writer: Writer, record: Record, read: TrackRead, ridden: _Ridden) -> date | None:
    """Write the track's event, and its points beside the store; returns the day on which they are deleted."""
    at = now()
    today = at.astimezone(TIME_ZONE).date()
    days = (ridden.track.time + _UTC_PLUS_8).astype("datetime64[D]")
    last: date = days.max().item() if len(days) else today
    until = last + KEPT
    keeping = len(days) > 0 and until > today
    fields: dict[str, Any] = {
        "sha256": read.sha256,
        "by": session.actor.id,
        "rows": read.rows,
        "within": len(days),
        "last_on": last.isoformat(),
        "delete_on": until.isoformat(),
        "met": list(ridden.met),
    }
    if not keeping:
        fields["forgotten_on"] = today.isoformat()
    writer.put_record(replace(record, fields=fields), kind="import", actor=session.actor.id, at=at)
    if not keeping:
        return None
    path = _points_file(session, record.subject)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    partial = path.with_name(path.name + PARTIAL)
    with partial.open("wb") as file:
        np.savez(file, lon=ridden.track.lon, lat=ridden.track.lat, time=ridden.track.time)
    partial.chmod(0o600)
    partial.replace(path)
    return until


def _found_there(session: Session, sweep: Sweep, place: ListedPlace, day: date) -> bool:
    """Whether the register has an issue of the sweep's kind that was found in a place on a day."""
    village = sweep.villages.get(place.place_id) or place.place_id
    kinds = (sweep.category,) if sweep.category else ()
    where = IssueFilter(villages=(village,), found_from=day, found_to=day, categories=kinds)
    issues = session.workspace.store.issues(where, limit=1000)
    return any(place.place_id in {issue.village_id, issue.place_id} for issue in issues)


def _may(session: Session, sweep: Sweep, place: ListedPlace) -> bool:
    return allows(session.actor, Policy.SWEEP, scope_in(session, sweep, place))


def _folder(session: Session) -> Path:
    return session.workspace.folder / FOLDER


def _points_file(session: Session, subject: str) -> Path:
    return _folder(session) / f"{subject.removeprefix('track/')}.npz"
