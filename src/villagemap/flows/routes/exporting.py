"""A kept plan to take along: its view as the sheets need it, and the bytes of each format."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

import shapely

from villagemap.auth import Policy
from villagemap.deadlines import deadline
from villagemap.errors import NotFoundError, WrongUseError
from villagemap.exports import without_phones
from villagemap.flows.narrowing import may_on, visible
from villagemap.flows.registry import Session, flow
from villagemap.flows.routes.kept import KeptPlan, matrices
from villagemap.flows.routes.legs import plan_lines
from villagemap.flows.routes.request import read_request
from villagemap.flows.routes.telling import told_breaches, told_left_out
from villagemap.model import Issue, IssueFilter, Level, Privacy
from villagemap.plan_check import check_plan
from villagemap.plans import Stop
from villagemap.sheets.view import Ground, OpenIssue, PlanView, Shape, view_of
from villagemap.workflow import RUNNING

MEDIA_TYPES = {
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "gpx": "application/gpx+xml",
    "kml": "application/vnd.google-earth.kml+xml",
    "geojson": "application/geo+json",
    "txt": "text/plain; charset=utf-8",
}
"""What a plan can be taken along as."""

MOST_IN_VILLAGE = 60
"""So many open issues of a village stand on its check sheet."""


@flow("plans.export", Policy.PLAN)
def export_plan(
    session: Session, kept: KeptPlan, form: str, *, lang: str, team: str = "", day: int = 0, address: str = ""
) -> bytes:
    """A plan, or one team's or day's part of it, as a file.

    Parameters
    ----------
    form
        One of `MEDIA_TYPES`.
    address
        Of the county's server, for the codes on a sheet; "" for none.

    Raises
    ------
    WrongUseError
        ``value_unknown`` for another form; ``print_missing``, … where a PDF can't be made here.
    NotFoundError
        ``unknown_shift`` for a team or day without a route.
    """
    if form not in MEDIA_TYPES:
        raise WrongUseError("value_unknown", name="form", word=form[:20], known=", ".join(MEDIA_TYPES))
    view = plan_view(session, kept, lang=lang, address=address)
    part = view.only(team, day)
    if (team or day) and not part.routes:
        raise NotFoundError("unknown_shift", team=team[:100], day=day)
    return _writer(form)(part)


def _writer(form: str) -> Callable[[PlanView], bytes]:
    """What writes a format; loaded here, because a page of type is a heavy thing to have in memory for a GPX."""
    if form == "pdf":
        from villagemap.sheets.pdf import pdf  # noqa: PLC0415

        return pdf
    if form == "xlsx":
        from villagemap.sheets.workbook import workbook  # noqa: PLC0415

        return workbook
    from villagemap.sheets.geojson import geojson  # noqa: PLC0415
    from villagemap.sheets.gpx import gpx  # noqa: PLC0415
    from villagemap.sheets.kml import kml  # noqa: PLC0415
    from villagemap.sheets.message import message  # noqa: PLC0415

    plain: Mapping[str, Callable[[PlanView], bytes]] = {
        "gpx": gpx,
        "kml": kml,
        "geojson": geojson,
        "txt": lambda view: message(view).encode(),
    }
    return plain[form]


@flow("plans.view", Policy.PLAN)
def plan_view(session: Session, kept: KeptPlan, *, lang: str, address: str = "") -> PlanView:
    """All that a sheet of a plan shows."""
    settings = session.workspace.settings
    problem, plan = kept.problem, kept.plan
    breaches = told_breaches(problem, check_plan(problem, matrices(session).get(kept.matrix), plan), lang)
    by_shift: dict[tuple[str, int], list[str]] = {}
    for breach in breaches:
        by_shift.setdefault((breach["team"], breach["day"]), []).append(breach["sentence"])
    left_out = told_left_out(problem, plan.left_out, lang)
    called = {call.stop for route in plan.routes for call in route.calls}
    stops = [stop for stop in problem.stops if stop.id in called]
    elsewhere = frozenset(issue for stop in stops for issue in stop.issue_ids)
    view = view_of(
        problem,
        plan,
        lang=lang,
        county_name=settings.name,
        people=_people(kept),
        issues={stop.id: _open_issues(session, stop, elsewhere, lang) for stop in stops},
        lines={shift: [tuple(line) for line in lines] for shift, lines in plan_lines(session, kept).items()},
        why={stop: told["why"] for stop, told in left_out.items()},
        hints={stop: told["hints"] for stop, told in left_out.items()},
        breaches=by_shift,
    )
    ground, approximate = _ground(session)
    return replace(
        view,
        demo=settings.demo,
        review_number=settings.map_review_number,
        base_address=address,
        ground=ground,
        approximate=approximate,
    )


def _people(kept: KeptPlan) -> dict[str, list[str]]:
    """Who rides along, by team, as the request said."""
    teams = read_request(kept.request or b"{}").teams
    return {team.id or f"t{number}": list(team.people) for number, team in enumerate(teams, 1) if team.people}


def _open_issues(session: Session, stop: Stop, elsewhere: Collection[str], lang: str) -> list[OpenIssue]:
    """The issues to look at that are still open and may stand on paper: no household's, no telephone numbers.

    A stop of issues has its own; a village or hamlet has all that lie in it, the most urgent first, but those that are
    called at by stops of their own (``elsewhere``).
    """
    store = session.workspace.store
    if stop.issue_ids or not stop.place_id:
        found = [issue for word in stop.issue_ids if (issue := store.issue(word)) is not None]
    else:
        statuses = tuple(status.value for status in RUNNING)
        where = visible(session, IssueFilter(villages=(stop.village or stop.place_id,), statuses=statuses))
        there = store.most_urgent(where, limit=MOST_IN_VILLAGE)
        found = [i for i in there if i.id not in elsewhere and stop.place_id in {i.place_id, i.village_id}]
    return [_open_issue(session, issue, lang) for issue in found if _may_stand(session, issue)]


def _may_stand(session: Session, issue: Issue) -> bool:
    shown = issue.status in RUNNING and issue.privacy is not Privacy.RESTRICTED
    return shown and may_on(session, Policy.READ, issue)


def _open_issue(session: Session, issue: Issue, lang: str) -> OpenIssue:
    vocabulary, today = session.workspace.vocabulary, session.workspace.settings.day()
    last = deadline(issue)
    return OpenIssue(
        number=issue.number or issue.id,
        category=vocabulary.label("categories", issue.category, lang),
        what=without_phones(issue.description or issue.location_text),
        duty_unit=vocabulary.label("units", issue.lead_unit, lang) if issue.lead_unit else "",
        due_on=last,
        overdue=last is not None and last < today,
        path=f"/issues/{issue.id}/story",
    )


def _ground(session: Session) -> tuple[tuple[Shape, ...], bool]:
    """Towns and villages behind the routes, and whether any of their borders are approximate."""
    kinds = {Level.TOWN: Ground.TOWN, Level.VILLAGE: Ground.VILLAGE}
    areas = [p for p in session.workspace.gazetteer().places if p.level in kinds and p.geometry is not None]
    areas = [place for place in areas if shapely.get_dimensions(shapely.from_wkb(place.geometry)) == 2]  # noqa: PLR2004 - areas
    shapes = tuple(
        Shape(kind=kinds[p.level], wkb=p.geometry or b"", name=p.name if p.level is Level.TOWN else "") for p in areas
    )
    return shapes, any(place.approximate for place in areas)
