"""Roads: matrices on real and large graphs, times beside Valhalla's, and what becomes of a badly drawn network."""

import json
import math
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from measuring import MEGABYTE, median_s, status_kb
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from scipy.stats import spearmanr
from table import Row

from villagemap.plans import NEVER, Site
from villagemap.readers.roads import read_roads
from villagemap.travel.graph import RoadGraph, graph_by_refs
from villagemap.travel.keeping import kept_matrix
from villagemap.travel.lines import RoadLines
from villagemap.travel.noding import graph_by_drawing
from villagemap.travel.roads import Roads
from villagemap.travel.rules import load_rules
from villagemap.travel.snapping import main_edges
from villagemap.travel.surveying import parts_of
from villagemap.travel.ways import weights_between

DATA = Path(__file__).parents[2] / "shared" / "data" / "roads"
TIMES = DATA / "liechtenstein_valhalla_times_300.json"
VALHALLA_S = 164.0
"""What Valhalla took for 1000 × 1000 on Liechtenstein, measured once; it isn't run here."""
SITES = 1000
PLAIN = 40
TILES = (7, 3)
ERROR_M = 0.8
FAR_M = 25.0


def rows(runs: int) -> list[Row]:
    """The rows; a blank one where the extracts are absent."""
    if not TIMES.exists():
        return [Row(work="roads", figure=math.nan, unit="s", notes="no extracts here")]
    rules = load_rules()
    lines = read_roads(DATA / "liechtenstein.osm.pbf", rules).lines
    graph = graph_by_refs(lines)
    return [
        *small(Roads(graph, rules), runs),
        *large(Roads(tiled(graph, *TILES), rules)),
        *beside(graph),
        *drawn(lines),
    ]


def sites_on(graph: RoadGraph, count: int, seed: int = 1) -> list[Site]:
    dice = np.random.default_rng(seed)
    main = np.flatnonzero(main_edges(graph))
    edge = main[dice.choice(len(main), count)]
    point = graph.offset[edge] + dice.integers(0, np.diff(graph.offset)[edge])
    lon, lat = (axis[point] + dice.normal(0, 3e-4, count) for axis in (graph.lon, graph.lat))
    at = zip(lon.tolist(), lat.tolist(), strict=True)
    return [Site(id=str(n), name="", lon=x, lat=y) for n, (x, y) in enumerate(at)]


def small(roads: Roads, runs: int) -> list[Row]:
    sites = sites_on(roads.graph, SITES)

    def once() -> None:
        Roads(roads.graph, roads.rules).matrix(sites)

    return [
        Row(
            work="1000 × 1000 matrix, Liechtenstein, graph read, index built anew",
            figure=median_s(runs, once),
            unit="s",
            most=0.6,
            peer="Valhalla, measured once elsewhere",
            peer_figure=VALHALLA_S,
            notes=f"{len(roads.graph.node_lon):,} junctions",
        )
    ]


def large(roads: Roads) -> list[Row]:
    sites = sites_on(roads.graph, SITES)
    before = status_kb("VmRSS")
    with tempfile.TemporaryDirectory(prefix="villagemap-bench-") as folder:
        times = []
        for _ in range(2):
            began = time.perf_counter()
            kept_matrix(Path(folder), "bench", sites, (), lambda: roads.matrix(sites))
            times.append(time.perf_counter() - began)
    grown = (status_kb("VmHWM") - before) * 1024 / MEGABYTE
    plain = plain_s(roads, sites) * SITES
    notes = (
        f"Liechtenstein {TILES[0] * TILES[1] + 1} times side by side, joined: {len(roads.graph.node_lon):,} junctions"
    )
    return [
        Row(
            work="1000 × 1000 matrix, 100,000 nodes, cold",
            figure=times[0],
            unit="s",
            most=15.0,
            peer=f"scipy's Dijkstra on the whole graph, from {PLAIN} of them",
            peer_figure=plain,
            notes=notes,
        ),
        Row(work="the same, cached", figure=times[1], unit="s", most=0.2),
        Row(work="the same, growth of memory", figure=grown, unit="MB", most=500.0, notes="peak of the whole process"),
    ]


def plain_s(roads: Roads, sites: list[Site]) -> float:
    """Seconds for one source when nothing is left out."""
    began = time.perf_counter()
    weights_between(roads.network(roads.snap(sites[:PLAIN])), most=0)
    return (time.perf_counter() - began) / PLAIN


