"""Convert a text into the token ids and the attention mask for all runs of a comparison."""

import hashlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.pipeline.settings import DEFAULT_SEQUENCE, LONGEST_TEXT, QUICK_SEQUENCE
from compare.traces import write_trace
from export.errors import BadInput, BadSetting
from export.outside import as_bad_input, quiet_panics
from export.tokens import normalized_size

DEFAULT_TEXT = Path(__file__).with_name("default_text.txt")

#: The most bytes that a normalizer may make of a text. The tokenizer takes 50 times as much memory.
MOST_NORMALIZED = 32 * 2**20

#: The sequences of the padded input: their lengths in tokens, and the side of their padding. They follow one another in
#: the text, but a sequence as long as the one before it is the same again.
PADDED = ((12, "right"), (7, "left"), (7, "right"))

#: The same for an encoder, whose embeddings of these texts are compared.
PADDED_TEXTS = (
    *((12, "right"), (7, "left"), (8, "right"), (10, "right")),
    *((9, "left"), (11, "right"), (5, "right"), (6, "right")),
)


@dataclass(frozen=True)
class Inputs:
    """The input of a run.

    input_ids, attention_mask: int64 (batch, sequence). tokens: the tokens of the first sequence, as text. specials: the
    numbers of special tokens at the start and at the end of each sequence, such as [CLS] and [SEP] of an encoder.
    """

    input_ids: NDArray[Any]
    attention_mask: NDArray[Any]
    tokens: list[str]
    specials: tuple[int, int] = (0, 0)

    @property
    def sha256(self) -> str:
        """The hexadecimal digest of ids and mask."""
        return hashlib.sha256(self.input_ids.tobytes() + self.attention_mask.tobytes()).hexdigest()

    @property
    def padding(self) -> int:
        """The number of positions in the batch that are padding."""
        return int((self.attention_mask == 0).sum())


def write_ids_and_mask(
    folder: Path, input_ids: NDArray[Any], attention_mask: NDArray[Any], facts: Mapping[str, Any] | None = None
) -> None:
    """Write ids and mask to a trace folder, from which processes read them. facts: as in `write_trace`."""
    write_trace(folder, {"input_ids": input_ids, "attention_mask": attention_mask}, facts)


@dataclass(frozen=True)
class Encoded:
    """A whole text as tokens.

    ids: of every token. tokens: as text. specials: as in `Inputs`.
    """

    ids: Sequence[int]
    tokens: Sequence[str]
    specials: tuple[int, int] = (0, 0)


def encode(model_folder: Path, text: str | None, *, whole: bool = False) -> Encoded:
    """Encode a text with the tokenizer of a cache entry.

    text: None means the text that ships with the project. whole: as in `tokenize`. Raises `BadInput` if the text is
    empty, too long or no text, or if the tokenizer fails on it.
    """
    check_text(text)
    text = DEFAULT_TEXT.read_text(encoding="utf-8") if text is None else text
    with quiet_panics(), as_bad_input(f"the tokenizer of {model_folder.name} fails on the text"):
        tokenizer = _tokenizer(model_folder)
        _check_growth(tokenizer, len(text.encode()), model_folder.name)
        encoding = tokenizer.encode(text)
    return Encoded(encoding.ids, encoding.tokens, _specials(encoding.special_tokens_mask) if whole else (0, 0))


def bytes_of(text: str | None, vocabulary: int) -> Encoded:
    """Return a text's bytes as tokens, for a graph without a tokenizer. Each id is less than `vocabulary`.

    text: None means the text that ships with the project. Raises `BadInput` if the text is empty, too long or no text.
    """
    check_text(text)
    content = DEFAULT_TEXT.read_bytes() if text is None else text.encode()
    return Encoded([byte % vocabulary for byte in content], [repr(chr(byte))[1:-1] for byte in content])


