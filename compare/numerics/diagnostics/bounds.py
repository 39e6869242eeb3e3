"""The length of the longest sum in a segment, for its a-priori bound (`compare.results.precisions`)."""

from typing import Any


def longest_sum(tensor: str, config: Any, keys: int) -> int:
    """Return the number of terms of the longest sum in the segment that makes a tensor.

    tensor: its name. config: transformers' configuration of the model. keys: the length of the sequence. All taps are
    assumed to be exposed. Norms need no separate case, because their means have at most as many terms as the hidden
    size.

    >>> from types import SimpleNamespace
    >>> config = SimpleNamespace(hidden_size=768, num_attention_heads=12, num_hidden_layers=6)
    >>> [longest_sum(f"{kind}.1", config, 128) for kind in ("query", "attention", "context", "hidden_state")]
    [768, 128, 128, 3072]
    """
    hidden: int = config.hidden_size
    width: int = getattr(config, "intermediate_size", None) or getattr(config, "n_inner", None) or 4 * hidden
    heads: int = getattr(config, "num_attention_heads", 0)
    head_dim: int = getattr(config, "head_dim", None) or (hidden // heads if heads else 0)
    if tensor == "hidden_state.0":
        return 2  # a token's embedding and, in some models, its position's
    terms = {"attention": max(head_dim, keys), "context": keys, "hidden_state": max(hidden, width)}
    terms["mid_state"] = heads * head_dim
    return terms.get(tensor.partition(".")[0], hidden)
