"""Travel on made graphs: what is measured, drawn and closed, held against a plain Dijkstra on everything."""

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from villagemap.errors import BadInputError, WorkspaceError
from villagemap.plans import NEVER, MatrixKind, Site
from villagemap.travel.calibrate import LEAST_LEGS, calibrate, legs_of
from villagemap.travel.closing import edge_id
from villagemap.travel.graph import RoadGraph, graph_by_refs, graph_bytes, graph_of_bytes
from villagemap.travel.keeping import kept_matrix
from villagemap.travel.line import line_matrix
from villagemap.travel.lines import RoadLines
from villagemap.travel.noding import graph_by_drawing
from villagemap.travel.paths import measure
from villagemap.travel.plane import metres_per_degree
from villagemap.travel.roads import Roads
from villagemap.travel.rules import load_rules
from villagemap.travel.surveying import detours, parts_of
from villagemap.travel.ways import weights_between

LON, LAT = 111.2, 20.7
EAST, NORTH = (float(axis[0]) for axis in metres_per_degree(np.array([LAT])))
RULES = load_rules()
Line = dict[str, object]


def at(x: float, y: float) -> tuple[float, float]:
    """Degrees of metres east and north of a corner."""
    return LON + x / EAST, LAT + y / NORTH


def site(name: str, x: float, y: float) -> Site:
    lon, lat = at(x, y)
    return Site(id=name, name=name, lon=lon, lat=lat)


def road(*points: tuple[float, float], kind: str = "county", **facts: object) -> Line:
    return {"points": points, "kind": kind, **facts}


def lines_of(*roads: Line, refs: bool = False) -> RoadLines:
    """Lines of points in metres; with ``refs`` points at one place are one node."""
    kinds = tuple(dict.fromkeys(str(one["kind"]) for one in roads))
    points = [point for one in roads for point in one["points"]]
    lonlat = np.array([at(*point) for point in points])
    names = {point: n for n, point in enumerate(dict.fromkeys(points))}
    one_way = [str(one.get("oneway", "")) for one in roads]
    return RoadLines(
        offset=np.concatenate([[0], np.cumsum([len(one["points"]) for one in roads])]),
        lon=lonlat[:, 0],
        lat=lonlat[:, 1],
        kind=np.array([kinds.index(str(one["kind"])) for one in roads]),
        kinds=kinds,
        limit_km_h=np.array([float(one.get("limit", np.nan)) for one in roads]),
        forward=np.array([way != "-1" for way in one_way]),
        backward=np.array([way != "yes" for way in one_way]),
        raised=np.array([bool(one.get("bridge")) for one in roads]),
        layer=np.array([int(one.get("layer", 0)) for one in roads]),
        number=np.arange(len(roads)),
        ref=np.array([names[point] for point in points]) if refs else None,
    )


def drawn(*roads: Line) -> Roads:
    return Roads(graph_by_drawing(lines_of(*roads)), RULES)


def minutes(seconds: object) -> float:
    return round(float(seconds) / 60, 1)


# A straight line and a road


def test_without_roads_travel_is_an_estimate_by_the_straight_line():
    matrix = line_matrix([site("a", 0, 0), site("b", 3000, 4000), Site(id="c", name="")])
    assert matrix.estimated
    assert matrix.kind is MatrixKind.LINE
    assert matrix.distance_m[0, 1] == pytest.approx(6500, abs=10)
    assert matrix.duration_s[0, 1] == pytest.approx(6500 * 3.6 / 38, abs=2)
    assert matrix.duration_s[0, 2] == matrix.duration_s[2, 1] == NEVER
    assert matrix.duration_s.diagonal().tolist() == [0, 0, 0]


def test_a_county_road_is_driven_at_50_and_a_village_road_at_25():
    roads = drawn(road((0, 0), (5000, 0)), road((5000, 0), (5000, 2500), kind="village"))
    matrix = roads.matrix([site("a", 0, 0), site("b", 5000, 0), site("c", 5000, 2500), site("m", 1000, 0)])
    assert [minutes(s) for s in matrix.duration_s[0]] == [0.0, 6.0, 12.0, 1.2]
    assert matrix.distance_m[0].tolist() == pytest.approx([0, 5000, 7500, 1000], abs=4)
    assert matrix.duration_s[3, 2] == pytest.approx(4000 * 3.6 / 50 + 360, abs=2)


