"""The sample's issues: legal lives, believable shares, the same for the same seed."""

import io
import json
import re
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from shapely.geometry import shape

from villagemap.deadlines import due_on, urgency
from villagemap.errors import BadInputError
from villagemap.model import Level, Located, Place, Status, Urgency
from villagemap.sample import CHUNK, sample_changes, sample_photos
from villagemap.vocabulary import load_vocabulary
from villagemap.workflow import OPEN

GEODATA = Path(__file__).parents[1] / "geodata"
TODAY = date(2022, 3, 25)
SHANGHAI = ZoneInfo("Asia/Shanghai")
VOCABULARY = load_vocabulary()

NEXT = {
    "report": ({None}, Status.REPORTED),
    "register": ({None, Status.REPORTED}, Status.REGISTERED),
    "start": ({Status.REGISTERED, Status.RETURNED}, Status.RECTIFYING),
    "interim": ({Status.RECTIFYING}, Status.RECTIFYING),
    "submit": ({Status.RECTIFYING}, Status.SUBMITTED),
    "return": ({Status.SUBMITTED}, Status.RETURNED),
    "close": ({Status.SUBMITTED}, Status.CLOSED),
    "defer": ({Status.RECTIFYING}, Status.DEFERRED),
    "duplicate": ({Status.REGISTERED, Status.RECTIFYING}, Status.DUPLICATE),
    "reject": ({Status.REGISTERED, Status.RECTIFYING}, Status.REJECTED),
}
"""For each kind of change: the statuses it may come from, and the one it leads to."""


def places():
    ids, made = {}, []
    for level, name in (
        (Level.COUNTY, "county"),
        (Level.TOWN, "towns"),
        (Level.VILLAGE, "villages"),
        (Level.HAMLET, "hamlets"),
    ):
        for feature in json.loads((GEODATA / f"{name}.geojson").read_text(encoding="utf-8"))["features"]:
            part = feature["properties"]
            ids[part["code"]] = f"demo-{len(ids):05d}"
            made.append(
                Place(
                    place_id=ids[part["code"]],
                    county="demo",
                    level=level,
                    code=part["code"],
                    name=part["name"],
                    short_name=part["short_name"],
                    parent_id=ids.get(part.get("parent_code")),
                    households=part["households"],
                    geometry=shapely.to_wkb(shape(feature["geometry"])),
                )
            )
    return made


PLACES = places()
BY_ID = {place.place_id: place for place in PLACES}


def drawn(count, seed=7, today=TODAY):
    return list(sample_changes(PLACES, VOCABULARY, county="demo", count=count, seed=seed, today=today))


@pytest.fixture(scope="module")
def chunks():
    return drawn(6000)


@pytest.fixture(scope="module")
def lives(chunks):
    told = defaultdict(list)
    for chunk in chunks:
        for change in chunk:
            told[change.issue.id].append(change)
    return told


@pytest.fixture(scope="module")
def issues(lives):
    return [told[-1].issue for told in lives.values()]


def legal(told):
    status = None
    for change in told:
        allowed, after = NEXT[change.kind]
        assert status in allowed, change.kind
        assert change.issue.status is after
        status = after


def test_every_chunk_holds_whole_lives_in_the_order_of_time(chunks, lives):
    assert [len({c.issue.id for c in chunk}) for chunk in chunks] == [CHUNK, 1000]
    assert len(lives) == 6000
    for chunk in chunks:
        assert all(one.at <= two.at for one, two in pairwise(chunk))


def test_every_life_is_legal_and_in_time(lives):
    for told in lives.values():
        legal(told)
        assert all(one.at < two.at for one, two in pairwise(told))


def test_nothing_is_closed_that_was_not_submitted_and_done(lives):
    for told in lives.values():
        kinds = [change.kind for change in told]
        last = told[-1].issue
        assert ("close" not in kinds) or "submit" in kinds[: kinds.index("close")]
        assert (last.closed_on is not None) == (last.status is Status.CLOSED)
        if last.status in {Status.SUBMITTED, Status.CLOSED}:
            assert last.quantity_done >= last.quantity_found
            assert last.claimed_closed_on is not None
        else:
            assert last.claimed_closed_on is None
        assert last.status is not Status.CLOSED or last.claimed_closed_on <= last.closed_on