def tokenize(
    model_folder: Path,
    *,
    text: str | None,
    sequence: int | None,
    batch: int,
    positions: int,
    quick: bool = False,
    setting: str = "sequence",
    whole: bool = False,
    check: Callable[[int], None] = lambda _: None,
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
    whole: whether each sequence has the special tokens that the tokenizer adds to a text, as an encoder expects. By
    default, only the sequences at the ends of the text have them.
    check: is called with the length of the sequences before the batch is made.

    Raises `BadInput` if the text is empty, or if the sequence is longer than the text or than the model's positions.
    """
    check_positions(sequence, positions, setting)
    encoded = encode(model_folder, text, whole=whole)
    length = sequence_length(
        encoded, given=text is not None, sequence=sequence, positions=positions, quick=quick, setting=setting
    )
    check(length)
    return batch_of(encoded, length, batch)


def padded(
    inputs: Inputs,
    *,
    positions: int,
    vocabulary: int,
    model_folder: Path,
    sequences: Sequence[tuple[int, str]] = PADDED,
) -> Inputs:
    """Return the padded input: short sequences of the text, padded to the length of the first one.

    A text with too few tokens is repeated. If the model has too few positions, all sequences are shorter.

    positions, vocabulary: the model's limits. model_folder: the folder of the cache entry, whose configuration may name
    a padding token; otherwise token 0 is used. sequences: their lengths and the sides of their padding.
    """
    pad = json.loads((model_folder / "config.json").read_text(encoding="utf-8")).get("pad_token_id")
    text, longest = inputs.input_ids[0], min(sequences[0][0], positions)
    ids = np.full((len(sequences), longest), pad if pad in range(vocabulary) else 0, dtype=np.int64)
    mask = np.zeros_like(ids)
    start, places, first = 0, np.arange(0), np.arange(0)
    for row, (wanted, side) in enumerate(sequences):
        length = max(1, longest * wanted // sequences[0][0])
        if length != len(places):
            places = _picks(len(text), start, length, inputs.specials)
            start += max(1, length - sum(inputs.specials))
        first = first if row else places
        kept = slice(longest - length, None) if side == "left" else slice(length)
        ids[row, kept], mask[row, kept] = text[places], 1
    return Inputs(ids, mask, [inputs.tokens[place] for place in first], inputs.specials)


def byte_inputs(
    vocabulary: int,
    *,
    text: str | None,
    sequence: int | None,
    batch: int,
    quick: bool = False,
    check: Callable[[int], None] = lambda _: None,
) -> Inputs:
    """Return a text's bytes as ids, for a graph without a tokenizer. Each id is less than `vocabulary`.

    The other arguments and the errors are those of `tokenize`. The graph's number of positions is not known, so it is
    not checked.
    """
    encoded = bytes_of(text, vocabulary)
    length = sequence_length(encoded, given=text is not None, sequence=sequence, quick=quick)
    check(length)
    return batch_of(encoded, length, batch)


def _picks(available: int, start: int, length: int, specials: tuple[int, int]) -> NDArray[np.int64]:
    """Return the places of a sequence's tokens in a text: a cut of it, between the text's own special tokens.

    A cut that reaches the end of the text continues at its beginning.

    >>> _picks(8, 5, 4, (0, 0)).tolist(), _picks(8, 1, 5, (1, 1)).tolist()
    ([5, 6, 7, 0], [0, 2, 3, 4, 7])
    """
    before, after = specials
    inner = available - before - after
    cut = before + (start + np.arange(max(0, length - before - after))) % max(1, inner)
    return np.concatenate([np.arange(before), cut, np.arange(available - after, available)])[:length]


def _specials(mask: list[int]) -> tuple[int, int]:
    """Return the numbers of special tokens at the start and the end of a text. mask: 1 at special tokens.

    >>> _specials([1, 0, 0, 1]), _specials([0, 0]), _specials([1, 1])
    ((1, 1), (0, 0), (0, 0))
    """
    if all(mask):
        return 0, 0
    return mask.index(0), mask[::-1].index(0)


def check_text(text: str | None) -> None:
    """Raise `BadInput` if a text was given and is empty or blank, too long, or no text."""
    if text is None:
        return
    if not text.strip():
        raise BadInput("the text is empty; give another one, or none to use the text that ships with the project")
    if len(text) > LONGEST_TEXT:
        raise BadInput(
            f"the text has {len(text):,} characters; at most {LONGEST_TEXT:,} are read, so give a part of it"
        )
    if (place := text.find("\0")) != -1:
        raise BadInput(f"the text has NUL as its character {place + 1:,}, so it is not text; save it as UTF-8")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadInput(f"the text is not valid Unicode: its character {error.start + 1:,} is half of one") from error


def check_positions(sequence: int | None, positions: int, setting: str = "sequence") -> None:
    """Raise `BadInput` if a sequence is longer than the model's positions. setting: as in `tokenize`."""
    if sequence is not None and sequence > positions:
        raise BadSetting(
            f"{{{setting}}} asks for {sequence:,} tokens, but the model has {positions:,} positions; "
            f"it must be 1 to {positions:,}"
        )


def sequence_length(
    encoded: Encoded,
    *,
    given: bool,
    sequence: int | None,
    positions: int = sys.maxsize,
    quick: bool = False,
    setting: str = "sequence",
) -> int:
    """Return the number of tokens in each sequence. given: whether the text was. The others are as in `tokenize`."""
    available = len(encoded.ids)
    if sequence is not None:
        check_positions(sequence, positions, setting)
        if sequence > available:
            raise BadSetting(
                f"{{{setting}}} asks for {sequence:,} tokens, but the text has {available:,}; "
                f"ask for 1 to {available:,}, or give a longer text"
            )
        return sequence
    if available == 0:
        raise BadInput("the tokenizer makes no token of the text; give another one")
    if quick:
        return min(available, QUICK_SEQUENCE, positions)
    if not given:
        return min(available, DEFAULT_SEQUENCE, positions)
    if available > positions:
        raise BadSetting(
            f"the text has {available:,} tokens, but the model has {positions:,} positions; "
            f"set {{sequence}} to {positions} to use its beginning"
        )
    return available


def batch_of(encoded: Encoded, length: int, batch: int) -> Inputs:
    """Return a batch of sequences of a text, whose starts are spread evenly over it. length: of each sequence."""
    ids, specials = encoded.ids, encoded.specials
    starts = [row * (len(ids) - sum(specials)) // batch for row in range(batch)]
    picks = np.stack([_picks(len(ids), start, length, specials) for start in starts])
    shown = [_readable(encoded.tokens[place]) for place in picks[0]]
    return Inputs(np.array(ids, dtype=np.int64)[picks], np.ones((batch, length), dtype=np.int64), shown, specials)


def _tokenizer(folder: Path) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()  # models of sentence-transformers are saved with both
    tokenizer.no_padding()
    return tokenizer


def _check_growth(tokenizer: Any, size: int, name: str) -> None:
    """Raise `BadInput` if a tokenizer may make too many bytes of a text of `size` bytes before it splits it."""
    if tokenizer.normalizer is None:
        return
    made = normalized_size(json.loads(tokenizer.normalizer.__getstate__()), size)
    if made > MOST_NORMALIZED:
        raise BadInput(
            f"the tokenizer of {name} can make {made:,} bytes of the text, which has {size:,}, before it splits it; "
            f"at most {MOST_NORMALIZED:,} are taken; compare with a shorter text"
        )


def _readable(token: str) -> str:
    """Return a token in readable form. GPT-2 writes a space as Ġ and a line break as Ċ.

    >>> _readable("Ġmodel"), _readable("Ċ")
    ('·model', '⏎')
    """
    return token.replace("Ġ", "·").replace("Ċ", "⏎").replace("▁", "·")
