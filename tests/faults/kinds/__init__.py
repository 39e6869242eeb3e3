"""The kinds of faults, one file for what they alter. Each is a short function that edits a graph.

A fault is planted in a place (a segment of a layer, as a verdict names it) with a strength. If the strength of a kind
can vary, it is between 0 and 1; 1 is the full fault, such as a dropped bias or two swapped heads. Random choices (which
row, which head) depend only on the generator, so that the same fault can be planted twice: into the float64 graph, to
measure its size, and into the graph that is judged.
"""

from tests.faults.kinds import attention, embedding, norms_and_activations, values, weights
from tests.faults.kinds.fault import Fault

#: Every kind by name. Trials draw faults in this order, so it decides which faults a seed gives.
KINDS: dict[str, Fault] = {
    kind.name: kind
    for kind in (
        *weights.FAULTS,
        *norms_and_activations.FAULTS,
        *values.FAULTS,
        *attention.FAULTS,
        *embedding.FAULTS,
    )
}
