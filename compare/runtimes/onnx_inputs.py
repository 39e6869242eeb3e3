"""Inputs for an ONNX graph of any exporter, made from token ids and a mask, and the names of its outputs."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.errors import BadInput, CannotRun
from export.positions import positions_of

#: If an output of a graph is a tap but has another name, the graph's metadata map this prefix plus the output's name to
#: the tap's name.
TAP = "tap "

#: Matches the name of an input with keys or values of earlier positions, as optimum and transformers write it.
_PAST = re.compile(r"past(_key_values)?(?P<rest>[._].*)")


@dataclass(frozen=True)
class GraphInput:
    """An input as a graph declares it.

    name: its name in the graph.
    dtype: the name of its type in NumPy.
    shape: the size of each dimension, None for a dynamic one; None if the graph declares no shape.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None


def feed(
    inputs: Iterable[GraphInput], input_ids: NDArray[Any], attention_mask: NDArray[Any]
) -> dict[str, NDArray[Any]]:
    """Return the input arrays of a graph by name, in the types that it declares.

    inputs: the inputs to make. Leave out those of the past if it exists already.
    input_ids: int64 (batch, sequence).
    attention_mask: int64 (batch, past + sequence).

    Position ids are those of `positions_of`. Token types are 0, as for a single text. The past that is made here has no
    positions. `use_cache_branch` is true if there is a past.

    Raises `CannotRun` for an input that cannot be made from ids and mask, `BadInput` for an input whose fixed shape
    does not fit the ids.

    >>> past = GraphInput("past_key_values.0.key", "float32", (None, 4, None, 16))
    >>> feed([past, GraphInput("position_ids", "int64", (None, None))], *np.ones((2, 1, 3), dtype=np.int64))
    {'past_key_values.0.key': array([], shape=(1, 4, 0, 16), dtype=float32), 'position_ids': array([[0, 1, 2]])}
    """
    return {wanted.name: _array(wanted, input_ids, attention_mask) for wanted in inputs}


def present_of(name: str) -> str:
    """Return the name of the output that becomes this input at the next step, for keys or values of the past.

    >>> present_of("past_key_values.0.key")
    'present.0.key'
    """
    return _PAST.sub(r"present\g<rest>", name)


def presents_of(inputs: Iterable[GraphInput]) -> dict[str, str]:
    """Return output -> input that it becomes at the next step, for a graph's keys and values; empty without a past.

    >>> presents_of([GraphInput("input_ids", "int64", None), GraphInput("past_key_values.0.key", "float32", None)])
    {'present.0.key': 'past_key_values.0.key'}
    """
    return {present_of(each.name): each.name for each in inputs if is_past(each.name)}


def is_past(name: str) -> bool:
    """Return whether an input holds keys or values of earlier positions."""
    return _PAST.fullmatch(name) is not None


def _array(wanted: GraphInput, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> NDArray[Any]:
    array: NDArray[Any]
    past = attention_mask.shape[1] - input_ids.shape[1]
    match wanted.name:
        case "input_ids":
            array = input_ids
        case "attention_mask":
            array = attention_mask
        case "position_ids":
            array = positions_of(attention_mask, input_ids.shape[1])
        case "token_type_ids":
            array = np.zeros_like(input_ids)
        case "use_cache_branch":
            array = np.full(1, past > 0)
        case name if is_past(name) and wanted.shape is not None:
            array = _zeros(wanted.name, _empty(wanted.name, wanted.shape, len(input_ids)))
        case _:
            raise CannotRun(
                f"the graph has an input {wanted.name}, which cannot be made from ids and a mask; export it with "
                "no inputs other than input_ids, attention_mask, token_type_ids, position_ids and a past"
            )
    if wanted.shape is not None and not fits(array.shape, wanted.shape):
        batch, sequence = input_ids.shape
        raise BadInput(
            f"the graph declares {wanted.name} with shape {written(wanted.shape)}, but this input has {array.shape}"
            + mended(wanted.shape, (batch, sequence))
        )
    try:
        return np.ascontiguousarray(array, dtype=wanted.dtype)
    except TypeError:
        raise CannotRun(
            f"the graph declares {wanted.name} as {wanted.dtype}, a type that NumPy does not have"
        ) from None


def fits(shape: tuple[int, ...], declared: tuple[int | None, ...]) -> bool:
    """Return whether a shape matches a declared one.

    >>> fits((1, 8), (None, 8)), fits((1, 8), (1, 16))
    (True, False)
    """
    return len(shape) == len(declared) and all(
        wanted in (None, size) for size, wanted in zip(shape, declared, strict=True)
    )


def written(shape: tuple[int | None, ...]) -> str:
    """Return a declared shape as text.

    >>> written((None, 8))
    '(any, 8)'
    """
    return "(" + ", ".join("any" if size is None else str(size) for size in shape) + ")"


def mended(declared: tuple[int | None, ...], given: tuple[int, int]) -> str:
    """Return the end of an error message, which says what settings fit a declared shape; empty if none do.

    declared: the shape that a graph declares.
    given: the batch size and the sequence length of the input.

    >>> mended((1, 32), (1, 128))
    '; set sequence to 32'
    """
    if len(declared) < 2:
        return ""
    pairs = zip(("batch", "sequence"), declared, given, strict=False)
    needed = [f"{setting} to {wanted}" for setting, wanted, size in pairs if wanted not in (None, size)]
    return f"; set {' and '.join(needed)}" if needed else ""


def _empty(name: str, declared: tuple[int | None, ...], batch: int) -> tuple[int, ...]:
    """Return the shape of an empty past: (batch, heads, 0, head_dim), as transformers lays out keys and values."""
    if len(declared) != 4 or declared[1] is None or declared[3] is None:
        raise CannotRun(
            f"the graph declares {name} with shape {written(declared)}; the shape of a past must be (any, heads, any, "
            "head_dim) with fixed heads and head_dim. Export the graph without a past"
        )
    return (batch, declared[1], 0, declared[3])


def _zeros(name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        return np.zeros(shape)
    except ValueError as error:  # NumPy multiplies all dimensions, also if one is 0
        raise CannotRun(
            f"the graph declares {name} with dimensions that no array can have: {written(shape)}"
        ) from error
