"""What can be chosen for a plan: villages, and open issues, as points on a map."""

from typing import Any

from villagemap.auth import Policy
from villagemap.deadlines import urgency
from villagemap.flows.narrowing import visible
from villagemap.flows.registry import Session, flow
from villagemap.flows.routes.places import LonLat, issue_point, seat_of, whereabouts
from villagemap.flows.routes.request import MOST_LISTED
from villagemap.model import Issue, IssueFilter, Level, Place, Privacy
from villagemap.workflow import RUNNING


@flow("plans.candidates", Policy.PLAN)
def candidates(session: Session, where: IssueFilter) -> dict[str, Any]:
    """Villages of the filter's towns and the issues that fit it, as a GeoJSON feature collection of points.

    Without statuses only open issues are told. A household's case stands at its hamlet's or village's seat. At most
    `MOST_LISTED` issues are told; ``numberMatched`` says how many there are.
    """
    workspace = session.workspace
    if not where.statuses and where.overdue_on is None:
        where = IssueFilter(**{**_parts(where), "statuses": tuple(sorted(RUNNING))})
    seen = visible(session, where)
    issues = workspace.store.issues(seen, limit=MOST_LISTED)
    features = [*_villages(session, where), *(f for i in issues if (f := _issue(session, i)) is not None)]
    return {
        "type": "FeatureCollection",
        "features": features,
        "numberReturned": len(features),
        "numberMatched": workspace.store.count(seen),
    }


def _parts(where: IssueFilter) -> dict[str, Any]:
    return {name: getattr(where, name) for name in IssueFilter.__slots__}


def _villages(session: Session, where: IssueFilter) -> list[dict[str, Any]]:
    gazetteer, day = session.workspace.gazetteer(), session.workspace.settings.day()
    found = []
    for place in gazetteer.level(Level.VILLAGE):
        town = gazetteer.town_of(place)
        at, stands = seat_of(place), place.valid_to is None or place.valid_to >= day
        chosen = not where.towns or (town is not None and town.place_id in where.towns)
        chosen = chosen and (not where.villages or place.place_id in where.villages)
        if at is not None and stands and chosen:
            found.append(
                _feature(place.place_id, at, _placed(session, place) | {"kind": "village", "name": place.name})
            )
    return found


def _issue(session: Session, issue: Issue) -> dict[str, Any] | None:
    workspace = session.workspace
    at = issue_point(workspace.gazetteer(), issue)
    if at is None:
        return None
    place = workspace.gazetteer().by_id.get(issue.place_id or issue.village_id or "")
    told = {
        "kind": "issue",
        "name": issue.number or issue.id,
        "issue": issue.id,
        "category": issue.category if issue.privacy is not Privacy.RESTRICTED else "",
        "severity": issue.severity,
        "urgency": urgency(issue, workspace.settings.day()).value,
    }
    return _feature(issue.number or issue.id, at, _placed(session, place) | told)


def _placed(session: Session, place: Place | None) -> dict[str, Any]:
    lies = whereabouts(session.workspace.gazetteer(), place)
    return {"village": lies.village, "village_name": lies.village_name, "town_name": lies.town_name}


def _feature(word: str, at: LonLat, properties: dict[str, Any]) -> dict[str, Any]:
    geometry = {"type": "Point", "coordinates": list(at)}
    return {"type": "Feature", "id": word, "geometry": geometry, "properties": properties}
