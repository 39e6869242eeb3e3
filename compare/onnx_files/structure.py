"""Where a graph that names none of its insides has them: candidates for the model's tensors, by the graph's structure.

A softmax gives attention, ONNX's Attention operator context, and the residual stream is what goes into the norms: the
states between which a pre-norm transformer adds (Xiong et al. 2020). Nothing is taken for sure: a candidate has to have
its tensor's shape, and one that golden contradicts is dropped (`misplaced`).
"""

from collections.abc import Iterable, Iterator, Mapping

from onnx import GraphProto, NodeProto

#: Norms as one operator: ONNX's, and the ones that ONNX Runtime's own tools write. The first input is what they norm.
_NORMS = ("LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization")

#: Operators behind which a tensor is still itself.
_SAME = ("Identity", "Cast")

#: Further from golden than the first, relative to its size, a tensor may be another one; nearer than the second it is
#: the same.
MISSES, MEETS = 0.1, 1e-3


def candidates(graph: GraphProto, layers: int) -> dict[str, str]:
    """Tensor of a graph -> the tap of a model with that many layers that it seems to be, in the graph's order.

    Kinds of which there are not as many as layers are left out; so is what stands in branches and loops.
    """
    softmaxes = [node.output[0] for node in graph.node if node.op_type == "Softmax"]
    contexts = [node.output[0] for node in graph.node if node.op_type == "Attention" and node.domain in ("", "ai.onnx")]
    stream = residual_stream(graph)
    found: dict[str, str] = {}
    if len(softmaxes) == layers:
        found |= {name: f"attention.{i}" for i, name in enumerate(softmaxes)}
    if len(contexts) == layers:
        found |= {name: f"context.{i}" for i, name in enumerate(contexts)}
    if len(stream) == 2 * layers + 1:
        kinds = ("hidden_state", "mid_state")
        found |= {name: f"{kinds[i % 2]}.{i // 2}" for i, name in enumerate(stream)}
    return found


def residual_stream(graph: GraphProto) -> list[str]:
    """The tensors that go into norms and that additions lead from one to the next; so no queries or keys."""
    makers = {output: node for node in graph.node for output in node.output}
    normed = {_origin(name, makers) for name in normed_tensors(graph)}
    links = [
        (place, node.output[0])
        for node in graph.node
        if node.op_type == "Add" and node.output[0] in normed
        for place in (_origin(name, makers) for name in node.input)
        if place in normed
    ]
    linked = {name for link in links for name in link}
    order = {name: place for place, name in enumerate(makers)}
    return sorted(linked, key=lambda name: order.get(name, -1))


def normed_tensors(graph: GraphProto) -> Iterator[str]:
    """What goes into each norm, whether that is one operator or is spelled out.

    Spelled out, layer normalization takes the mean away (`x - mean(x)`), and root-mean-square normalization divides by
    the root of `mean(x * x)`.
    """
    makers = {output: node for node in graph.node for output in node.output}
    for node in graph.node:
        if node.op_type in _NORMS or _centres(node, makers):
            yield node.input[0]
        elif node.op_type == "Sqrt" and (squared := _squared_in(node, makers)) is not None:
            yield squared


def misplaced(relative: Mapping[str, float], found: Iterable[str]) -> list[str]:
    """The candidates among a run's tensors that cannot be what they were taken for.

    relative: distance from golden over the size, by tensor in the order of execution. A fault does not heal: what is
    far from golden while the residual stream or the logits after it are golden's was another tensor.

    >>> misplaced({"hidden_state.0": 1e-7, "mid_state.0": 1.2, "hidden_state.1": 1e-6, "logits": 0.5}, ["mid_state.0"])
    ['mid_state.0']
    """
    names = list(relative)
    healed = [
        place
        for place, name in enumerate(names)
        if name.startswith(("hidden_state", "mid_state", "logits")) and relative[name] < MEETS
    ]
    last = max(healed, default=-1)
    return [name for name in found if name in relative and names.index(name) < last and relative[name] > MISSES]


def _mean_of(name: str, makers: Mapping[str, NodeProto]) -> str | None:
    node = makers.get(name)
    return node.input[0] if node is not None and node.op_type == "ReduceMean" else None


def _squared_in(root: NodeProto, makers: Mapping[str, NodeProto]) -> str | None:
    """x of `sqrt(mean(x * x) + epsilon)`, where x is not itself what is left of another when its mean is taken away."""
    total = makers.get(root.input[0])
    if total is None or total.op_type != "Add":
        return None
    means = (_mean_of(name, makers) for name in total.input)
    square = makers.get(next((name for name in means if name is not None), ""))
    if square is None or square.op_type not in ("Pow", "Mul"):
        return None
    maker = makers.get(square.input[0])
    return None if maker is not None and _centres(maker, makers) else square.input[0]


def _centres(node: NodeProto, makers: Mapping[str, NodeProto]) -> bool:
    """Whether a node takes its input's mean away from it."""
    return node.op_type == "Sub" and _mean_of(node.input[1], makers) == node.input[0]


def _origin(name: str, makers: Mapping[str, NodeProto]) -> str:
    while name in makers and makers[name].op_type in _SAME:
        name = makers[name].input[0]
    return name