def test_two_stops_on_one_road_go_straight_and_two_at_one_point_need_nothing():
    roads = drawn(road((0, 0), (5000, 0)))
    matrix = roads.matrix([site("a", 1000, 20), site("b", 3000, -20), site("c", 1000, 20)])
    assert matrix.distance_m[0, 1] == pytest.approx(2000, abs=3)
    assert matrix.duration_s[0, 2] == 0


def test_a_one_way_road_is_driven_one_way():
    roads = drawn(
        road((0, 0), (1000, 0), oneway="yes"), road((1000, 0), (1000, 3000), (0, 3000), (0, 0)), road((0, 0), (-500, 0))
    )
    matrix = roads.matrix([site("a", -500, 0), site("b", 1000, 0)])
    assert matrix.distance_m[0, 1] == pytest.approx(1500, abs=5)
    assert matrix.distance_m[1, 0] == pytest.approx(7500, abs=5)


def test_unreachable_stops_do_not_poison_the_rest_and_are_told():
    roads = drawn(road((0, 0), (5000, 0)), road((0, 9000), (900, 9000)))
    sites = [
        site("a", 0, 0),
        site("b", 5000, 0),
        site("island", 500, 9000),
        site("far", 0, 40_000),
        site("c", 2000, 800),
    ]
    matrix = roads.matrix(sites)
    assert minutes(matrix.duration_s[0, 1]) == 6.0
    assert (matrix.duration_s[2:4, :2] == NEVER).all()
    assert (matrix.distance_m[:2, 2:4] == NEVER).all()
    found = {finding.site: finding.code for finding in roads.findings([*sites, Site(id="x", name="")])}
    assert found == {"island": "cut_off", "far": "outside", "c": "far", "x": "no_position"}
    assert all("island" in f.sentence("zh") for f in roads.findings(sites) if f.site == "island")


def test_a_stop_off_the_road_comes_by_a_track():
    roads = drawn(road((0, 0), (5000, 0)))
    matrix = roads.matrix([site("a", 0, 0), site("b", 5000, 450)])
    assert matrix.distance_m[0, 1] == pytest.approx(5000 + 400 * 1.3, abs=5)
    assert matrix.duration_s[0, 1] == pytest.approx(360 + 400 * 1.3 * 3.6 / 15, abs=3)


def test_the_main_net_is_taken_before_a_stub_that_leads_nowhere():
    roads = drawn(road((0, 0), (5000, 0)), road((1000, 60), (1100, 60)))
    matrix = roads.matrix([site("a", 0, 0), site("b", 1050, 70)])
    assert matrix.duration_s[0, 1] < NEVER


# Joining a drawing


def nodes_near(graph: RoadGraph, x: float, y: float, reach: float = 5.0) -> int:
    lon, lat = at(x, y)
    return int((np.hypot((graph.node_lon - lon) * EAST, (graph.node_lat - lat) * NORTH) < reach).sum())


def test_lines_that_cross_meet():
    graph = graph_by_drawing(lines_of(road((0, 0), (1000, 0)), road((500, -500), (500, 500))))
    assert (len(graph.node_lon), len(graph.start), len(parts_of(graph))) == (5, 4, 1)


@pytest.mark.parametrize("facts", [{"bridge": True}, {"layer": 1}])
def test_lines_that_cross_at_a_bridge_or_on_another_layer_do_not_meet(facts: dict[str, object]):
    bridge = road((400, 0), (600, 0), **facts)
    graph = graph_by_drawing(
        lines_of(road((0, 0), (400, 0)), bridge, road((600, 0), (1000, 0)), road((500, -500), (500, 500)))
    )
    assert nodes_near(graph, 500, 0) == 0
    assert len(parts_of(graph)) == 2


def test_a_line_that_ends_at_a_bridges_end_joins_it():
    graph = graph_by_drawing(lines_of(road((0, 0), (400.5, 1)), road((400, 0), (600, 0), bridge=True)))
    assert len(parts_of(graph)) == 1


def test_a_road_below_that_is_split_under_the_bridge_stays_below():
    bridge = road((400, 0), (600, 0), bridge=True)
    below = [road((500, -500), (500, 1)), road((500, 0), (500, 500))]
    graph = graph_by_drawing(lines_of(road((0, 0), (400, 0)), bridge, road((600, 0), (900, 0)), *below))
    assert sorted(round(part.km, 1) for part in parts_of(graph)) == [0.9, 1.0]


