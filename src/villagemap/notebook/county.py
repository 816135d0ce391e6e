"""A county as GeoDataFrames and Folium maps."""

import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import geopandas
import numpy as np
import numpy.typing as npt
import orjson
import pandas as pd
import shapely

from villagemap.auth import OWNER
from villagemap.crs import parse_datum
from villagemap.deadlines import NO_DAY, URGENCIES, urgencies
from villagemap.errors import WrongUseError
from villagemap.evidence import Grade
from villagemap.exports import named_for, write_whole
from villagemap.flows.cases.actions import take_action
from villagemap.flows.cases.choosing import choose_issues
from villagemap.flows.cases.evidence import add_photo
from villagemap.flows.cases.issues import county_table, export_geojson, issue_table
from villagemap.flows.cases.tasks import Report, report_issue
from villagemap.flows.maps import town_map
from villagemap.flows.places import list_places
from villagemap.flows.registry import Session
from villagemap.flows.routes.kept import show_plan
from villagemap.flows.workspace import open_workspace
from villagemap.model import Audience, Issue, IssueFilter, Level, Located
from villagemap.notebook.route_plan import RoutePlan, planned, request_of
from villagemap.settings import TIME_ZONE
from villagemap.store.protocol import State
from villagemap.texts import LANGS, text
from villagemap.vocabulary import Vocabulary
from villagemap.workflow import STATUSES, Given

if TYPE_CHECKING:
    from villagemap.maps import TownMap

Words = str | Sequence[str]
"""One code or name, or several."""

Day = date | str
"""A day, or its text like 2026-03-09."""

_CRS = "EPSG:4326"
_DAYS = ("found_on", "due_on", "deferred_until", "claimed_closed_on", "closed_on")
_CATEGORICAL = (
    "town_code", "town", "village_code", "village", "category", "status", "urgency", "located", "source", "unit",
    "lead_unit",
)  # fmt: skip
_COLUMNS = (
    "id", "number", "town_code", "town", "village_code", "village", "category", "status", "urgency", "severity",
    "located", "quantity_found", "quantity_done", "unit", "source", "found_on", "due_on", "deferred_until",
    "claimed_closed_on", "closed_on", "last_event_at", "description", "lead_unit", "revision",
)  # fmt: skip
_PLACE_COLUMNS = (
    "place_id", "code", "name", "short_name", "level", "parent_code", "aliases", "former_codes", "households",
    "approximate", "valid_from", "valid_to",
)  # fmt: skip


