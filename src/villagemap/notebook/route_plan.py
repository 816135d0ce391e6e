"""A plan of routes that shows itself in a notebook."""

import html
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas
import orjson
import pandas as pd
import shapely

from villagemap.exports import write_whole
from villagemap.flows.registry import Session
from villagemap.flows.routes.exporting import export_plan
from villagemap.flows.routes.kept import KeptPlan
from villagemap.flows.routes.legs import plan_legs, plan_lines
from villagemap.flows.routes.maps import Held, plan_map
from villagemap.flows.routes.planning import PlanCheck, check_kept, make_plan
from villagemap.flows.routes.replanning import read_happened, replan_day, told_changes
from villagemap.flows.routes.request import read_request
from villagemap.flows.routes.telling import tell_plan
from villagemap.texts import LANGS, text

if TYPE_CHECKING:
    from villagemap.maps import RouteMap

_CRS = "EPSG:4326"
_COLUMNS = (
    "team", "day", "on", "order", "stop", "name", "town", "village", "arrive", "begin", "leave", "leg_s", "leg_m",
    "wait_s",
)  # fmt: skip


class RoutePlan:
    """A kept plan: its figures, its routes as a GeoDataFrame, and what was left out."""

    def __init__(self, session: Session, kept: KeptPlan) -> None:
        self._session = session
        self.kept = kept

    @property
    def id(self) -> str:
        """What it is kept under."""
        return self.kept.id

    @property
    def routes(self) -> Any:  # noqa: ANN401 - geopandas has no types
        """Every call as a row, by day, team and order; ``geometry`` is the leg that leads there.

        Times are Timedeltas after midnight; EPSG:4326. The leg back stands behind the last call, with a blank ``stop``.
        """
        lines = plan_lines(self._session, self.kept)
        rows, shapes = [], []
        for route in sorted(self.kept.plan.routes, key=lambda route: (route.day, route.team)):
            for row, line in zip(_rows(self.kept, route), lines[route.team, route.day], strict=True):
                rows.append(row)
                shapes.append(shapely.linestrings(line) if line else None)
        return geopandas.GeoDataFrame(pd.DataFrame(rows, columns=list(_COLUMNS)), geometry=shapes, crs=_CRS)

    @property
    def left_out(self) -> pd.DataFrame:
        """Stops that aren't in the plan, with why, and what would help; the language of the office, Chinese."""
        told = self.told()
        names = {stop.id: stop.name for stop in self.kept.problem.stops}
        rows = [
            {"stop": stop, "name": names[stop], "why": said["why"], "hints": said["hints"], "proof": said["proof"]}
            for stop, said in told["told"]["left_out"].items()
        ]
        rows += [
            {"stop": f["stop"], "name": f["stop"], "why": f["sentence"], "hints": [], "proof": []}
            for f in told["findings"]
            if f["left_out"] and f["stop"]
        ]
        return pd.DataFrame(rows, columns=["stop", "name", "why", "hints", "proof"])

    def told(self, lang: str = LANGS[0]) -> dict[str, Any]:
        """All that there is to know of it, as ``GET /plans/{id}`` answers it."""
        return tell_plan(self._session, self.kept, lang)

    def map(self, lang: str = LANGS[0]) -> "RouteMap":
        """Its map, shown without any network; kept as one file by its ``save(path)``."""
        held = Held(answer=self.told(lang), legs=orjson.dumps(plan_legs(self._session, self.kept)))
        return plan_map(self._session, self.id, lang, held=held)

    def check(self) -> PlanCheck:
        """Hold it against its digest and the rules again."""
        return check_kept(self._session, self.id)

    def export(self, path: str | Path, *, team: str = "", day: int = 0, lang: str = LANGS[0]) -> Path:
        """Write it to take along: pdf, xlsx, gpx, kml, geojson or txt by the name's ending."""
        target = Path(path)
        form = target.suffix.lower().removeprefix(".")
        write_whole(target, [export_plan(self._session, self.kept, form, lang=lang, team=team, day=day)])
        return target

    def replan(self, **happened: Any) -> tuple["RoutePlan", dict[str, Any]]:  # noqa: ANN401 - see `Happened`
        """A new plan of a day, and what changed; ``happened`` as `flows.routes.replanning.Happened` has it."""
        new = replan_day(self._session, self.id, read_happened(happened))
        return RoutePlan(self._session, new.kept), told_changes(new, LANGS[0])

    def __repr__(self) -> str:
        figures = self.kept.plan.figures
        return f"RoutePlan({self.kept.name!r}, {figures.stops} stops, {figures.left_out} left out)"

    def _repr_html_(self) -> str:
        """Figures, and a line for each team's day."""
        figures, told = self.kept.plan.figures, self.told()
        shown = {
            "stops": figures.stops,
            "left_out": figures.left_out,
            "villages": figures.villages,
            "of": figures.villages_in_all,
            "km": f"{figures.distance_m / 1000:.1f}",
            "travel": f"{figures.travel_s // 3600}:{figures.travel_s % 3600 // 60:02d}",
        }
        lines = [text("plans.cli.figures", LANGS[0], **shown), told["told"]["matrix"], told["told"]["shortfall"]]
        lines += [breach["sentence"] for breach in told["told"]["breaches"]]
        head = "".join(f"<p>{html.escape(line)}</p>" for line in lines if line)
        return f"<p><b>{html.escape(self.kept.name)}</b></p>{head}{_table(self.kept)}"


