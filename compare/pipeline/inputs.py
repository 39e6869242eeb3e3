"""Real text becomes the ids and the mask that every run of a comparison is given."""

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.pipeline.settings import DEFAULT_SEQUENCE, QUICK_SEQUENCE
from export.errors import BadInput, BadSetting

DEFAULT_TEXT = Path(__file__).with_name("default_text.txt")

#: Tokens of the two sequences that are run with padding; the shorter one is padded to the longer one's length.
PADDED_LENGTHS = 12, 7


@dataclass(frozen=True)
class Inputs:
    """input_ids, attention_mask: int64 (batch, sequence). tokens: the first sequence, each token as text."""

    input_ids: NDArray[Any]
    attention_mask: NDArray[Any]
    tokens: list[str]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.input_ids.tobytes() + self.attention_mask.tobytes()).hexdigest()

    @property
    def padding(self) -> int:
        """How many positions of the batch are padding."""
        return int((self.attention_mask == 0).sum())


def tokenize(
    model_folder: Path,
    *,
    text: str | None,
    sequence: int | None,
    batch: int,
    positions: int,
    quick: bool = False,
    setting: str = "sequence",
) -> Inputs:
    """Encode a text with the tokenizer of a cache entry into `batch` sequences.

    Without a text, the one that ships with the project. Without a `sequence`, `DEFAULT_SEQUENCE` tokens of that one, or
    the whole text given; `quick` takes at most `QUICK_SEQUENCE`. The sequences of a batch start at places spread evenly
    over the text, which is taken as a ring. setting: the one that the sequence comes from. Raises `BadInput` for an
    empty text, and for more tokens than there are or than the model has positions.
    """
    check_text(text)
    if sequence is not None and sequence > positions:
        raise BadSetting(
            f"{{{setting}}} asks for {sequence:,} tokens and the model has {positions:,} positions; "
            f"it must be 1 to {positions:,}"
        )
    encoding = _tokenizer(model_folder).encode(DEFAULT_TEXT.read_text() if text is None else text)
    length = _length(
        len(encoding.ids), given=text is not None, sequence=sequence, positions=positions, quick=quick, setting=setting
    )
    return _inputs(encoding.ids, [_readable(token) for token in encoding.tokens[:length]], batch)


def padded(inputs: Inputs, *, positions: int, vocabulary: int, model_folder: Path) -> Inputs:
    """Three short sequences of the same text: one without padding, one padded on the left, the same on the right.

    Where the text has too few tokens it begins again; where the model has too few positions, both are shorter. Padding
    is the model's own token for it, else token 0.
    """
    length = min(PADDED_LENGTHS[0], positions)
    short = max(1, length * PADDED_LENGTHS[1] // PADDED_LENGTHS[0])
    pad = json.loads((model_folder / "config.json").read_text()).get("pad_token_id")
    text = np.resize(inputs.input_ids[0], length + short)
    sides = (0, 0), (length - short, 0), (0, length - short)
    sequences = text[:length], text[length:], text[length:]
    ids = [
        np.pad(x, side, constant_values=pad if pad in range(vocabulary) else 0)
        for x, side in zip(sequences, sides, strict=True)
    ]
    mask = [np.pad(np.ones_like(x), side) for x, side in zip(sequences, sides, strict=True)]
    return Inputs(np.stack(ids), np.stack(mask), [*np.resize(inputs.tokens, length)])


def byte_inputs(vocabulary: int, *, text: str | None, sequence: int | None, batch: int, quick: bool = False) -> Inputs:
    """A text's bytes as the ids of a graph that comes without a tokenizer, each less than `vocabulary`.

    As `tokenize` otherwise, but for how many positions the graph has, which nobody knows.
    """
    check_text(text)
    content = DEFAULT_TEXT.read_bytes() if text is None else text.encode()
    length = _length(
        len(content),
        given=text is not None,
        sequence=sequence,
        positions=sys.maxsize,
        quick=quick,
        setting="sequence",
    )
    return _inputs([byte % vocabulary for byte in content], [repr(chr(byte))[1:-1] for byte in content[:length]], batch)


def _inputs(ids: list[int], tokens: list[str], batch: int) -> Inputs:
    """As many ids as there are tokens for each sequence of a batch, begun at places spread evenly over the text."""
    starts = [row * len(ids) // batch for row in range(batch)]
    picks = (np.array(starts)[:, None] + np.arange(len(tokens))[None, :]) % len(ids)
    return Inputs(np.array(ids, dtype=np.int64)[picks], np.ones((batch, len(tokens)), dtype=np.int64), tokens)


def check_text(text: str | None) -> None:
    """Raises `BadInput` for a text that was given and holds nothing."""
    if text is not None and not text.strip():
        raise BadInput("the text is empty; without one, the text that ships with the project is used")


def _length(
    available: int,
    *,
    given: bool,
    sequence: int | None,
    positions: int,
    quick: bool,
    setting: str,
) -> int:
    if sequence is not None:
        if sequence > available:
            raise BadSetting(
                f"{{{setting}}} asks for {sequence:,} tokens and the text has {available:,}; "
                f"ask for 1 to {available:,}, or give a longer text"
            )
        return sequence
    if quick:
        return min(available, QUICK_SEQUENCE)
    if not given:
        return min(available, DEFAULT_SEQUENCE, positions)
    if available > positions:
        raise BadSetting(
            f"the text has {available:,} tokens and the model has {positions:,} positions; "
            f"set {{sequence}} to {positions} to use its beginning"
        )
    return available


def _tokenizer(folder: Path) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def _readable(token: str) -> str:
    """A token as a person reads it: GPT-2 writes a space as Ġ and a line break as Ċ.

    >>> _readable("Ġmodel"), _readable("Ċ")
    ('·model', '⏎')
    """
    return token.replace("Ġ", "·").replace("Ċ", "⏎").replace("▁", "·")
