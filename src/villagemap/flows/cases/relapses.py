"""Relapses: a new case where one of its category was closed before; and the looks again that follow a closing.

A new case is a relapse of a closed one of its category that lies within the category's radius (measured from shape to
shape on a plane touching the ellipsoid at the cases' middle latitude, within 0.2 % over a county), or, where the
category has none or either has no position, in the same village if the category is bound to villages. It must have
been found on the day of the closing or later. Of several the one closed last counts, then the nearest.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import shapely

from villagemap.auth import Policy
from villagemap.errors import ConflictError, NotFoundError
from villagemap.flows.narrowing import may_on, permit_on
from villagemap.flows.places import find_place
from villagemap.flows.registry import Session, flow
from villagemap.model import BBox, Issue, Level, Record, Status
from villagemap.settings import now
from villagemap.store import Store, Writer
from villagemap.store.protocol import ClosedCase
from villagemap.vocabulary import Vocabulary

_MARGIN = 1.01
"""A box of degrees round a case is taken so much larger than the radius."""
_METRES_PER_DEGREE = 110_500.0
"""Less than any degree of latitude has."""


class Predecessors:
    """The closed cases of a county (or of the surroundings of one case), indexed by position and by village."""

    def __init__(self, cases: Sequence[ClosedCase], vocabulary: Vocabulary) -> None:
        self._cases, self._vocabulary = cases, vocabulary
        shapes = shapely.from_wkb([case.wkb for case in cases])
        centre = shapely.get_y(shapely.centroid(shapes)) if len(cases) else np.zeros(0)
        self._middle = float(np.nanmean(centre)) if np.isfinite(centre).any() else 0.0
        self._tree = shapely.STRtree(self._plane(shapes))
        self._by_village: dict[tuple[str, str], list[ClosedCase]] = defaultdict(list)
        for case in cases:
            self._by_village[case.category, case.village_id].append(case)

    def linked(self, issues: Sequence[Issue], today: date) -> list[Issue]:
        """The issues, each with ``relapse_of`` where it is a relapse and doesn't say so itself."""
        if not self._cases:
            return list(issues)
        near = self._near(issues)
        return [self._told(issue, near.get(n, ()), today) for n, issue in enumerate(issues)]

    def _told(self, issue: Issue, near: Sequence[tuple[ClosedCase, float]], today: date) -> Issue:
        earlier = None if issue.relapse_of else self._chosen(issue, near, today)
        return replace(issue, relapse_of=earlier) if earlier else issue

    def _near(self, issues: Sequence[Issue]) -> dict[int, list[tuple[ClosedCase, float]]]:
        """For each new case the closed ones of its category within its radius, with their distances in metres."""
        categories = self._vocabulary.categories
        radii = np.array([categories[i.category].radius_m if i.category in categories else 0.0 for i in issues])
        placed = [issue.geometry if radius > 0 else None for issue, radius in zip(issues, radii.tolist(), strict=True)]
        shapes = self._plane(shapely.from_wkt(placed))
        new, old = self._tree.query(shapes, predicate="dwithin", distance=radii)
        metres = shapely.distance(shapes[new], self._tree.geometries[old])
        found: dict[int, list[tuple[ClosedCase, float]]] = defaultdict(list)
        for n, case, distance in zip(new.tolist(), old.tolist(), metres.tolist(), strict=True):
            if issues[n].category == self._cases[case].category:
                found[n].append((self._cases[case], distance))
        return found

    def _chosen(self, issue: Issue, near: Sequence[tuple[ClosedCase, float]], today: date) -> str | None:
        category = self._vocabulary.categories.get(issue.category)
        found = list(near)
        if category is not None and category.bound_to_village and issue.village_id:
            here = self._by_village.get((issue.category, issue.village_id), ())
            unplaced = not category.radius_m or issue.geometry is None
            found += [(case, 0.0) for case in here if unplaced or case.wkb is None]
        day = issue.found_on or today
        earlier = [(case.closed_on, -far, case.id) for case, far in found if case.closed_on <= day]
        return max(earlier)[2] if earlier else None

    def _plane(self, shapes: Any) -> Any:  # noqa: ANN401 - shapely has no types
        """East and north in metres (series of the ellipsoid's degree lengths at a latitude)."""
        phi = np.radians(self._middle)
        per_lat = 111_132.954 - 559.822 * np.cos(2 * phi) + 1.175 * np.cos(4 * phi)
        per_lon = 111_412.84 * np.cos(phi) - 93.5 * np.cos(3 * phi) + 0.118 * np.cos(5 * phi)
        return shapely.transform(shapes, lambda xy: xy * [per_lon, per_lat])


def predecessors(store: Store, vocabulary: Vocabulary) -> Predecessors:
    """All closed cases of a county: for an import."""
    return Predecessors(store.closed_cases(), vocabulary)


