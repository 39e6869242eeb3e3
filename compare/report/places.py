"""Where in a tensor something is, in the words of the model: which head, which token, which channel."""

from collections.abc import Sequence

#: What the indices of a tensor of a kind stand for, after the one for the sequence in the batch.
_AXES = {
    "attention": ("head", "query", "key"),
    "query": ("head", "position", "channel"),
    "key": ("head", "position", "channel"),
    "value": ("head", "position", "channel"),
    "context": ("head", "position", "channel"),
    "hidden_state": ("position", "channel"),
    "mid_state": ("position", "channel"),
    "logits": ("position", "token"),
}

#: The axes along which the input's own tokens lie.
_OF_TOKENS = ("query", "key", "position")


def place_words(tensor: str, place: Sequence[int], tokens: Sequence[str], batch: int) -> str:
    """An index of a tensor in words. tokens: those of the first sequence, as text. batch: how many sequences there are.

    >>> place_words("attention.3", (0, 7, 2, 1), ["To", "·be", ","], 1)
    'head 7, query 2 (,), key 1 (·be)'
    >>> place_words("logits", (1, 0, 262), ["To", "·be"], 2)
    'sequence 1, position 0, token 262'
    """
    sequence, *indices = place
    words = [f"sequence {sequence}"] if batch > 1 else []
    for axis, index in zip(_AXES[tensor.partition(".")[0]], indices, strict=True):
        known = axis in _OF_TOKENS and sequence == 0 and index < len(tokens)
        words.append(f"{axis} {index} ({tokens[index]})" if known else f"{axis} {index}")
    return ", ".join(words)
