"""Roads ready to be asked: a graph with its speeds, its main net and its index, made once and used again and again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from villagemap.plans import NEVER, Matrix, MatrixKind, Site
from villagemap.travel.closing import Closed, closures_of
from villagemap.travel.cutting import Network, cut
from villagemap.travel.findings import TravelFinding
from villagemap.travel.graph import RoadGraph
from villagemap.travel.line import positions
from villagemap.travel.lines import Flags, Ints
from villagemap.travel.paths import LonLat, paths_between
from villagemap.travel.rules import RoadRules
from villagemap.travel.snapping import Snapper, Snaps, main_edges
from villagemap.travel.ways import figures, weights_between

About = Mapping[str, str | int | float]

FAR_M = 500.0
"""A stop this far from its road is told: perhaps a road is missing."""


@dataclass(eq=False)
class Roads:
    """A graph as driven by ``rules``; ``about`` are facts for a person, such as the file's name."""

    graph: RoadGraph
    rules: RoadRules
    about: About = field(default_factory=dict)

    @cached_property
    def ticks(self) -> Ints:
        """Time of each edge."""
        return self.graph.ticks({kind: self.rules.speed(kind) for kind in self.graph.kinds}, self.rules.limit_factor)

    @cached_property
    def main(self) -> Flags:
        """Edges of the largest part that is connected there and back."""
        return main_edges(self.graph)

    @cached_property
    def snapper(self) -> Snapper:
        """The index of edges."""
        return Snapper(self.graph, self.main)

    @staticmethod
    def digest_of(graph: str, rules: RoadRules) -> str:
        """Tells apart whatever changes a time: a graph's digest and its rules."""
        return f"{graph[:32]}{rules.digest[:32]}"

    def snap(self, sites: Sequence[Site]) -> Snaps:
        """Where sites lie on the roads."""
        return self.snapper.snap(*positions(sites))

    def network(self, snaps: Snaps, closed: Sequence[Closed] = ()) -> Network:
        """The graph cut at sites, without what is closed."""
        return cut(self.graph, self.ticks, snaps, closures_of(self.graph, closed))

    def matrix(self, sites: Sequence[Site], closed: Sequence[Closed] = ()) -> Matrix:
        """Travel between sites along the roads."""
        snaps = self.snap(sites)
        seconds, metres = figures(weights_between(self.network(snaps, closed)), snaps.off_m)
        return self.matrix_of(self.digest_of(self.graph.digest, self.rules), self.about, sites, seconds, metres, closed)

    @staticmethod
    def matrix_of(
        digest: str, about: About, sites: Sequence[Site], seconds: Ints, metres: Ints, closed: Sequence[Closed]
    ) -> Matrix:
        """The matrix of figures measured on the graph and rules of ``digest``."""
        return Matrix(
            ids=tuple(site.id for site in sites),
            duration_s=seconds,
            distance_m=metres,
            kind=MatrixKind.ROADS,
            digest=digest,
            about={**about, "closed": len(closed)},
        )

    def paths(
        self, sites: Sequence[Site], pairs: Sequence[tuple[int, int]], closed: Sequence[Closed] = ()
    ) -> list[list[LonLat] | None]:
        """Points along the quickest way for each pair of rows of ``sites``; None where there is none."""
        network = self.network(self.snap(sites), closed)
        return paths_between(self.graph, network, pairs)

    def findings(self, sites: Sequence[Site], matrix: Matrix | None = None) -> list[TravelFinding]:
        """What is to be told of sites: without a position, outside the roads, far from one, or cut off from most.

        Cut off is who can't get to more than half of the others and back, by ``matrix`` where it is given.
        """
        snaps = self.snap(sites)
        matrix = matrix or self.matrix(sites)
        on = snaps.edge >= 0
        both = ((matrix.duration_s < NEVER) & (matrix.duration_s.T < NEVER))[:, on].sum(axis=1)
        found = []
        for at, site in enumerate(sites):
            off = round(float(snaps.off_m[at])) if np.isfinite(snaps.off_m[at]) else None
            if site.lon is None or site.lat is None:
                found.append(TravelFinding(code="no_position", site=site.id))
            elif off is None:
                found.append(TravelFinding(code="outside", site=site.id))
            elif int(on.sum()) > 1 and 2 * int(both[at]) <= int(on.sum()):
                found.append(TravelFinding(code="cut_off", site=site.id, params={"off_m": off}))
            elif off > FAR_M:
                found.append(TravelFinding(code="far", site=site.id, params={"off_m": off}))
        return found