class County:
    """A county's workspace, opened by the owner of this computer.

    Parameters
    ----------
    folder
        The workspace, as ``villagemap init`` or ``villagemap demo`` made it.

    Raises
    ------
    NotFoundError, WorkspaceError
        If there is no workspace, or not a whole one.
    """

    def __init__(self, folder: Path) -> None:
        self._session = Session(open_workspace(folder), OWNER)

    @property
    def name(self) -> str:
        """What people call the county."""
        return self._session.workspace.settings.name

    @property
    def vocabulary(self) -> Vocabulary:
        """Its categories, sources and statuses with their labels."""
        return self._session.workspace.vocabulary

    def issues(
        self,
        *,
        town: Words = (),
        village: Words = (),
        category: Words = (),
        status: Words = (),
        overdue: bool = False,
        bbox: Sequence[float] | None = None,
        found_from: Day | None = None,
        found_to: Day | None = None,
    ) -> Any:  # noqa: ANN401 - geopandas has no types
        """Issues as a GeoDataFrame, n rows in the order in which they were stored.

        Parameters
        ----------
        town, village
            Codes or names. A village's name needs its town where it repeats in the county.
        category, status
            Codes or labels in any of our languages.
        overdue
            Only what is past its deadline on the county's day.
        bbox
            West, south, east, north in degrees, WGS 84. Issues without a position are left out then.
        found_from, found_to
            First and last day of finding, both inclusive.

        Returns
        -------
        geopandas.GeoDataFrame
            EPSG:4326; ``geometry`` is None without a position. Codes and names are categoricals (``category``,
            ``status`` and ``urgency`` in the vocabulary's order, ``town`` in the order of codes), days datetime64,
            ``last_event_at`` is in Asia/Shanghai.

        Raises
        ------
        NotFoundError, AmbiguousError, WrongUseError
            For words that mean nothing, or several things.
        """
        where = self._where(
            town=town, village=village, category=category, status=status,
            overdue=overdue, bbox=bbox, found_from=found_from, found_to=found_to,
        )  # fmt: skip
        features, states = issue_table(self._session, where)
        geometry, frame = _feature_frame(features, _COLUMNS)
        _add_states(frame, states)
        frame["urgency"] = _urgency(frame, self._session.workspace.settings.day())
        for name in _DAYS:
            frame[name] = pd.to_datetime(frame[name], format="%Y-%m-%d")
        orders = self._orders()
        for name in _CATEGORICAL:
            frame[name] = _categorical(frame[name], orders.get(name, ()))
        return geopandas.GeoDataFrame(frame[list(_COLUMNS)], geometry=geometry, crs=_CRS)

    def places(self, level: str = "village", *, town: str = "") -> Any:  # noqa: ANN401 - geopandas has no types
        """Towns, villages or hamlets as a GeoDataFrame in EPSG:4326, in the order of their codes.

        ``approximate`` says that an area was drawn from points and is no legal boundary.

        Raises
        ------
        WrongUseError
            For another level than county, town, village or hamlet.
        """
        if level not in list(Level):
            raise WrongUseError("level_unknown", value=level, known=", ".join(Level))
        texts, _ = list_places(self._session, Level(level), town=town)
        geometry, frame = _feature_frame([texts], _PLACE_COLUMNS)
        frame["level"] = _categorical(frame["level"], list(Level))
        frame["households"] = frame["households"].astype("Int64")
        frame["approximate"] = frame["approximate"].astype(bool)
        for name in ("valid_from", "valid_to"):
            frame[name] = pd.to_datetime(frame[name], format="%Y-%m-%d")
        return geopandas.GeoDataFrame(frame[list(_PLACE_COLUMNS)], geometry=geometry, crs=_CRS)

    def counts(self) -> pd.DataFrame:
        """Cases (件, not units) of each town, indexed by town code; a blank code holds those outside every town.

        ``open`` includes ``submitted``; ``claimed`` (自报完成) includes ``verified`` (核实销号).
        """
        _, rows = county_table(self._session)
        records = [
            {"code": row.town.code, "town": row.town.name, **asdict(row.counts)}
            if row.town
            else {"code": "", "town": "", **asdict(row.counts)}
            for row in rows
        ]
        return pd.DataFrame(records).set_index("code")

    def map(self, town: str, lang: str = "zh") -> "TownMap":
        """A town's map; shown in Jupyter without any network, and kept as one file by its ``save(path)``.

        Raises
        ------
        NotFoundError, WrongUseError
            For an unknown town, or one without any position.
        """
        return town_map(self._session, town, lang, inline=True)

    def export(
        self,
        path: str | Path,
        *,
        audience: str = Audience.OWNER,
        datum: str = "wgs84",
        **filters: Any,  # noqa: ANN401 - what `issues` takes
    ) -> Path:
        """Write issues as GeoJSON; takes the filters of `issues`.

        Parameters
        ----------
        audience
            ``owner`` for all rows; ``office`` and ``public`` leave out households, persons and phones.
        datum
            ``wgs84``, ``cgcs2000``, ``gcj02`` or ``bd09``; the last two show in the file's name.

        Returns
        -------
        Path
            The file that was written.
        """
        if audience not in list(Audience):
            raise WrongUseError("value_unknown", name="audience", word=audience, known=", ".join(Audience))
        datum = parse_datum(datum)
        target = named_for(Path(path), datum)
        where = self._where(**filters, audience=Audience(audience))
        write_whole(target, export_geojson(self._session, where, datum=datum))
        return target

    def report(self, category: str, **said: Any) -> Issue:  # noqa: ANN401 - see `flows.cases.tasks.Report`
        """Report an issue; ``said``: ``description``, ``village``, ``lonlat`` (`flows.cases.tasks.Report`)."""
        code = self.vocabulary.code_of("categories", category) or category
        return report_issue(self._session, Report(category=code, **said))

    def act(self, issue: str, action: str, *, revision: int | None = None, key: str = "", **said: Any) -> Issue:  # noqa: ANN401
        """Take one step of an issue's life, as `workflow.ACTIONS` lists them; ``said`` as `workflow.Given` has it.

        Raises
        ------
        RefusedError
            If the workflow refuses; its sentence says why and what is allowed.
        ConflictError
            If somebody else changed it since ``revision``.
        """
        given = Given(on=self._session.workspace.settings.day(), **said)
        return take_action(self._session, action, issue, given, revision=revision, key=key)

    def add_photo(self, issue: str, file: str | Path, stage: str = "after") -> Grade:
        """Add a photo to an issue; its grade says how far it proves anything, and why."""
        path = Path(file)
        with path.open("rb") as stream:
            return add_photo(self._session, issue, stage, stream, path.name)[1]

    def plan_routes(
        self,
        *,
        town: Words = (),
        teams: int | Sequence[Mapping[str, Any]] = 2,
        days: int | Sequence[Day] | Mapping[str, Any] = 1,
        sweep: str = "",
        issues: bool = False,
        **request: Any,  # noqa: ANN401 - see docs/request.schema.json
    ) -> RoutePlan:
        """Plan routes and keep the plan; what can't be planned is told by it and is no error.

        Parameters
        ----------
        town
            Codes or names: all their villages must be called at. Without any the county's.
        teams, days
            How many, or as a request has them; days count from the county's.
        sweep
            Name or id of a sweep: the villages that it has still to visit, instead of ``town``.
        issues
            Whether open issues are planned beside villages.
        **request
            Other parts of a request as ``docs/routes.md`` tells them: ``stops``, ``choose``, ``locks``, ``seconds``,
            ``iterations``, ``seed``, …

        Raises
        ------
        UnreadableRequestError
            For a request whose form is wrong, with all its faults.
        NotFoundError, AmbiguousError
            For an unknown sweep or town.
        """
        said = request_of(
            day=self._session.workspace.settings.day(),
            towns=_listed(town),
            teams=teams,
            days=days,
            sweep=sweep,
            issues=issues,
            more=request,
        )
        return planned(self._session, said)

    def plan(self, word: str) -> RoutePlan:
        """A kept plan by its id or name; raises NotFoundError ``unknown_plan``."""
        return RoutePlan(self._session, show_plan(self._session, word))

    def close(self) -> None:
        """Close the store's connections."""
        self._session.workspace.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"County({self.name!r}, {str(self._session.workspace.folder)!r})"

    def _repr_html_(self) -> str:
        """Name and figures in one line, in every language of ours."""
        counts, rows = county_table(self._session)
        towns = sum(row.town is not None for row in rows)
        figures = {"towns": towns, "open": counts.open, "overdue": counts.overdue}
        line = " · ".join(text("notebook.county", lang, **figures) for lang in LANGS)
        return f"<p><b>{html.escape(self.name)}</b> {html.escape(line)}</p>"

    def _where(
        self,
        *,
        town: Words = (),
        village: Words = (),
        category: Words = (),
        status: Words = (),
        overdue: bool = False,
        bbox: Sequence[float] | None = None,
        found_from: Day | None = None,
        found_to: Day | None = None,
        audience: Audience = Audience.OWNER,
    ) -> IssueFilter:
        return choose_issues(
            self._session,
            towns=_listed(town),
            villages=_listed(village),
            categories=_listed(category),
            statuses=_listed(status),
            overdue=overdue,
            bbox=bbox,
            found_from=_day(found_from),
            found_to=_day(found_to),
            audience=audience,
        )

    def _orders(self) -> Mapping[str, Iterable[str]]:
        """In which order a column's categories stand."""
        towns = [row.town for row in county_table(self._session)[1] if row.town]
        words = self.vocabulary
        return {
            "town": [town.name for town in towns],
            "town_code": [town.code for town in towns],
            "category": words.categories,
            "status": [status.value for status in STATUSES],
            "urgency": [urgency.value for urgency in URGENCIES],
            "located": [located.value for located in Located],
            "source": words.words["sources"],
        }


