"""Convert a text into the token ids and the attention mask for all runs of a comparison."""

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

#: The lengths of the longer and the shorter sequence of the padded input, in tokens.
PADDED_LENGTHS = 12, 7


@dataclass(frozen=True)
class Inputs:
    """The input of a run.

    input_ids, attention_mask: int64 (batch, sequence). tokens: the tokens of the first sequence, as text.
    """

    input_ids: NDArray[Any]
    attention_mask: NDArray[Any]
    tokens: list[str]

    @property
    def sha256(self) -> str:
        """The hexadecimal digest of ids and mask."""
        return hashlib.sha256(self.input_ids.tobytes() + self.attention_mask.tobytes()).hexdigest()

    @property
    def padding(self) -> int:
        """The number of positions in the batch that are padding."""
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
    """Encode a text with the tokenizer of a cache entry. Return a batch of sequences of one length.

    The starts of the sequences are spread evenly over the text. A sequence that reaches the end of the text continues
    at its beginning.

    text: None means the text that ships with the project.
    sequence: tokens in each sequence. None means the whole `text`, or `DEFAULT_SEQUENCE` tokens of the shipped one.
    batch: the number of sequences.
    positions: the number of positions that the model has.
    quick: without a `sequence`, take at most `QUICK_SEQUENCE` tokens.
    setting: the name of the setting that `sequence` comes from, for messages.

    Raises `BadInput` if the text is empty, or if the sequence is longer than the text or than the model's positions.
    """
    check_text(text)
    if sequence is not None and sequence > positions:
        raise BadSetting(
            f"{{{setting}}} asks for {sequence:,} tokens, but the model has {positions:,} positions; "
            f"it must be 1 to {positions:,}"
        )
    encoding = _tokenizer(model_folder).encode(DEFAULT_TEXT.read_text() if text is None else text)
    length = _length(
        len(encoding.ids), given=text is not None, sequence=sequence, positions=positions, quick=quick, setting=setting
    )
    return _inputs(encoding.ids, [_readable(token) for token in encoding.tokens[:length]], batch)


def padded(inputs: Inputs, *, positions: int, vocabulary: int, model_folder: Path) -> Inputs:
    """Return the padded input: a sequence of the text, and a shorter one twice, padded on the left and on the right.

    A text with too few tokens is repeated. If the model has too few positions, both sequences are shorter.

    positions, vocabulary: the model's limits. model_folder: the folder of the cache entry, whose configuration may name
    a padding token; otherwise token 0 is used.
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
    """Return a text's bytes as ids, for a graph without a tokenizer. Each id is less than `vocabulary`.

    The other arguments and the errors are those of `tokenize`. The graph's number of positions is not known, so it is
    not checked.
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
    """Return a batch of sequences whose starts are spread evenly over the text."""
    starts = [row * len(ids) // batch for row in range(batch)]
    picks = (np.array(starts)[:, None] + np.arange(len(tokens))[None, :]) % len(ids)
    return Inputs(np.array(ids, dtype=np.int64)[picks], np.ones((batch, len(tokens)), dtype=np.int64), tokens)


def check_text(text: str | None) -> None:
    """Raise `BadInput` if a text was given and is empty or blank."""
    if text is not None and not text.strip():
        raise BadInput("the text is empty; give another one, or none to use the text that ships with the project")


def _length(
    available: int,
    *,
    given: bool,
    sequence: int | None,
    positions: int,
    quick: bool,
    setting: str,
) -> int:
    """Return the number of tokens in each sequence. available: tokens in the text. given: whether it was given."""
    if sequence is not None:
        if sequence > available:
            raise BadSetting(
                f"{{{setting}}} asks for {sequence:,} tokens, but the text has {available:,}; "
                f"ask for 1 to {available:,}, or give a longer text"
            )
        return sequence
    if quick:
        return min(available, QUICK_SEQUENCE)
    if not given:
        return min(available, DEFAULT_SEQUENCE, positions)
    if available > positions:
        raise BadSetting(
            f"the text has {available:,} tokens, but the model has {positions:,} positions; "
            f"set {{sequence}} to {positions} to use its beginning"
        )
    return available


def _tokenizer(folder: Path) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def _readable(token: str) -> str:
    """Return a token in readable form. GPT-2 writes a space as Ġ and a line break as Ċ.

    >>> _readable("Ġmodel"), _readable("Ċ")
    ('·model', '⏎')
    """
    return token.replace("Ġ", "·").replace("Ċ", "⏎").replace("▁", "·")
