"""Match the outputs of an ONNX file with a model's tensors, and check that the file fits the model.

Outputs are matched by name. Known names are those of this project (`export.taps.tap_names`), optimum and transformers.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from compare.onnx_files.reading import OnnxFile
from compare.onnx_files.structure import softmaxes_of_attention
from compare.runtimes.onnx_inputs import feed, fits, mended, written
from export.errors import BadInput, CannotRun
from export.kinds import LAST_HIDDEN_STATE, LOGITS, OUTPUTS, output_among

#: Pattern of an output's name with the number of a layer -> the kind of tap that it is.
_NUMBERED = {
    r"(hidden_state|query|key|value|attention|context|mid_state)\.([0-9]{1,6})": r"\1",
    r"(attention|hidden_state)s\.([0-9]{1,6})": r"\1",
    r"present(?:_key_values)?\.([0-9]{1,6})\.(key|value)": r"\2",
}
_PAST = re.compile(r"past_key_values\.([0-9]{1,6})\.(?:key|value)")

#: Operators of attention, of which a graph has one in each layer.
_ATTENTION = ("Attention", "MultiHeadAttention", "GroupQueryAttention")

#: Operators whose output is as wide as their first input, and how many nodes before the output are looked at.
_SAME_WIDTH, _STEPS = ("Cast", "Identity", "QuantizeLinear", "DequantizeLinear", "Tanh"), 16


def tap_of(output: str, layers: int) -> str | None:
    """Return the tap that an output is, in a model of that many layers; None if it is not a tap.

    The last of transformers' `hidden_states` is not a tap, because it comes after the final norm.

    >>> tap_of("attentions.0", 2), tap_of("present.1.key", 2), tap_of("hidden_states.2", 2), tap_of("loss", 2)
    ('attention.0', 'key.1', None, None)
    """
    if output in OUTPUTS:
        return output
    kind, layer = _parts(output)
    last = layers if output == f"hidden_state.{layers}" else layers - 1
    return f"{kind}.{layer}" if kind and layer <= last else None


def exposed(file: OnnxFile, layers: int) -> dict[str, str]:
    """Map outputs of the file to taps of a model of that many layers. Other outputs are left out."""
    found = {output: tap_of(output, layers) for output in file.outputs}
    other = set(OUTPUTS) - {output_among(file.outputs)}
    return {output: tap for output, tap in found.items() if tap is not None and tap not in other}


def check_model(file: OnnxFile, model: Mapping[str, Any]) -> None:
    """Raise `BadInput` if a file does not fit a model: it has another output, or other numbers of layers or tokens.

    model: the model's facts from the manifest of a cache entry. A number that cannot be determined from the file is not
    checked.
    """
    check_output(file, model["output"])
    width = ("tokens in its vocabulary", model["vocabulary"])
    if model["output"] != LOGITS:
        width = ("channels", model["hidden"])
    for what, found, expected in (
        ("layers", layers_of(file), model["layers"]),
        (width[0], width_of(file), width[1]),
    ):
        if found not in (None, expected):
            raise BadInput(
                f"{file.path} has {found:,} {what}, but the model has {expected:,}; "
                "give the model that it was exported from"
            )


def check_output(file: OnnxFile, output: str | None = None) -> None:
    """Raise `BadInput` if a file has no output of this name; by default, of one of the names in `OUTPUTS`."""
    if (output_among(file.outputs) if output is None else output) not in file.outputs:
        how = "without a head" if output == LAST_HIDDEN_STATE else "with its head"
        raise BadInput(
            f"{file.path} has no output {output or LOGITS}, only {', '.join(list(file.outputs)[:3])}: "
            f"export the model {how}"
        )


def check_inputs(file: OnnxFile, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]) -> None:
    """Check that a file accepts this input and returns its output for every position.

    input_ids, attention_mask: (batch, sequence). Raises `CannotRun` if the file needs an input that cannot be made from
    them, and `BadInput` if its fixed shapes differ from theirs.
    """
    try:
        feed(file.inputs, input_ids, attention_mask)
    except (BadInput, CannotRun) as error:
        raise type(error)(f"{file.path}: {error}") from error
    output = output_among(file.outputs) or LOGITS
    declared, given = file.outputs[output], input_ids.shape
    words = output.replace("_", " ")
    if declared is not None and not (len(declared) == 3 and fits(given, declared[:2])):
        raise BadInput(
            f"{file.path}: the shape of its {words} is {written(declared)}, which does not fit this input, "
            f"{given}. {words.capitalize()} of all positions are needed{mended(declared, given)}"
        )


def padded_rows(file: OnnxFile, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]) -> int:
    """Return how many of several padded sequences a file accepts at once: all, or one if its batch size is fixed.

    input_ids, attention_mask: (batch, sequence). Raises `BadInput` with the reason if it accepts none.
    """
    if "attention_mask" not in [wanted.name for wanted in file.inputs]:
        raise BadInput("has no input attention_mask")
    for rows in (len(input_ids), 1):
        with suppress(BadInput):
            check_inputs(file, input_ids[:rows], attention_mask[:rows])
            return rows
    shape = next(wanted.shape for wanted in file.inputs if wanted.name == "attention_mask")
    raise BadInput(f"takes only sequences of {'one length' if shape is None else written(shape)}")


def layers_of(file: OnnxFile) -> int | None:
    """Return the number of layers, from names, softmaxes and attention operators; None if none of these shows it."""
    names = [*file.outputs, *(wanted.name for wanted in file.inputs)]
    attentions = sum(node.op_type in _ATTENTION for node in file.model.graph.node)
    attentions += len(softmaxes_of_attention(file.model.graph))
    return max(attentions, *(_layers_told(name) for name in names)) or None


def width_of(file: OnnxFile) -> int | None:
    """Return the last dimension of a file's output, declared or that of the weights which make it; None if unknown.

    For logits, it is the size of the vocabulary. ONNX's inference of shapes would also find it, but a hostile graph can
    crash that, or keep it busy for ever.
    """
    output = output_among(file.outputs) or LOGITS
    declared = file.outputs[output]
    if declared and declared[-1] is not None:
        return declared[-1]
    graph = file.model.graph
    weights = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    name = output
    for _ in range(_STEPS):
        node = makers.get(name)
        if node is None or not node.input:
            return None
        shapes = [_shape_of_weights(each, weights, makers) for each in node.input]
        if node.op_type == "Gemm" and len(shapes) > 1:
            flipped = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
            return shapes[1][0 if flipped else -1] if len(shapes[1]) == 2 else None
        if node.op_type == "MatMul" and len(shapes) > 1:
            return shapes[1][-1] if len(shapes[1]) > 1 else None
        if node.op_type in ("Add", "Sub", "Mul", "Div"):
            if (width := max((shape[-1] for shape in shapes if shape), default=1)) > 1:
                return width
            name = next((each for each, shape in zip(node.input, shapes, strict=True) if not shape), "")
        elif node.op_type in _SAME_WIDTH:
            name = node.input[0]
        else:
            return None
    return None


def _shape_of_weights(name: str, weights: Mapping[str, list[int]], makers: Mapping[str, onnx.NodeProto]) -> list[int]:
    """Return the shape of weights, also if a node transposes or casts them; empty if they are none.

    weights: name -> shape. makers: tensor -> the node that makes it.
    """
    if name in weights:
        return weights[name]
    node = makers.get(name)
    if node is None or not node.input or node.input[0] not in weights:
        return []
    shape = weights[node.input[0]]
    if node.op_type == "Transpose":
        order = next((list(each.ints) for each in node.attribute if each.name == "perm"), [])
        order = order or list(reversed(range(len(shape))))
        return [shape[axis] for axis in order] if sorted(order) == list(range(len(shape))) else []
    return shape if node.op_type in ("Cast", "DequantizeLinear", "Identity") else []


def _layers_told(name: str) -> int:
    """Return the fewest layers that a file with this name among its inputs or outputs can have."""
    if past := _PAST.fullmatch(name):
        return int(past[1]) + 1
    kind, layer = _parts(name)
    return layer + (kind != "hidden_state") if kind else 0


def _parts(name: str) -> tuple[str, int]:
    for pattern, kind in _NUMBERED.items():
        if match := re.fullmatch(pattern, name):
            return match.expand(kind), int(next(group for group in match.groups() if group.isdigit()))
    return "", 0