def _listed(words: Words) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else tuple(words)


def _day(day: Day | None) -> date | None:
    if not isinstance(day, str):
        return day
    try:
        return date.fromisoformat(day)
    except ValueError as fault:
        raise WrongUseError("date_unreadable", value=day) from fault


def _feature_frame(blocks: Iterable[list[str]], columns: Sequence[str]) -> tuple[npt.NDArray[np.object_], pd.DataFrame]:
    """Geometries and properties of GeoJSON features; a property that no feature has is None."""
    values: dict[str, list[Any]] = {name: [] for name in columns}
    shapes = [np.empty(0, object)]
    for block in blocks:
        features = orjson.loads("[" + ",".join(block) + "]")
        shapes.append(_shapes([feature["geometry"] for feature in features]))
        for name, column in values.items():
            column += [feature["properties"].get(name) for feature in features]
    return np.concatenate(shapes), pd.DataFrame(values)


def _shapes(geometries: Sequence[Mapping[str, Any] | None]) -> npt.NDArray[np.object_]:
    """Shapely geometries; points, which most are, without a text in between."""
    shapes = np.full(len(geometries), None, object)
    points = [n for n, shape in enumerate(geometries) if shape and shape["type"] == "Point"]
    others = [n for n, shape in enumerate(geometries) if shape and shape["type"] != "Point"]
    if points:
        shapes[points] = shapely.points([geometries[n]["coordinates"] for n in points])  # type: ignore[index]
    if others:
        shapes[others] = shapely.from_geojson([orjson.dumps(geometries[n]) for n in others])
    return shapes


