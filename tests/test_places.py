"""The gazetteer: where a point lies, what a name means, and the areas drawn for places that have none."""

from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import tiny_places
from villagemap.errors import AmbiguousError, NotFoundError
from villagemap.model import BBox, Level, Place
from villagemap.places import Gazetteer, has_area, with_areas

GAZETTEER = Gazetteer(tiny_places())


def _where(lon: float, lat: float, level: Level = Level.VILLAGE) -> str | None:
    place = GAZETTEER.locate(np.array([lon]), np.array([lat]), level)[0]
    return place and place.place_id


def test_a_point_lies_in_its_village_and_in_its_town():
    assert _where(111.15, 20.65) == "v4"
    assert _where(111.35, 20.85) == "v12"
    assert _where(111.35, 20.85, Level.TOWN) == "t3"
    assert _where(111.05, 20.65) is _where(111.05, 20.65, Level.TOWN) is None


def test_on_a_shared_border_the_first_place_wins_whatever_the_tree_says():
    villages = [place for place in tiny_places() if place.level is Level.VILLAGE]
    boxes = [shapely.box(111, 20 + n, 112, 21 + n) for n in range(len(villages))]
    drawn = [
        replace(village, geometry=shapely.to_wkb(box, byte_order=1))
        for village, box in zip(villages, boxes, strict=True)
    ]
    lat = np.arange(21.0, 29.0)
    found = Gazetteer(drawn).locate(np.full(len(lat), 111.5), lat)
    assert [place and place.place_id for place in found] == [f"v{n + 4}" for n in range(8)]


def test_nothing_to_locate_and_nowhere_to_be():
    assert GAZETTEER.locate(np.array([]), np.array([])) == []
    assert Gazetteer([]).locate(np.array([111.15]), np.array([20.65])) == [None]
    assert Gazetteer([]).bbox() is None


@pytest.mark.parametrize(
    ("word", "level", "place_id"),
    [
        ("449923101200", Level.VILLAGE, "v4"),
        (" 449923101200 ", Level.VILLAGE, "v4"),
        ("乙镇", Level.TOWN, "t2"),
        ("乙", Level.TOWN, "t2"),
        ("449923102", Level.TOWN, "t2"),
        ("449923102000", Level.TOWN, "t2"),
    ],
)
def test_a_code_a_name_or_a_short_name_finds_the_place(word: str, level: Level, place_id: str):
    assert GAZETTEER.find(word, level).place_id == place_id


def test_a_bare_name_never_crosses_towns():
    with pytest.raises(AmbiguousError) as fault:
        GAZETTEER.find("东村", Level.VILLAGE)
    assert fault.value.params["candidates"] == [
        f"{town} 东村村委会 44992310{n}200" for n, town in enumerate(("甲镇", "乙镇", "丙镇"), 1)
    ]
    town = GAZETTEER.find("乙镇", Level.TOWN)
    for word in ("东村", "东村村委会", " 东 村 "):
        assert GAZETTEER.find(word, Level.VILLAGE, town).place_id == "v7"
    with pytest.raises(NotFoundError):
        GAZETTEER.find("449923101200", Level.VILLAGE, town)
    with pytest.raises(NotFoundError):
        GAZETTEER.find("乙镇", Level.VILLAGE)


@given(word=st.sampled_from(sorted({w for p in tiny_places() for w in (p.name, p.short_name)})), n=st.integers(0, 2))
def test_inside_a_town_only_its_own_places_are_candidates(word: str, n: int):
    town = GAZETTEER.level(Level.TOWN)[n]
    for level in (Level.TOWN, Level.VILLAGE, Level.HAMLET):
        assert all(GAZETTEER.town_of(p) == town for p in GAZETTEER.candidates(word, level, town))


def test_aliases_and_former_codes_lead_to_the_place():
    places = tiny_places()
    places[3] = replace(places[3], aliases=("老东村",), former_codes=("440000000001",))
    gazetteer = Gazetteer(places)
    assert gazetteer.find("老东村", Level.VILLAGE).place_id == "v4"
    assert gazetteer.find("440000000001", Level.VILLAGE).place_id == "v4"


def test_the_former_code_of_a_place_that_was_split_is_not_guessed():
    places = tiny_places()
    halves = [replace(place, former_codes=("449923199",)) for place in places[:2]]
    gazetteer = Gazetteer([*halves, *places[2:]])
    assert gazetteer.by_code("449923199") is None
    with pytest.raises(AmbiguousError) as fault:
        gazetteer.find("449923199", Level.TOWN)
    assert len(fault.value.params["candidates"]) == 2
    reused = Gazetteer([replace(places[0], former_codes=("449923102",)), *places[1:]])
    assert reused.find("449923102", Level.TOWN).place_id == "t2", "who has a code today comes before who had it"