def _rows(kept: KeptPlan, route: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - a `plans.Route`
    """The calls of a route, and its way back, in the order of `_COLUMNS`."""
    stops = {stop.id: stop for stop in kept.problem.stops}
    on: date = kept.problem.days[route.day - 1]
    rows: list[tuple[Any, ...]] = []
    for order, call in enumerate(route.calls, 1):
        stop = stops[call.stop]
        times = [timedelta(seconds=at) for at in (call.arrive_s, call.begin_s, call.leave_s)]
        rows.append(
            (route.team, route.day, on, order, stop.id, stop.name, stop.town_name, stop.village_name, *times,
             call.leg_s, call.leg_m, call.wait_s)
        )  # fmt: skip
    back = timedelta(seconds=route.back_s)
    rows.append(
        (route.team, route.day, on, len(rows) + 1, "", "", "", "", back, back, back, route.back_leg_s,
         route.back_leg_m, 0)
    )  # fmt: skip
    return rows


def _table(kept: KeptPlan) -> str:
    """A line for each team's day: stops, kilometres, from when to when."""
    teams = {team.id: team.name for team in kept.problem.teams}
    rows = []
    for route in sorted(kept.plan.routes, key=lambda route: (route.day, route.team)):
        if not route.calls:
            continue
        cells = (
            kept.problem.days[route.day - 1].isoformat(),
            teams[route.team],
            f"{_clock(route.leave_s)}–{_clock(route.back_s)}",
            str(len(route.calls)),
            f"{route.distance_m / 1000:.1f} km",
        )
        rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
    return f"<table>{''.join(rows)}</table>"


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}"


def planned(session: Session, said: Mapping[str, Any]) -> RoutePlan:
    """The plan of a request, as `County.plan_routes` takes it."""
    return RoutePlan(session, make_plan(session, read_request(said)))


def request_of(
    *,
    day: date,
    towns: Sequence[str],
    teams: int | Sequence[Mapping[str, Any]],
    days: int | Sequence[date | str] | Mapping[str, Any],
    sweep: str,
    issues: bool,
    more: Mapping[str, Any],
) -> dict[str, Any]:
    """A request out of the common parameters; ``more`` are parts of the request itself and win."""
    cars = [{} for _ in range(teams)] if isinstance(teams, int) else list(teams)
    first = {"first": day.isoformat(), "count": days} if isinstance(days, int) else days
    said: dict[str, Any] = {"days": first, "teams": cars}
    if sweep:
        said["sweep"] = sweep
    elif not {"stops", "choose"} & more.keys() and not (more.get("travel") or {}).get("matrix"):
        said["choose"] = {"towns": list(towns), "villages": "all", "issues": issues}
    return said | dict(more)
