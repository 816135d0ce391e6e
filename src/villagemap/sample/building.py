"""The sample county as a workspace: places from ``geodata``, issues from a seed, all by the flows anybody uses."""

import io
import shutil
from collections.abc import Callable
from datetime import date
from itertools import islice
from pathlib import Path

from villagemap.auth import OWNER
from villagemap.errors import ConflictError
from villagemap.flows.places import import_places
from villagemap.flows.registry import Session
from villagemap.flows.routes.roads import import_roads
from villagemap.flows.workspace import PARTS, Workspace, building_place, init_workspace, open_workspace, take_place
from villagemap.model import Issue, Photo
from villagemap.sample.pictures import sample_photos
from villagemap.sample.writing import sample_changes
from villagemap.settings import TIME_ZONE, Settings, now, read_settings, shown_files

COUNTY = "demo"
CODE = "449923"
PLACES = ("towns.geojson", "villages.geojson", "hamlets.geojson")
ROADS = "roads.geojson"
PHOTOGRAPHED = 40
"""So many issues get drawn pictures."""

Progress = Callable[[int, int], None]


def check_sample(folder: Path) -> bool:
    """Whether the sample county stands in ``folder`` already.

    Raises
    ------
    ConflictError
        If another county does.
    """
    if not any((folder / part).exists() for part in PARTS):
        return False
    settings = folder / "settings.toml"
    if not settings.exists() or not read_settings(settings).demo:
        raise ConflictError("already_demo", folder=str(folder))
    return True


def build_sample(folder: Path, *, count: int, seed: int, progress: Progress, today: date | None = None) -> None:
    """Build the sample county: whole, or not at all. ``today`` is the day that its figures are of."""
    partial = building_place(folder)
    day = today or now().astimezone(TIME_ZONE).date()
    try:
        init_workspace(partial, Settings(county=COUNTY, name=_county_name(), code=CODE, demo=True, today=day))
        workspace = open_workspace(partial)
        try:
            _fill(workspace, count, seed, day, progress)
        finally:
            workspace.close()
        take_place(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _county_name() -> str:
    import orjson  # noqa: PLC0415 - only here

    county = orjson.loads((shown_files("geodata") / "county.geojson").read_bytes())
    return str(county["features"][0]["properties"]["name"])


def _fill(workspace: Workspace, count: int, seed: int, day: date, progress: Progress) -> None:
    session = Session(workspace, OWNER)
    import_places(session, [shown_files("geodata") / name for name in PLACES])
    import_roads(session, shown_files("geodata") / ROADS)
    done = 0
    pictured: list[Issue] = []
    places = workspace.store.places()
    chunks = sample_changes(places, workspace.vocabulary, county=COUNTY, count=count, seed=seed, today=day)
    for changes in chunks:
        with workspace.store.writing() as writer:
            writer.record(changes)
        latest = {change.issue.id: change.issue for change in changes}
        done += len(latest)
        progress(done, count)
        if not pictured:
            pictured = list(latest.values())
    _add_photos(workspace, pictured, seed)


def _add_photos(workspace: Workspace, issues: list[Issue], seed: int) -> None:
    photos, last = [], now()
    drawn = sample_photos(issues, seed=seed, count=PHOTOGRAPHED)
    for issue_id, stage, jpeg, taken_at in islice(drawn, 2 * PHOTOGRAPHED):
        digest = workspace.photos.put(io.BytesIO(jpeg))
        photos.append(Photo(sha256=digest, issue_id=issue_id, stage=stage, taken_at=taken_at))
    with workspace.store.writing() as writer:
        writer.add_photos(photos, actor=OWNER.id, at=last)