def test_instants_are_working_hours_of_the_five_months_before_today(chunks):
    for chunk in chunks:
        for change in chunk:
            local = change.at.astimezone(SHANGHAI)
            assert change.at.tzinfo is UTC
            assert time(8, 30) <= local.time() <= time(18, 0)
            assert TODAY - timedelta(days=151) <= local.date() <= TODAY
            assert change.issue.found_on <= local.date()


def test_the_store_sets_number_and_revision(chunks):
    assert {(c.issue.number, c.issue.revision) for chunk in chunks for c in chunk} == {("", 1)}


def test_roles_act_and_duty_units_never_decide(chunks):
    deciding = {"return", "close", "defer", "duplicate", "reject"}
    for change in (c for chunk in chunks for c in chunk):
        assert re.fullmatch(r"county|public|inspector:[1-6]|town:449923\d{3}|village:449923\d{6}", change.actor)
        assert change.kind not in deciding or change.actor == "county" or change.actor.startswith("inspector:")
        assert change.kind not in {"return", "defer", "duplicate", "reject", "interim"} or change.note


def test_all_categories_sources_and_kinds_of_change_occur(chunks, issues):
    assert {issue.category for issue in issues} == set(VOCABULARY.categories)
    assert {issue.source for issue in issues} == set(VOCABULARY.words["sources"])
    assert {change.kind for chunk in chunks for change in chunk} == set(NEXT)


def test_shares_are_those_of_a_county(issues):
    share = {status: sum(i.status is status for i in issues) / len(issues) for status in Status}
    assert 0.38 <= share[Status.CLOSED] <= 0.54
    assert 0.08 <= share[Status.SUBMITTED] <= 0.16
    assert 0.002 <= share[Status.REPORTED] <= 0.03
    assert share[Status.RETURNED] > 0
    assert 0 < share[Status.DUPLICATE] < 0.03
    assert 0 < share[Status.REJECTED] < 0.03
    still = [i for i in issues if i.status in OPEN]
    assert 0.08 <= sum(urgency(i, TODAY) is Urgency.OVERDUE for i in still) / len(still) <= 0.2
    assert set(Counter(urgency(i, TODAY) for i in issues)) == set(Urgency)
    assert 0.03 <= sum(i.relapse_of is not None for i in issues) / len(issues) <= 0.06
    assert 0.010 <= sum(i.located is Located.UNLOCATED for i in issues) / len(issues) <= 0.022
    assert 0.001 <= sum(i.located is Located.OUTSIDE for i in issues) / len(issues) <= 0.009
    own = sum(bool(VOCABULARY.words["sources"][i.source]["self"]) for i in issues) / len(issues)
    assert 0.4 <= own <= 0.65


def test_towns_differ_enough_to_be_ranked(issues):
    closed, all_of = Counter(), Counter()
    for issue in issues:
        all_of[issue.town_id] += 1
        closed[issue.town_id] += issue.status is Status.CLOSED
    rates = sorted(closed[town] / all_of[town] for town in all_of if town is not None)
    assert len(rates) == 15
    assert rates[-1] - rates[0] > 0.15


def test_positions_lie_in_their_village(issues):
    areas = {p.place_id: shapely.from_wkb(p.geometry) for p in PLACES if p.level is Level.VILLAGE}
    whole = shapely.union_all(list(areas.values()))
    for issue in issues:
        if issue.located is Located.OUTSIDE:
            assert (issue.place_id, issue.village_id, issue.town_id) == (None, None, None)
            assert 0 < shapely.from_wkt(issue.geometry).distance(whole) < 0.02
            continue
        assert BY_ID[issue.village_id].parent_id == issue.town_id
        assert issue.place_id == issue.village_id or BY_ID[issue.place_id].parent_id == issue.village_id
        if issue.geometry is None:
            bound = VOCABULARY.categories[issue.category].bound_to_village
            assert issue.located is (Located.INSIDE if bound else Located.UNLOCATED)
        else:
            where = shapely.from_wkt(issue.geometry)
            assert where.is_valid
            assert shapely.get_coordinates(where).shape[0] <= 12
            assert all(areas[issue.village_id].covers(shapely.Point(c)) for c in shapely.get_coordinates(where))
            assert not re.search(r"\.\d{8,}", issue.geometry)