@pytest.mark.parametrize(("gap", "parts"), [(2.5, 1), (3.5, 2)])
def test_ends_within_three_metres_are_snapped(gap: float, parts: int):
    to_end = lines_of(road((0, 0), (500, 0)), road((500 + gap, 0), (900, 0)))
    to_middle = lines_of(road((0, 0), (500, 0)), road((250, gap), (250, 400)))
    assert len(parts_of(graph_by_drawing(to_end))) == parts
    assert len(parts_of(graph_by_drawing(to_middle))) == parts


def test_an_end_that_runs_over_leaves_no_stub():
    graph = graph_by_drawing(lines_of(road((0, 0), (1000, 0)), road((500, 400), (500, -1.5))))
    assert (len(graph.node_lon), len(graph.start)) == (4, 3)


def test_a_ring_and_a_doubled_line_do_not_break_it():
    ring = road((0, 0), (100, 0), (100, 100), (0, 100), (0, 0))
    graph = graph_by_drawing(lines_of(ring, road((0, 0), (-500, 0)), road((0, 0), (-500, 0))))
    assert len(parts_of(graph)) == 1
    assert Roads(graph, RULES).matrix([site("a", -500, 0), site("b", 100, 100)]).distance_m[0, 1] == pytest.approx(
        700, abs=4
    )


def test_numbers_of_nodes_decide_where_there_are_any():
    crossing = lines_of(road((0, 0), (1000, 0)), road((500, -500), (500, 500)), refs=True)
    assert len(parts_of(graph_by_refs(crossing))) == 2
    meeting = lines_of(road((0, 0), (500, 0), (1000, 0)), road((500, -500), (500, 0), (500, 500)), refs=True)
    assert len(parts_of(graph_by_refs(meeting))) == 1


# Rules that hold for every graph


@st.composite
def towns(draw: st.DrawFn) -> tuple[Roads, list[Site]]:
    """A grid of streets with some left out, bent, one-way, slow or dead ends, and stops near them."""
    dice = np.random.default_rng(draw(st.integers(0, 10_000)))
    one_ways = draw(st.booleans())
    size, step = draw(st.integers(2, 5)), 400
    roads: list[Line] = []
    for x in range(size):
        for y in range(size):
            for dx, dy in ((1, 0), (0, 1)):
                if dice.random() < 0.75:
                    bend = (x * step + dx * 150 + int(dice.integers(30)), y * step + dy * 150 + int(dice.integers(30)))
                    kind = ["county", "township", "village"][int(dice.integers(3))]
                    one_way = "yes" if one_ways and dice.random() < 0.3 else ""
                    ends = (x * step, y * step), ((x + dx) * step, (y + dy) * step)
                    roads.append(road(ends[0], bend, ends[1], kind=kind, oneway=one_way))
    roads = roads or [road((0, 0), (400, 0))]
    stops = dice.uniform(-100, size * step, (draw(st.integers(2, 9)), 2))
    sites = [site(str(n), *xy) for n, xy in enumerate(stops.tolist())]
    return Roads(graph_by_refs(lines_of(*roads, refs=True)), RULES), sites


@settings(max_examples=60, deadline=None)
@given(towns())
def test_leaving_nodes_out_changes_no_way(town: tuple[Roads, list[Site]]):
    roads, sites = town
    network = roads.network(roads.snap(sites))
    plain = weights_between(network, most=0)
    for most in (1, 2, 4, 6):
        assert np.array_equal(weights_between(network, most=most), plain)


@settings(max_examples=60, deadline=None)
@given(towns())
def test_a_way_round_is_never_shorter_and_a_two_way_town_is_symmetric(town: tuple[Roads, list[Site]]):
    roads, sites = town
    seconds = roads.matrix(sites).duration_s
    around = seconds[:, :, None] + seconds[None, :, :]
    assert (around.min(axis=1) >= np.minimum(seconds, NEVER)).all()
    if roads.graph.forward.all() and roads.graph.backward.all():
        assert np.array_equal(seconds, seconds.T)


@settings(max_examples=60, deadline=None)
@given(towns(), st.integers(0, 1000), st.floats(0, 1500), st.floats(0, 1500))
def test_closing_a_road_never_makes_a_way_shorter(town: tuple[Roads, list[Site]], pick: int, x: float, y: float):
    roads, sites = town
    before = roads.matrix(sites).duration_s
    edge = edge_id(pick % len(roads.graph.start))
    corners = [at(x, y), at(x + 300, y), at(x + 300, y + 200), at(x, y + 200), at(x, y)]
    area = {"type": "Polygon", "coordinates": [corners]}
    assert (roads.matrix(sites, [edge]).duration_s >= before).all()
    assert (roads.matrix(sites, [edge, area]).duration_s >= roads.matrix(sites, [area]).duration_s).all()


