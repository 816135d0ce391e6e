"""The stops of a request: its words about places, issues and points become stops, and what can't is a finding."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from villagemap.auth import Policy
from villagemap.errors import AmbiguousError, NotFoundError
from villagemap.flows.campaigns.sweep_views import coverage
from villagemap.flows.cases.choosing import choose_issues
from villagemap.flows.narrowing import may_on, visible
from villagemap.flows.registry import Session
from villagemap.flows.routes.findings import Finding
from villagemap.flows.routes.places import LonLat, find_any, issue_point, matrix_row, seat_of, whereabouts
from villagemap.flows.routes.request import MOST_LISTED, MOST_STOPS, Request, StopTold, seconds
from villagemap.flows.routes.spots import Draft, grouped
from villagemap.model import Issue, Level, Place, Privacy
from villagemap.plans import Stop, Window
from villagemap.texts import DEFAULT_LANG, text
from villagemap.workflow import RUNNING

MINUTE_S = 60


class _UnplannableError(Exception):
    """A stop can't be planned as it was said; ``code`` is a finding's."""

    def __init__(self, code: str, **params: str | int) -> None:
        super().__init__(code)
        self.code, self.params = code, params


@dataclass(slots=True)
class Stops:
    """Collects the stops of one request; what can't be one is in ``findings``."""

    session: Session
    request: Request
    teams: frozenset[str]
    """Ids of the teams that are planned."""
    days: int
    """How many days."""
    sweep: str = ""
    """Id of the sweep that it is for."""
    drafts: list[Draft] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    written: set[str] = field(default_factory=set)
    """Ids of those that were listed one by one."""
    names: dict[str, str] = field(default_factory=dict)
    """Words that name a stop, to the id of the stop that it is in."""

    def collect(self) -> list[Stop]:
        """All stops: those listed, those chosen, those of the sweep; grouped, at most `MOST_STOPS`."""
        for number, told in enumerate(self.request.stops, 1):
            self._listed(told, told.id or f"s{number}")
        if self.request.choose is not None:
            self._chosen_villages()
            self._chosen_issues()
        if self.request.sweep:
            self._swept()
        if not (self.request.stops or self.request.choose or self.request.sweep):
            self._all_of_matrix()
        return self._cut([*self._grouped()])

    # Those listed

    def _listed(self, told: StopTold, word: str) -> None:
        """One stop as it was written."""
        try:
            draft = self._draft(told, word)
        except (NotFoundError, AmbiguousError) as fault:
            self._out(word, fault.code, **{n: v for n, v in fault.params.items() if isinstance(v, str | int)})
            return
        except _UnplannableError as fault:
            self._out(word, fault.code, **fault.params)
            return
        if draft is not None and self._lacks_row(draft.stop):
            self._out(draft.stop.id, "not_in_matrix")
        elif draft is not None and self._add(draft):
            self.written.add(draft.stop.id)

    def _draft(self, told: StopTold, word: str) -> Draft | None:
        blank = self._blank(told, word)
        if told.issue:
            return self._of_issue(self._issue(told.issue), blank if told.id else replace(blank, id=""), told)
        if told.place:
            place = find_any(self.session.workspace.gazetteer(), told.place)
            return self._of_place(place, blank if told.id else replace(blank, id=place.place_id), told)
        if told.lon is not None and told.lat is not None:
            return self._of_point(blank, told.lon, told.lat)
        matrix = self.request.travel.matrix if self.request.travel else None
        if told.id and matrix and told.id in matrix.ids:
            return Draft(stop=blank)
        self._out(word, "not_in_matrix" if told.id and matrix else "stop_nowhere")
        return None

    def _blank(self, told: StopTold, word: str) -> Stop:
        """What a stop says of itself, before it is known where it is."""
        minutes = told.service_min if told.service_min is not None else self.request.village_min
        return Stop(
            id=word,
            name=told.name or word,
            service_s=round(minutes * MINUTE_S),
            priority=told.priority,
            must=told.must,
            windows=self._windows(told, word),
            skill=told.skill,
            teams=self._teams(told, word),
            days=self._days(told, word),
        )

    def _windows(self, told: StopTold, word: str) -> tuple[Window, ...]:
        """Windows in their order; one that ends before it begins is left out, and where none is left, the stop.

        Raises
        ------
        _UnplannableError
            ``windows_backwards``
        """
        windows = [(first, last, Window(seconds(first), seconds(last))) for first, last in told.windows]
        sound = [window for _, _, window in windows if window.start_s <= window.end_s]
        wrong = ", ".join(f"{first}-{last}" for first, last, window in windows if window.start_s > window.end_s)
        if windows and not sound:
            raise _UnplannableError("windows_backwards", windows=wrong)
        if wrong:
            self.findings.append(Finding(code="window_backwards", stop=word, params={"windows": wrong}))
        return tuple(sorted(sound, key=lambda window: window.start_s))

    def _teams(self, told: StopTold, word: str) -> tuple[str, ...]:
        """Those allowed; an unknown one is told, and where no other is left the stop is left out.

        Raises
        ------
        _UnplannableError
            ``no_known_team``
        """
        known = tuple(dict.fromkeys(team for team in told.teams if team in self.teams))
        strange = ", ".join(team for team in told.teams if team not in self.teams)
        if told.teams and not known:
            raise _UnplannableError("no_known_team", teams=strange)
        if strange:
            self.findings.append(Finding(code="unknown_team", stop=word, params={"teams": strange}))
        return known

    def _days(self, told: StopTold, word: str) -> tuple[int, ...]:
        """Days allowed, of those that are planned; raises ``no_such_day`` where none of them is."""
        known = tuple(sorted({day for day in told.days if day <= self.days}))
        beyond = ", ".join(str(day) for day in told.days if day > self.days)
        if told.days and not known:
            raise _UnplannableError("no_such_day", days=beyond, count=self.days)
        if beyond:
            self.findings.append(Finding(code="day_beyond", stop=word, params={"days": beyond, "count": self.days}))
        return known

    def _of_point(self, blank: Stop, lon: float, lat: float) -> Draft | None:
        if not (math.isfinite(lon) and math.isfinite(lat) and abs(lon) <= 180 and abs(lat) <= 90):  # noqa: PLR2004 - degrees
            self._out(blank.id, "position_impossible", value=f"{lon}, {lat}")
            return None
        gazetteer = self.session.workspace.gazetteer()
        lies = whereabouts(gazetteer, gazetteer.place_at((lon, lat)))
        at = replace(blank, lon=lon, lat=lat, village=lies.village, village_name=lies.village_name)
        return Draft(stop=replace(at, town_name=lies.town_name))

    def _of_place(self, place: Place, blank: Stop, told: StopTold) -> Draft | None:
        at = self._position(blank.id, seat_of(place))
        if at is None:
            return None
        lies = whereabouts(self.session.workspace.gazetteer(), place)
        stop = replace(
            blank,
            name=told.name or place.name,
            lon=at[0],
            lat=at[1],
            village=lies.village,
            village_name=lies.village_name,
            town_name=lies.town_name,
            place_id=place.place_id,
        )
        return Draft(stop=stop, hamlet=lies.hamlet)

    def _issue(self, word: str) -> Issue:
        """An issue that the actor may see; that one of a household was looked at is noted."""
        issue = self.session.workspace.store.issue(word)
        if issue is None or not may_on(self.session, Policy.READ, issue):
            raise NotFoundError("unknown_issue", word=word[:100])
        return issue

    def _of_issue(self, issue: Issue, blank: Stop, told: StopTold) -> Draft | None:
        workspace = self.session.workspace
        if issue.privacy is Privacy.RESTRICTED:
            workspace.log_access(self.session.actor.id, "plans.make", issue.id)
        at = self._position(blank.id or issue.number or issue.id, issue_point(workspace.gazetteer(), issue))
        if at is None:
            return None
        place = workspace.gazetteer().by_id.get(issue.place_id or issue.village_id or "")
        lies = whereabouts(workspace.gazetteer(), place)
        minutes = told.service_min if told.service_min is not None else self.request.issue_min
        stop = replace(
            blank,
            id=blank.id or issue.number or issue.id,
            name=told.name or (place.name if place else issue.number),
            lon=at[0],
            lat=at[1],
            service_s=round(minutes * MINUTE_S),
            village=lies.village,
            village_name=lies.village_name,
            town_name=lies.town_name,
            place_id=issue.place_id or "",
            issue_ids=(issue.id,),
        )
        label = "" if told.name else self._label(issue)
        return Draft(stop=stop, hamlet=lies.hamlet, loose=not blank.id, label=label)

    def _label(self, issue: Issue) -> str:
        """What is to be looked at; a plan is read by more people than a household's case, so that isn't told."""
        if issue.privacy is Privacy.RESTRICTED:
            return text("plans.names.household", DEFAULT_LANG)
        return self.session.workspace.vocabulary.label("categories", issue.category, DEFAULT_LANG)

    def _position(self, stop: str, at: LonLat | None) -> LonLat | None:
        if at is None:
            self._out(stop, "no_position")
        return at

    # Those chosen

    def _chosen_villages(self) -> None:
        choice = self.request.choose
        if choice is None:
            return
        gazetteer, day = self.session.workspace.gazetteer(), self.session.workspace.settings.day()
        towns = {gazetteer.find(word, Level.TOWN).place_id for word in choice.towns}
        for word in choice.villages if choice.villages != "all" else ():
            self._listed(StopTold(place=word, must=choice.must), word)
        for place in gazetteer.level(Level.VILLAGE) if choice.villages == "all" else ():
            town = gazetteer.town_of(place)
            stands = place.valid_to is None or place.valid_to >= day
            if stands and (not towns or (town is not None and town.place_id in towns)):
                self._place(place, must=choice.must)

    def _place(self, place: Place, *, must: bool) -> None:
        told = StopTold(must=must)
        draft = self._of_place(place, self._blank(told, place.place_id), told)
        if draft is not None:
            self._add_chosen(draft)

    def _chosen_issues(self) -> None:
        """The open issues that all of a filter fits, as far as the actor may see."""
        choice = self.request.choose
        if choice is None or not choice.issues:
            return
        where = choose_issues(
            self.session,
            towns=choice.towns,
            categories=choice.categories,
            statuses=() if choice.overdue else sorted(RUNNING),
            overdue=choice.overdue,
        )
        for issue in self.session.workspace.store.issues(visible(self.session, where), limit=MOST_LISTED):
            told = StopTold(priority=issue.severity)
            draft = self._of_issue(issue, replace(self._blank(told, ""), id=""), told)
            if draft is not None:
                self._add_chosen(draft)

    def _swept(self) -> None:
        """The places of a sweep that nobody has visited with proof, or said to be unreachable."""
        state = coverage(self.session, self.request.sweep)
        self.sweep = state.sweep.id
        by_id = self.session.workspace.gazetteer().by_id
        for line in state.missed:
            place = by_id.get(line.place.place_id)
            if place is not None:
                self._place(place, must=True)
        if not state.missed:
            self.findings.append(Finding(code="sweep_done", params={"sweep": state.sweep.name}))

    def _all_of_matrix(self) -> None:
        """A bare matrix without stops: whatever isn't a team's place is one."""
        matrix = self.request.travel.matrix if self.request.travel else None
        if matrix is None:
            return
        depots = {end for team in self.request.teams for end in (team.start, team.end) if isinstance(end, str)}
        depots = depots or {matrix.ids[0]}
        for word in matrix.ids:
            if word not in depots:
                self._listed(StopTold(id=word), word)

    # What they share

    def _add_chosen(self, draft: Draft) -> None:
        """Take in one that a filter or sweep names, unless a given matrix doesn't know it."""
        if self._lacks_row(draft.stop):
            self._out(draft.stop.id, "not_in_matrix")
        else:
            self._add(draft, again=True)

    def _lacks_row(self, stop: Stop) -> bool:
        """Whether there is a given matrix that doesn't know a stop."""
        matrix = self.request.travel.matrix if self.request.travel else None
        return matrix is not None and matrix_row(self.session.workspace.gazetteer(), matrix.ids, stop) is None

    def _add(self, draft: Draft, *, again: bool = False) -> bool:
        """Take one in; of what stands there twice only the first, ``again`` without a word."""
        stop = draft.stop
        if stop.id in self.names:
            if not again:
                self._out(stop.id, "stop_repeats")
            return False
        self.names[stop.id] = stop.id
        self.drafts.append(draft)
        return True

    def _out(self, stop: str, code: str, **params: str | int) -> None:
        self.findings.append(Finding(code=code, stop=stop, left_out=True, params=params))

    def _grouped(self) -> Iterator[Stop]:
        for stop, labels in grouped(self.drafts, self.request.group_within_m):
            self.names.update(dict.fromkeys(stop.issue_ids, stop.id))
            yield _named(stop, labels)
        for draft in self.drafts:  # numbers of issues that were made one with others
            if draft.loose:
                self.names[draft.stop.id] = self.names[draft.stop.issue_ids[0]]

    def _cut(self, stops: list[Stop]) -> list[Stop]:
        """The stops that weigh most, where there are too many; the others are told."""
        order = sorted(stops, key=lambda stop: (not stop.must, -stop.priority))
        for stop in order[MOST_STOPS:]:
            self._out(stop.id, "too_many_stops", most=MOST_STOPS)
        kept = {stop.id for stop in order[:MOST_STOPS]}
        self._tell_twins([stop for stop in stops if stop.id in kept])
        return [stop for stop in stops if stop.id in kept]

    def _tell_twins(self, stops: Sequence[Stop]) -> None:
        """Two stops at one point are planned like any other, and told."""
        first: dict[tuple[float, float], str] = {}
        for stop in stops:
            if stop.lon is None or stop.lat is None or stop.id not in self.written:
                continue
            other = first.setdefault((round(stop.lon, 6), round(stop.lat, 6)), stop.id)
            if other != stop.id:
                self.findings.append(Finding(code="same_point", stop=stop.id, params={"other": other}))


def _named(stop: Stop, labels: Sequence[str]) -> Stop:
    """A stop of issues by its place and what is to be looked at there."""
    if not labels or not labels[0]:
        return stop
    code = "plans.names.issue" if len(labels) == 1 else "plans.names.issues"
    said = {"place": stop.name, "category": labels[0]} | ({"count": len(labels)} if len(labels) > 1 else {})
    return replace(stop, name=text(code, DEFAULT_LANG, **said))