def with_predecessor(store: Store, vocabulary: Vocabulary, issue: Issue, today: date) -> Issue:
    """One new case, linked to the closed one that it is a relapse of, if any; only its surroundings are read."""
    category = vocabulary.categories.get(issue.category)
    if category is None or issue.relapse_of:
        return issue
    box = _box(issue, category.radius_m)
    cases = store.closed_cases(category=issue.category, bbox=box, village=issue.village_id or "")
    return Predecessors(cases, vocabulary).linked([issue], today)[0]


def _box(issue: Issue, radius_m: float) -> BBox | None:
    if issue.geometry is None or radius_m <= 0:
        return None
    west, south, east, north = shapely.bounds(shapely.from_wkt(issue.geometry)).tolist()
    up = _MARGIN * radius_m / _METRES_PER_DEGREE
    aside = up / max(0.1, float(np.cos(np.radians(max(abs(south), abs(north))))))
    return BBox(west - aside, south - up, east + aside, north + up)


# Looking again after a closing


@dataclass(frozen=True, slots=True, kw_only=True)
class Revisit:
    """A closed case that somebody should look at again, ``days`` after its closing."""

    id: str
    number: str
    days: int
    due_on: date
    town_id: str
    village_id: str


def schedule_revisits(writer: Writer, store: Store, vocabulary: Vocabulary, issue: Issue, actor: str) -> None:
    """Write when a case that is being closed will be looked at again; one that was reopened starts anew."""
    category = vocabulary.categories.get(issue.category)
    if category is None or issue.closed_on is None:
        return
    for days in category.revisit_days:
        subject = _subject(issue.id, days)
        known = store.record(subject)
        fields = {"closed_on": issue.closed_on.isoformat(), "days": days,
                  "due_on": (issue.closed_on + timedelta(days=days)).isoformat()}  # fmt: skip
        record = Record(
            subject=subject, type="revisit", parent=issue.id, fields=fields, revision=known.revision if known else 0
        )
        writer.put_record(record, kind="plan", actor=actor, at=now())


@flow("revisits.due", Policy.READ)
def due_revisits(session: Session, today: date | None = None, *, town: str = "") -> list[Revisit]:
    """The closed cases that should be looked at again by a day and weren't yet, the longest waiting first.

    Raises
    ------
    NotFoundError, AmbiguousError
        If ``town`` means no town, or several.
    """
    store, day = session.workspace.store, today or session.workspace.settings.day()
    town_id = find_place(session, town, Level.TOWN).place_id if town else ""
    found = []
    for record in store.records("revisit"):
        due_on = date.fromisoformat(record.fields["due_on"])
        if due_on > day or record.fields.get("done_on"):
            continue
        issue = store.issue(record.parent)
        if issue is None or issue.status is not Status.CLOSED or not may_on(session, Policy.READ, issue):
            continue
        if town_id in {"", issue.town_id}:
            found.append(_revisit(issue, int(record.fields["days"]), due_on))
    return sorted(found, key=lambda revisit: (revisit.due_on, revisit.number))


def _revisit(issue: Issue, days: int, due_on: date) -> Revisit:
    return Revisit(
        id=issue.id,
        number=issue.number,
        days=days,
        due_on=due_on,
        town_id=issue.town_id or "",
        village_id=issue.village_id or "",
    )


@flow("revisits.pass", Policy.VERIFY)
def pass_revisit(session: Session, issue_id: str, days: int, note: str = "") -> None:
    """Note that somebody looked again and the case still is in order; where it isn't, it is reopened instead.

    Raises
    ------
    NotFoundError
        ``unknown_issue``, ``unknown_revisit``
    ForbiddenError
        If the actor may not verify this issue.
    ConflictError
        ``revisit_over`` if the case isn't closed any more, or this look was noted before.
    """
    store = session.workspace.store
    issue = store.issue(issue_id)
    if issue is None:
        raise NotFoundError("unknown_issue", word=issue_id[:100])
    permit_on(session, Policy.VERIFY, "revisits.pass", issue)
    with store.writing() as writer:
        record, stands = store.record(_subject(issue.id, days)), store.issue(issue.id)
        if record is None or stands is None:
            raise NotFoundError("unknown_revisit", number=issue.number, days=days)
        if stands.status is not Status.CLOSED or record.fields.get("done_on"):
            raise ConflictError("revisit_over", number=issue.number, days=days)
        day = session.workspace.settings.day()
        done = replace(record, fields={**record.fields, "done_on": day.isoformat()})
        writer.put_record(done, kind="pass", actor=session.actor.id, at=now(), note=note)


def note_look(writer: Writer, store: Store, issue_id: str, day: date, actor: str, note: str) -> None:
    """Note, as a part of a larger transaction, that a closed case was found in order: what was due by then is done."""
    for record in store.records("revisit", issue_id):
        if record.fields["due_on"] <= day.isoformat() and not record.fields.get("done_on"):
            done = replace(record, fields={**record.fields, "done_on": day.isoformat()})
            writer.put_record(done, kind="pass", actor=actor, at=now(), note=note)


def _subject(issue_id: str, days: int) -> str:
    return f"revisit/{issue_id}/{days}"