def test_the_extent_is_of_a_place_and_all_in_it():
    assert GAZETTEER.bbox(GAZETTEER.by_id["t1"]) == pytest.approx(BBox(111.1, 20.6, 111.2, 20.9))
    assert GAZETTEER.bbox() == pytest.approx(BBox(111.1, 20.6, 111.4, 20.9))
    bare = Gazetteer([replace(p, geometry=None) if p.level is Level.TOWN else p for p in tiny_places()])
    assert bare.bbox(bare.by_id["t1"]) == pytest.approx(BBox(111.1, 20.6, 111.2, 20.9))


# Areas for places that are only points


def _town(outline: str | None) -> Place:
    geometry = outline and shapely.to_wkb(shapely.from_wkt(outline), byte_order=1)
    return Place(
        place_id="t1",
        county="tiny",
        level=Level.TOWN,
        code="449923101",
        name="甲镇",
        short_name="甲",
        geometry=geometry,
    )


def _village(n: int, seat: tuple[float, float], outline: str = "") -> Place:
    shape = shapely.from_wkt(outline) if outline else shapely.Point(seat)
    return Place(
        place_id=f"v{n + 2}", county="tiny", level=Level.VILLAGE, code=f"449923101{200 + n}", name=f"{n}村",
        short_name=f"{n}", parent_id="t1", seat=seat, geometry=shapely.to_wkb(shape, byte_order=1),
    )  # fmt: skip


OUTLINE = "POLYGON ((111.1 20.6, 111.2 20.6, 111.23 20.7, 111.2 20.9, 111.1 20.9, 111.15 20.75, 111.1 20.6))"
SEATS = st.lists(
    st.tuples(st.integers(0, 100), st.integers(0, 300)).map(
        lambda at: (round(111.1 + at[0] / 1000, 6), round(20.6 + at[1] / 1000, 6))
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(seats=SEATS, outline=st.sampled_from([OUTLINE, None]))
def test_approximate_areas_cover_the_ground_without_overlap_and_are_marked(
    seats: list[tuple[float, float]], outline: str | None
):
    places = [_town(outline), *(_village(n, seat) for n, seat in enumerate(seats))]
    town, *villages = with_areas(places)
    shared = [village for village in villages if has_area(village)]
    assert all(village.approximate == has_area(village) for village in villages)
    assert town.approximate is (outline is None)
    ground = shapely.from_wkb(town.geometry)
    areas = [shapely.from_wkb(village.geometry) for village in shared]
    assert shapely.area(shapely.symmetric_difference(ground, shapely.union_all(areas))) < 1e-7 * 0.3
    assert sum(map(shapely.area, areas)) == pytest.approx(shapely.area(ground), rel=1e-5)
    assert all(shapely.is_valid(area) for area in areas)
    for village, area in zip(shared, areas, strict=True):
        seat = shapely.Point(village.seat)
        assert not shapely.intersects(ground, seat) or shapely.distance(area, seat) < 1e-6
    if outline is None:
        assert {village.seat for village in shared} == set(seats)


@settings(max_examples=30, deadline=None)
@given(seats=SEATS, outline=st.sampled_from([OUTLINE, None]))
def test_areas_stay_as_they_are_while_nothing_moved(seats: list[tuple[float, float]], outline: str | None):
    first = with_areas([_town(outline), *(_village(n, seat) for n, seat in enumerate(seats))])
    assert with_areas(first, {place.place_id: place for place in first}) == first


def test_given_areas_are_never_given_away_twice():
    given_away = _village(0, (111.12, 20.65), "POLYGON ((111.1 20.6, 111.2 20.6, 111.2 20.7, 111.1 20.7, 111.1 20.6))")
    square = "POLYGON ((111.1 20.6, 111.2 20.6, 111.2 20.9, 111.1 20.9, 111.1 20.6))"
    _, kept, shared = with_areas([_town(square), given_away, _village(1, (111.15, 20.8))])
    assert kept == given_away
    assert shared.approximate
    assert shapely.equals(shapely.from_wkb(shared.geometry), shapely.box(111.1, 20.7, 111.2, 20.9))


def test_a_town_grows_with_its_villages_and_shrinks_when_one_was_wrong():
    far = with_areas([_town(None), _village(0, (111.1, 20.6)), _village(1, (113.0, 22.0))])
    assert shapely.bounds(shapely.from_wkb(far[0].geometry))[2] > 113
    moved = [far[0], far[1], _village(1, (111.15, 20.65))]
    near = with_areas(moved, {place.place_id: place for place in far})
    assert shapely.bounds(shapely.from_wkb(near[0].geometry))[2] < 111.2
