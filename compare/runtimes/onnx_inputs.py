"""What a graph is fed, made from ids and mask, and what it calls its outputs: whoever exported it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.errors import BadInput, CannotRun
from export.positions import positions_of

#: Where an output of a graph is a tap under another name, the graph's metadata hold the tap's under this and its own.
TAP = "tap "

#: An input with keys or values of earlier positions, as optimum and transformers name it.
_PAST = re.compile(r"past(_key_values)?(?P<rest>[._].*)")


@dataclass(frozen=True)
class GraphInput:
    """An input as a graph declares it. dtype: NumPy's name. shape: None for a free dimension, or where none is told."""

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None


def feed(
    inputs: Iterable[GraphInput], input_ids: NDArray[Any], attention_mask: NDArray[Any]
) -> dict[str, NDArray[Any]]:
    """The arrays that a graph is to be fed, in the types that it declares; ids: int64 (batch, sequence), and the mask
    (batch, past + sequence).

    Position ids are those of `positions_of`. The keys and values that are made here are of no positions: leave out the
    inputs of a past that is there. The branch that reads it (`use_cache_branch`) is taken where there is one.

    Raises `CannotRun` for an input that cannot be made from ids and mask, `BadInput` for one of a fixed shape that is
    not that of the ids.

    >>> past = GraphInput("past_key_values.0.key", "float32", (None, 4, None, 16))
    >>> feed([past, GraphInput("position_ids", "int64", (None, None))], *np.ones((2, 1, 3), dtype=np.int64))
    {'past_key_values.0.key': array([], shape=(1, 4, 0, 16), dtype=float32), 'position_ids': array([[0, 1, 2]])}
    """
    return {wanted.name: _array(wanted, input_ids, attention_mask) for wanted in inputs}


def present_of(name: str) -> str:
    """The output that holds what this input is to be at the next step: the keys or values of one position more.

    >>> present_of("past_key_values.0.key")
    'present.0.key'
    """
    return _PAST.sub(r"present\g<rest>", name)


def is_past(name: str) -> bool:
    """Whether an input holds keys or values of earlier positions."""
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
        case "use_cache_branch":
            array = np.full(1, past > 0)
        case name if is_past(name) and wanted.shape is not None:
            array = np.zeros(_empty(wanted.name, wanted.shape, len(input_ids)))
        case _:
            raise CannotRun(
                f"the graph asks for {wanted.name}, which cannot be made from ids and a mask; export it without: "
                "input_ids, attention_mask, position_ids and a past are what is fed"
            )
    if wanted.shape is not None and not fits(array.shape, wanted.shape):
        batch, sequence = input_ids.shape
        raise BadInput(
            f"the graph takes {wanted.name} of {written(wanted.shape)} alone, and this input makes it {array.shape}"
            + mended(wanted.shape, (batch, sequence))
        )
    try:
        return np.ascontiguousarray(array, dtype=wanted.dtype)
    except TypeError:
        raise CannotRun(f"the graph asks for {wanted.name} as {wanted.dtype}, which NumPy cannot make") from None


def fits(shape: tuple[int, ...], declared: tuple[int | None, ...]) -> bool:
    """Whether an array of that shape is one that was declared so.

    >>> fits((1, 8), (None, 8)), fits((1, 8), (1, 16))
    (True, False)
    """
    return len(shape) == len(declared) and all(
        wanted in (None, size) for size, wanted in zip(shape, declared, strict=True)
    )


def written(shape: tuple[int | None, ...]) -> str:
    """A declared shape as people write it.

    >>> written((None, 8))
    '(any, 8)'
    """
    return "(" + ", ".join("any" if size is None else str(size) for size in shape) + ")"


def mended(declared: tuple[int | None, ...], given: tuple[int, int]) -> str:
    """The settings that make batch and sequence what a graph takes, to follow an error; nothing if none do.

    >>> mended((1, 32), (1, 128))
    '; set sequence to 32'
    """
    if len(declared) < 2:
        return ""
    pairs = zip(("batch", "sequence"), declared, given, strict=False)
    needed = [f"{setting} to {wanted}" for setting, wanted, size in pairs if wanted not in (None, size)]
    return f"; set {' and '.join(needed)}" if needed else ""


def _empty(name: str, declared: tuple[int | None, ...], batch: int) -> tuple[int, ...]:
    """The shape of a past without positions: (batch, heads, 0, head_dim), as transformers keeps keys and values."""
    if len(declared) != 4 or declared[1] is None or declared[3] is None:
        raise CannotRun(
            f"the graph asks for {name} of {written(declared)}; a past is fed where it is (any, heads, any, head_dim), "
            "with both in numbers. Export it without a past"
        )
    return (batch, declared[1], 0, declared[3])