def test_geometry_kinds_are_those_of_the_category(issues):
    named = {"Point": "point", "LineString": "line", "Polygon": "polygon"}
    kinds = Counter()
    for issue in (i for i in issues if i.geometry is not None and i.located is Located.INSIDE):
        kind = named[shapely.from_wkt(issue.geometry).geom_type]
        assert kind in {*VOCABULARY.categories[issue.category].geometry, "point"}
        kinds[kind] += 1
    assert kinds["point"] > 5 * (kinds["line"] + kinds["polygon"])
    assert min(kinds["line"], kinds["polygon"]) > 30


def test_fields_follow_the_category(issues):
    for issue in issues:
        category = VOCABULARY.categories[issue.category]
        assert issue.unit == category.unit
        assert issue.privacy is category.privacy
        assert issue.due_on == due_on(category, issue.found_on)
        assert set(issue.subdefects) <= set(category.subdefects)
        assert 1 <= issue.severity <= 5
        assert issue.quantity_found > 0
        assert issue.lead_unit == category.lead
        assert not {"town", "village"} & {issue.lead_unit, *issue.help_units}
        assert "{" not in issue.description + issue.location_text
        assert issue.description
        assert issue.location_text


def test_helping_units_bear_the_names_of_the_place(issues):
    issue = next(i for i in issues if i.category == "garbage_scattered" and i.town_id is not None)
    assert issue.help_units[0].startswith(BY_ID[issue.town_id].name)
    assert issue.help_units[1] == BY_ID[issue.village_id].name
    assert {unit for i in issues for unit in i.help_units if unit.startswith("屿城街道")} >= {"屿城街道办事处"}


def test_deferrals_have_an_end_and_an_interim_measure(chunks, issues):
    deferred = [c.issue for chunk in chunks for c in chunk if c.kind == "defer"]
    assert deferred
    for issue in deferred:
        assert issue.deferred_until > TODAY
        assert issue.interim_on is not None
    assert all((i.deferred_until is not None) == (i.status is Status.DEFERRED) for i in issues)


def test_dry_toilets_are_never_deferred():
    after_the_month = date(2022, 4, 12)
    (chunk,) = drawn(CHUNK, today=after_the_month)
    last = {change.issue.id: change.issue for change in chunk}.values()
    deferred = Counter(issue.category for issue in last if issue.status is Status.DEFERRED)
    assert deferred["toilet_public_problem"] > 0
    assert all(VOCABULARY.categories[code].may_defer for code in deferred)
    assert any(i.category == "toilet_dry" and i.status is Status.RECTIFYING for i in last)


def test_relapses_and_duplicates_name_an_earlier_issue_near_by(lives):
    last = {identity: told[-1].issue for identity, told in lives.items()}
    for issue in last.values():
        if issue.relapse_of is not None:
            before = last[issue.relapse_of]
            assert before.closed_on < issue.found_on
            assert (before.category, before.village_id) == (issue.category, issue.village_id)
            if before.geometry and issue.geometry:
                assert shapely.from_wkt(before.geometry).distance(shapely.from_wkt(issue.geometry)) < 0.001
        assert (issue.duplicate_of is not None) == (issue.status is Status.DUPLICATE)
        if issue.duplicate_of is not None:
            before = last[issue.duplicate_of]
            assert lives[before.id][0].at <= lives[issue.id][-1].at
            assert before.category == issue.category
            assert before.duplicate_of is None


def test_sightings_tell_what_their_source_gave(issues):
    counts = Counter(len(issue.sightings) for issue in issues)
    assert set(counts) == {1, 2, 3}
    assert counts[1] > counts[2] > counts[3]
    datums = Counter()
    for issue in issues:
        first = issue.sightings[0]
        assert (first.source, first.found_on) == (issue.source, issue.found_on)
        for sighting in issue.sightings:
            assert sighting.list_name
            assert sighting.list_number
            assert issue.found_on <= sighting.found_on <= TODAY
            assert bool(sighting.given_x) == bool(sighting.given_y) == (issue.geometry is not None)
            datums[sighting.datum] += bool(sighting.given_x)
    assert 0.1 < datums["gcj02"] / datums.total() < 0.3
    keys = [sighting.row_key for issue in issues for sighting in issue.sightings]
    assert len(set(keys)) == len(keys)


