"""Where in a tensor something is, in the words of the model: which head, which token, which channel."""

from collections.abc import Sequence

#: What the indices of a tensor of a kind stand for, after the one in the batch.
_AXES = {
    "attention": ("head", "query", "key"),
    "query": ("head", "position", "channel"),
    "key": ("head", "position", "channel"),
    "value": ("head", "position", "channel"),
    "context": ("head", "query", "channel"),
    "hidden_state": ("position", "channel"),
    "mid_state": ("position", "channel"),
    "logits": ("position", "token"),
}

#: The axes along which the input's own tokens lie.
_OF_TOKENS = ("query", "key", "position")


def place_words(tensor: str, place: Sequence[int], tokens: Sequence[str] = (), *, alone: bool = False) -> str:
    """An index of a tensor in words. tokens: those of the first sequence, as text. alone: it is the only sequence.

    >>> place_words("attention.3", (0, 7, 2, 1), ["To", "·be", ","], alone=True)
    'head 7, query 2 (,), key 1 (·be)'
    >>> place_words("logits", (1, 0, 262))
    'batch 1, position 0, token 262'
    """
    sequence, *indices = place
    words = [] if alone else [f"batch {sequence}"]
    for axis, index in zip(_AXES[tensor.partition(".")[0]], indices, strict=True):
        known = axis in _OF_TOKENS and sequence == 0 and index < len(tokens)
        words.append(f"{axis} {index} ({tokens[index]})" if known else f"{axis} {index}")
    return ", ".join(words)