@settings(max_examples=40, deadline=None)
@given(towns())
def test_the_way_that_is_drawn_is_as_long_as_was_measured(town: tuple[Roads, list[Site]]):
    roads, sites = town
    matrix, snaps = roads.matrix(sites), roads.snap(sites)
    pairs = [(a, b) for a in range(len(sites)) for b in range(len(sites)) if a != b]
    for (a, b), path in zip(pairs, roads.paths(sites, pairs), strict=True):
        if path is None:
            assert matrix.duration_s[a, b] == NEVER
            continue
        tracks = sum(max(0.0, float(snaps.off_m[n]) - 50) * 1.3 for n in (a, b))
        line = np.array(path).reshape(-1, 2) if path else np.zeros((1, 2))  # both at one place: nothing to draw
        assert measure(line[:, 0], line[:, 1])[-1] + tracks == pytest.approx(matrix.distance_m[a, b], abs=6)


# Closed roads


def test_a_drawn_area_closes_the_part_of_the_road_that_lies_in_it():
    roads = drawn(road((0, 0), (5000, 0)), road((0, 0), (0, 2000), (5000, 2000), (5000, 0)))
    sites = [site("a", 0, 0), site("b", 5000, 0), site("west", 1500, 0), site("inside", 2500, 0)]
    box = shapely.box(*at(2000, -100), *at(3000, 100))
    matrix = roads.matrix(sites, [{"type": "Feature", "geometry": shapely.geometry.mapping(box)}])
    assert matrix.distance_m[0, 1] == pytest.approx(9000, abs=5)
    assert matrix.distance_m[0, 2] == pytest.approx(1500, abs=5)
    assert matrix.duration_s[0, 3] == NEVER
    assert matrix.about["closed"] == 1


@pytest.mark.parametrize(
    "closed",
    ["e99", "x", "e-1", {"type": "Point", "coordinates": [1, 2]}, {"type": "Polygon", "coordinates": [[[1, 2]]]}, {}],
)
def test_what_is_neither_road_nor_area_is_refused_with_a_sentence(closed: object):
    with pytest.raises(BadInputError) as caught:
        drawn(road((0, 0), (5000, 0))).matrix([site("a", 0, 0)], [closed])
    assert caught.value.code == "closed_unreadable"


# Keeping


def test_a_graph_is_kept_and_read_again_and_damage_is_noticed():
    graph = drawn(road((0, 0), (5000, 0)), road((2000, -5), (2000, 900))).graph
    raw = graph_bytes(graph)
    again = graph_of_bytes(raw)
    assert np.array_equal(again.lon, graph.lon)
    assert again.kinds == graph.kinds
    assert graph_bytes(again) == raw
    for damaged in (b"", raw[: len(raw) // 2], raw[:600] + b"\0\0\0\0" + raw[604:]):
        with pytest.raises(ValueError):
            graph_of_bytes(damaged)


def test_a_kept_matrix_is_not_measured_again_unless_it_is_damaged_or_something_changed(tmp_path: Path):
    roads, sites, measured = drawn(road((0, 0), (5000, 0))), [site("a", 0, 0), site("b", 4000, 0)], []

    def ask(digest: str = "d", closed: tuple[str, ...] = ()) -> int:
        def measure_now() -> object:
            measured.append(digest)
            return roads.matrix(sites, closed)

        seconds, _ = kept_matrix(tmp_path / "cache", digest, sites, closed, measure_now)
        return int(seconds[0, 1])

    assert [ask(), ask(), ask()] == [288, 288, 288]
    assert len(measured) == 1
    for path in (tmp_path / "cache").glob("*.npz"):
        path.write_bytes(path.read_bytes()[:-40])
    assert ask() == 288
    assert len(measured) == 2
    assert ask(closed=("e0",)) == NEVER
    assert ask("other") == 288
    assert len(measured) == 4
    assert [p.name for p in (tmp_path / "cache").iterdir() if p.name.startswith(".")] == []


# Speeds


def test_a_county_changes_speeds_and_words_and_is_told_what_it_got_wrong(tmp_path: Path):
    own = tmp_path / "roads.toml"
    own.write_text('[classes.county]\nspeed_km_h = 40\nwords = "县道 X线"\n', encoding="utf-8")
    rules = load_rules(own)
    assert rules.speed("county") == 40
    assert rules.class_of("Ｘ线") == "county"
    assert rules.digest != RULES.digest
    assert rules.speed("gone") == rules.speed("other")
    for wrong in ("[classes.county]\nspeed_km_h = 400\n", "[classes.county\n", "limit_factor = 0\n"):
        own.write_text(wrong, encoding="utf-8")
        with pytest.raises(WorkspaceError, match=r"roads\.toml"):
            load_rules(own)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("国道", "national"), ("省道", "provincial"), ("县道", "county"), ("乡道", "township"), ("村道", "village"),
        ("高速公路", "expressway"), ("四级", "township"), ("等外公路", "village"), ("X123", "county"),
        ("G207线", "national"), ("C045440823", "village"), ("tertiary", "township"), ("County Road", "county"),
        ("天桥", None), ("", None),
    ],
)  # fmt: skip
def test_words_that_files_use_for_classes(word: str, kind: str | None):
    assert RULES.class_of(word) == kind