def test_given_coordinates_lie_where_their_datum_puts_the_issue(issues):
    for issue in issues:
        if not (issue.geometry or "").startswith("POINT"):
            continue
        where = shapely.from_wkt(issue.geometry)
        for sighting in issue.sightings:
            away_m = 105_000 * where.distance(shapely.Point(float(sighting.given_x), float(sighting.given_y)))
            assert away_m < 1 if sighting.datum == "wgs84" else 300 < away_m < 800


def test_people_are_nobody(issues):
    for issue in issues:
        assert re.fullmatch(r"\w某（\w+）", issue.responsible)
        assert re.fullmatch(r"000-\d{7}", issue.phone)


def test_ids_are_uuid_v7_of_the_day_found(issues):
    shape_of = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    ids = [issue.id for issue in issues] + [s.id for issue in issues for s in issue.sightings]
    assert len(set(ids)) == len(ids)
    assert all(shape_of.fullmatch(identity) for identity in ids)
    for issue in issues:
        instant = datetime.fromtimestamp(int(issue.id.replace("-", "")[:12], 16) / 1000, SHANGHAI)
        assert instant.date() == issue.found_on


def test_the_same_seed_gives_the_same_issues_and_another_seed_others():
    one, two, other = drawn(300), drawn(300), drawn(300, seed=8)
    assert one == two
    assert {c.issue.id for c in one[0]}.isdisjoint(c.issue.id for c in other[0])


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(0, 150),
    today=st.dates(date(2020, 1, 1), date(2035, 12, 31)),
)
def test_any_seed_size_and_day_gives_legal_lives(seed, count, today):
    told = defaultdict(list)
    for chunk in drawn(count, seed, today):
        for change in chunk:
            told[change.issue.id].append(change)
            assert change.at.astimezone(SHANGHAI).date() <= today
    assert len(told) == count
    for life in told.values():
        legal(life)


def test_a_county_without_hamlets_or_outlines_works_too():
    bare = [p for p in PLACES if p.level in {Level.COUNTY, Level.TOWN}]
    for place in (p for p in PLACES if p.level is Level.VILLAGE):
        centre = shapely.from_wkb(place.geometry).representative_point()
        bare.append(
            Place(
                place_id=place.place_id,
                county="x",
                level=place.level,
                code=place.code,
                name=place.name,
                short_name=place.short_name,
                parent_id=place.parent_id,
                geometry=centre.wkb,
            )
        )
    (chunk,) = sample_changes(bare, VOCABULARY, county="x", count=200, seed=1, today=TODAY)
    assert len({change.issue.id for change in chunk}) == 200
    assert {change.issue.county for change in chunk} == {"x"}


def test_places_without_villages_are_refused():
    with pytest.raises(BadInputError) as refused:
        list(sample_changes([], VOCABULARY, county="demo", count=1, seed=1, today=TODAY))
    assert refused.value.code == "sample_without_villages"
    assert all("villagemap places import" in refused.value.sentence(lang) for lang in ("zh", "en"))


def test_photos_are_drawn_before_and_after(issues):
    few = issues[:300]
    photos = list(sample_photos(few, seed=7, count=6))
    by_id = {issue.id: issue for issue in few}
    stages = defaultdict(list)
    for identity, stage, jpeg, taken_at in photos:
        stages[identity].append(stage)
        with Image.open(io.BytesIO(jpeg)) as image:
            assert image.format == "JPEG"
            assert image.size == (960, 720)
        assert 4_000 < len(jpeg) < 120_000
        issue = by_id[identity]
        assert taken_at.tzinfo is UTC
        day = issue.found_on if stage == "before" else issue.claimed_closed_on
        assert taken_at.astimezone(SHANGHAI).date() == day
        assert issue.privacy.value == "open"
    assert len(stages) == 6
    for identity, told in stages.items():
        done = by_id[identity].status in {Status.SUBMITTED, Status.CLOSED}
        assert told == (["before", "after"] if done else ["before"])
    assert photos == list(sample_photos(few, seed=7, count=6))