def _add_states(frame: pd.DataFrame, blocks: Iterator[list[State]]) -> None:
    """Lay what GeoJSON doesn't tell beside it, by id."""
    states = pd.DataFrame([state for block in blocks for state in block], columns=State._fields)
    states = states.set_index("id").reindex(frame["id"])
    frame["located"] = states["located"].to_numpy()
    frame["deferred_until"] = states["deferred_until"].replace("", None).to_numpy()
    instants = pd.to_datetime(states["changed_at"], format="ISO8601", utc=True)
    frame["last_event_at"] = instants.dt.tz_convert(str(TIME_ZONE)).array


def _urgency(frame: pd.DataFrame, today: date) -> npt.NDArray[np.object_]:
    status = frame["status"]
    deadline = frame["deferred_until"].where(status == "deferred", frame["due_on"])
    begun = ~status.isin(["reported", "registered"]) | (frame["quantity_done"] > 0)
    numbers = {value.value: number for number, value in enumerate(STATUSES)}
    codes = urgencies(
        status.map(numbers).to_numpy().astype(np.int8),
        _day_numbers(frame["found_on"]),
        _day_numbers(deadline),
        begun.to_numpy().astype(np.int8),
        today,
    )
    return np.array([urgency.value for urgency in URGENCIES], object)[codes]


def _day_numbers(days: "pd.Series[Any]") -> npt.NDArray[np.int32]:
    """Days since 1970-01-01, `NO_DAY` for none."""
    known = days.notna().to_numpy()
    numbers = np.full(len(days), NO_DAY, np.int32)
    numbers[known] = days[known].to_numpy("datetime64[D]").astype(np.int64)
    return numbers


def _categorical(values: "pd.Series[Any]", order: Iterable[str]) -> pd.Categorical:
    """Values as a categorical in ``order``; what isn't in it comes after, sorted."""
    known = list(dict.fromkeys(order))
    rest = sorted(set(values.dropna().unique()) - set(known))
    return pd.Categorical(values, categories=[*known, *rest])