def test_the_five_classes_have_the_speeds_of_the_table():
    assert [RULES.speed(k) for k in ("national", "provincial", "county", "township", "village")] == [70, 60, 50, 35, 25]


# The report


def test_a_suspicious_way_is_between_neighbours_and_long():
    roads = drawn(road((0, 0), (0, 9000), (1000, 9000), (1000, 0)), road((0, 4500), (-3000, 4500)))
    sites = [site("a", 0, 0), site("b", 1000, 0), site("c", -3000, 4500)]
    found = detours(sites, roads.matrix(sites))
    assert [(pair.one, pair.other) for pair in found] == [("a", "b")]
    assert found[0].times == pytest.approx(19, abs=0.5)


# Calibration


def ride(*stops: tuple[float, float], speed_m_s: float, detour: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fixes each 5 s of a drive from stop to stop by a zigzag, ten minutes at each."""
    x, y, seconds, clock = [], [], [], 0.0
    for (x0, y0), (x1, y1) in pairwise(stops):
        for _ in range(120):
            x, y, seconds, clock = [*x, x0], [*y, y0], [*seconds, clock], clock + 5
        straight = float(np.hypot(x1 - x0, y1 - y0))
        side = straight / 2 * float(np.sqrt(detour**2 - 1))
        corner = (x0 + x1) / 2 - (y1 - y0) / straight * side, (y0 + y1) / 2 + (x1 - x0) / straight * side
        count = int(straight * detour / speed_m_s / 5)
        share = np.arange(1, count) / count
        x += np.interp(share, [0, 0.5, 1], [x0, corner[0], x1]).tolist()
        y += np.interp(share, [0, 0.5, 1], [y0, corner[1], y1]).tolist()
        seconds += (clock + 5 * np.arange(1, count)).tolist()
        clock += 5 * count
    lonlat = np.array([at(*point) for point in zip(x, y, strict=True)])
    time = np.datetime64("2026-03-10T01:00:00", "s") + np.array(seconds).astype("timedelta64[s]")
    return lonlat[:, 0], lonlat[:, 1], time


def test_calibration_finds_the_detour_and_speed_of_a_drive():
    stops = [(0, 0), (4000, 0), (4000, 5000), (9000, 5000), (9000, 0), (2000, 0), (0, 0), (6000, 6000)]
    found = calibrate(legs_of(*ride(*stops, speed_m_s=12, detour=1.4)))
    assert found.enough
    assert found.detour == pytest.approx(1.4, rel=0.03)
    assert found.speed_km_h == pytest.approx(43.2, rel=0.05)


def test_calibration_keeps_the_usual_figures_where_tracks_are_few_or_timeless():
    lon, lat, time = ride((0, 0), (4000, 0), speed_m_s=12, detour=1.2)
    found = calibrate(legs_of(lon, lat, time))
    assert (found.enough, found.legs, found.detour, found.speed_km_h) == (False, 1, 1.3, 38.0)
    assert found.legs < LEAST_LEGS
    assert legs_of(lon, lat, np.full(len(time), np.datetime64("NaT"), "datetime64[s]")) == []


def test_the_table_in_the_docs_is_the_tables():
    page = (Path(__file__).parents[1] / "docs" / "roads.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \| (\d+) \|$", page, re.MULTILINE)
    classes = {code: speed for code, speed in RULES.speeds.items() if not code.startswith("osm.")}
    assert {code: float(speed) for code, _, speed in rows} == classes
    assert all(RULES.labels[code]["zh"] == label for code, label, _ in rows)