def tiled(graph: RoadGraph, across: int, down: int) -> RoadGraph:
    """A graph that many times side by side, and once more, each joined with the one before by a few new roads."""
    wide, high = float(np.ptp(graph.lon)) * 1.05, float(np.ptp(graph.lat)) * 1.05
    places = [(x, y) for y in range(down) for x in range(across)] + [(across, 0)]
    count, points = len(graph.node_lon), len(graph.lon)
    main = np.unique(graph.start[main_edges(graph)])
    doors = np.random.default_rng(1).choice(main, 8, replace=False)
    links = [
        (a * count + door, b * count + door)
        for a, one in enumerate(places)
        for b, two in enumerate(places)
        if a < b and abs(one[0] - two[0]) + abs(one[1] - two[1]) == 1
        for door in doors
    ]
    one, two = np.array(links).T
    node_lon = np.concatenate([graph.node_lon + x * wide for x, _ in places])
    node_lat = np.concatenate([graph.node_lat + y * high for _, y in places])
    shape = np.column_stack([one, two]).ravel()

    def repeated(values: np.ndarray, last: np.ndarray) -> np.ndarray:
        return np.concatenate([np.tile(values, len(places)), last])

    step = np.repeat(np.arange(len(places)), len(graph.start))
    fill = np.ones(len(links))
    return RoadGraph(
        node_lon=node_lon,
        node_lat=node_lat,
        start=np.concatenate([np.tile(graph.start, len(places)) + step * count, one]),
        end=np.concatenate([np.tile(graph.end, len(places)) + step * count, two]),
        length=repeated(graph.length, (fill * 20_000 * 4).astype(np.int64)),
        kind=repeated(graph.kind, (fill * 0).astype(np.int64)),
        kinds=graph.kinds,
        limit_km_h=repeated(graph.limit_km_h, fill * 60),
        forward=repeated(graph.forward, fill > 0),
        backward=repeated(graph.backward, fill > 0),
        number=repeated(graph.number, (fill * 0).astype(np.int64)),
        offset=np.concatenate(
            [
                np.tile(graph.offset[:-1], len(places)) + step * points,
                len(places) * points + 2 * np.arange(len(links) + 1),
            ]
        ),
        lon=np.concatenate([*(graph.lon + x * wide for x, _ in places), node_lon[shape]]),
        lat=np.concatenate([*(graph.lat + y * high for _, y in places), node_lat[shape]]),
        digest="tiled",
    )


def beside(graph: RoadGraph) -> list[Row]:
    """Our times ÷ Valhalla's on 300 points: both bars are said in the notes, as a row has one."""
    theirs = json.loads(TIMES.read_text(encoding="utf-8"))
    sites = [Site(id=str(n), name="", lon=x, lat=y) for n, (x, y) in enumerate(theirs["points_lon_lat"])]
    matrix = Roads(graph, load_rules()).matrix(sites)
    seconds = np.array([[math.nan if s is None else s for s in line] for line in theirs["durations_s"]])
    both = (seconds > 0) & (matrix.duration_s < NEVER)
    ratio = matrix.duration_s[both] / seconds[both]
    rank = float(spearmanr(matrix.duration_s[both], seconds[both])[0])
    low, high = np.percentile(ratio, [5, 95])
    return [
        Row(
            work="our times ÷ Valhalla's, 300 points, median",
            figure=float(np.median(ratio)),
            unit="",
            most=1.15,
            notes=f"at least 0.9; 5 to 95 %: {low:.2f} to {high:.2f}",
        ),
        Row(work="the same, 1 - Spearman", figure=1 - rank, unit="", most=0.03, notes=f"Spearman {rank:.4f}"),
    ]


def drawn(lines: RoadLines) -> list[Row]:
    """The extract's ways as a bureau might draw them, every point some way off, and joined again by drawing alone."""
    truth = graph_by_refs(replace(lines, barred=None))
    bad = shaken(lines, ERROR_M)
    found = graph_by_drawing(bad)
    share = connected(found) / connected(truth)
    false = len(false_junctions(lines, truth, found))
    return [
        Row(
            work=f"lines drawn {ERROR_M} m off: length that isn't connected",
            figure=100 * (1 - share),
            unit="%",
            most=3.0,
            notes=f"{share:.2%} of what the extract itself connects; normal error on each axis",
        ),
        Row(work="the same: false junctions at bridges", figure=false, unit="", most=0.0),
    ]


def shaken(lines: RoadLines, error_m: float, seed: int = 1) -> RoadLines:
    dice = np.random.default_rng(seed)
    off = dice.normal(0, error_m / 111_000, (2, len(lines.lon)))
    lon = lines.lon + off[0] / np.cos(np.radians(lines.lat))
    return replace(lines, lon=lon, lat=lines.lat + off[1], ref=None, barred=None)


def connected(graph: RoadGraph) -> float:
    """Share of the length that is in the largest part."""
    return parts_of(graph)[0].share


def false_junctions(lines: RoadLines, truth: RoadGraph, found: RoadGraph) -> set[tuple[int, int]]:
    """Pairs of ways that meet in a graph, one of them raised or on another layer, and are `FAR_M` apart in truth.

    Ways shorter than the snapping shrink to a point; what such a one parts then meets, and that is no shortcut.
    """
    up = {int(n) for n, up in zip(lines.number, lines.raised | (lines.layer != 0), strict=True) if up}
    ends = np.concatenate([found.start, found.end])
    ours = {pair for ways in grouped(ends, np.concatenate([found.number, found.number])) for pair in pairs(ways)}
    count = len(truth.node_lon)
    roads = coo_array((truth.length / 4, (truth.start, truth.end)), shape=(count, count)).tocsr()
    nodes: dict[int, list[int]] = {}
    for n, one, two in zip(truth.number.tolist(), truth.start.tolist(), truth.end.tolist(), strict=True):
        nodes.setdefault(n, []).extend((one, two))

    def apart(pair: tuple[int, int]) -> bool:
        near = dijkstra(roads, directed=False, indices=nodes[pair[0]], min_only=True, limit=FAR_M)
        return not np.isfinite(near[nodes[pair[1]]]).any()

    return {pair for pair in ours if up.intersection(pair) and apart(pair)}


def grouped(keys: np.ndarray, values: np.ndarray) -> list[set[int]]:
    order = np.argsort(keys, kind="stable")
    borders = np.flatnonzero(np.diff(keys[order])) + 1
    return [set(part.tolist()) for part in np.split(values[order], borders)]


def pairs(ways: set[int]) -> set[tuple[int, int]]:
    return {(a, b) for a in ways for b in ways if a < b}
