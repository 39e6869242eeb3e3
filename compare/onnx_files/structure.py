"""Locate a model's tensors in a graph that does not name them, by the graph's structure.

The output of a softmax is attention, and that of ONNX's Attention operator is context. The inputs of the norms are the
residual stream, to which the blocks of a pre-norm transformer add (Xiong et al. 2020). These tensors are candidates. A
candidate is dropped if it does not have the shape of golden's tensor, or if golden contradicts it (`misplaced`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from onnx import GraphProto, NodeProto

#: Operators that are whole norms: ONNX's, and those of ONNX Runtime's tools. They normalize their first input.
_NORMS = ("LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization")

#: Operators whose output is the same tensor in another form.
_SAME = ("Identity", "Cast")

#: Distances from golden over the tensor's size. Above the first, a candidate may be another tensor; below the second,
#: it is the right one.
MISSES, MEETS = 0.1, 1e-3


def candidates(graph: GraphProto, layers: int) -> dict[str, str]:
    """Map tensors of a graph to the taps that they seem to be, in a model of that many layers.

    A kind is left out if its number of candidates does not fit the number of layers. Branches and loops are not
    searched.
    """
    softmaxes = softmaxes_of_attention(graph)
    attentions = [node for node in graph.node if node.op_type == "Attention" and node.domain in ("", "ai.onnx")]
    contexts = [_first(node.output) for node in attentions]
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


def softmaxes_of_attention(graph: GraphProto) -> list[str]:
    """Return the outputs of the softmaxes over keys, in the order of execution.

    A mixture of experts has a further softmax in each layer, over the scores of its experts. Its output or its input
    is that of the operator TopK, which chooses experts.
    """
    choices = [node for node in graph.node if node.op_type == "TopK"]
    scores = {name for node in choices for name in (_first(node.input), _first(node.output))}
    softmaxes = [node for node in graph.node if node.op_type == "Softmax"]
    return [_first(node.output) for node in softmaxes if not scores & {_first(node.input), _first(node.output)}]


def residual_stream(graph: GraphProto) -> list[str]:
    """Return the tensors that norms read and that additions connect, in execution order.

    Queries and keys may be normalized too, but no addition connects them.
    """
    makers = {output: node for node in graph.node for output in node.output}
    origins = _origins(graph)
    normed = {origins.get(name, name) for name in normed_tensors(graph)}
    links = [
        (place, _first(node.output))
        for node in graph.node
        if node.op_type == "Add" and _first(node.output) in normed
        for place in (origins.get(name, name) for name in node.input)
        if place in normed
    ]
    linked = {name for link in links for name in link}
    order = {name: place for place, name in enumerate(makers)}
    return sorted(linked, key=lambda name: order.get(name, -1))


def normed_tensors(graph: GraphProto) -> Iterator[str]:
    """Yield the tensor that each norm reads, whether the norm is one operator or several.

    If a norm consists of several operators, it is recognised by `x - mean(x)` (layer normalization) or by a division by
    the root of `mean(x * x)` (root-mean-square normalization).
    """
    makers = {output: node for node in graph.node for output in node.output}
    for node in graph.node:
        if node.op_type in _NORMS or _centres(node, makers):
            yield _first(node.input)
        elif node.op_type == "Sqrt" and (squared := _squared_in(node, makers)) is not None:
            yield squared


def misplaced(relative: Mapping[str, float], found: Iterable[str]) -> list[str]:
    """Return the candidates that cannot be the taps that they seem to be.

    relative: tensor -> its distance from golden over its size, in execution order. found: the candidates. A fault in a
    tensor affects all that follow. So a candidate that is far from golden is another tensor if the residual stream or
    the logits after it agree with golden.

    >>> misplaced({"hidden_state.0": 1e-7, "mid_state.0": 1.2, "hidden_state.1": 1e-6, "logits": 0.5}, ["mid_state.0"])
    ['mid_state.0']
    """
    names = list(relative)
    healed = [
        place
        for place, name in enumerate(names)
        if name.startswith(("hidden_state", "mid_state", "logits", "last_hidden_state")) and relative[name] < MEETS
    ]
    last = max(healed, default=-1)
    return [name for name in found if name in relative and names.index(name) < last and relative[name] > MISSES]


def _mean_of(name: str, makers: Mapping[str, NodeProto]) -> str | None:
    node = makers.get(name)
    return _first(node.input) if node is not None and node.op_type == "ReduceMean" else None


def _squared_in(root: NodeProto, makers: Mapping[str, NodeProto]) -> str | None:
    """Return x if a node is the root in `sqrt(mean(x * x) + epsilon)`; None if x is itself a tensor less its mean."""
    total = makers.get(_first(root.input))
    if total is None or total.op_type != "Add":
        return None
    means = (_mean_of(name, makers) for name in total.input[:2])
    square = makers.get(next((name for name in means if name is not None), ""))
    if square is None or square.op_type not in ("Pow", "Mul"):
        return None
    maker = makers.get(_first(square.input))
    return None if maker is not None and _centres(maker, makers) else _first(square.input)


def _centres(node: NodeProto, makers: Mapping[str, NodeProto]) -> bool:
    """Whether a node subtracts its input's mean from it."""
    return node.op_type == "Sub" and len(node.input) == 2 and _mean_of(node.input[1], makers) == node.input[0]


def _origins(graph: GraphProto) -> dict[str, str]:
    """Map each tensor that is another one in another form to that one. Nodes are in order, so one pass finds them."""
    found: dict[str, str] = {}
    for node in graph.node:
        if node.op_type in _SAME and node.input and node.output:
            found[node.output[0]] = found.get(node.input[0], node.input[0])
    return found


def _first(names: Sequence[str]) -> str:
    """Return the first of a node's inputs or outputs; empty if it has none, as a node that no runtime accepts."""
    return names[0] if names else ""
