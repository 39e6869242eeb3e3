"""Faults in the embedding."""

import numpy as np
from numpy.random import Generator

from tests.faults.graph import Graph
from tests.faults.kinds.fault import EMBEDDING, Faults, NotHere

FAULTS = Faults()
fault = FAULTS.kind


@fault(EMBEDDING, start=1e-6)
def positions_off_by_one(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    *_, node = graph.nodes(place, "Gather")
    table = graph.array(node.inputs[0])
    if len(graph.nodes(place, "Add")) == 0:
        raise NotHere  # with rotary positions, the embedding has none
    graph.put((node, 0), table + strength * (np.roll(table, -1, axis=0) - table))


@fault(EMBEDDING, start=1e-6, held_out=True)
def embedding_scaled(graph: Graph, place: str, strength: float, rng: Generator) -> None:
    node = next(n for n in graph.nodes(place, "Gather") if n.inputs[0] is not None and n.inputs[0].is_initializer())
    graph.put((node, 0), graph.array(node.inputs[0]) * (1 + strength))
