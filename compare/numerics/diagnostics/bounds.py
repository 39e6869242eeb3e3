"""The a-priori bound beside the floors: what no order of summation can exceed, known before anything is measured.

The error of a sum of n products is at most gamma_n times the sum of their absolute values (Higham 2002, section 3.1).
It holds for the worst signs that roundings could have, which they do not have: floors are what they do.
"""

from typing import Any

from compare.numerics.precisions import UNIT_ROUNDOFF


def gamma(terms: int, roundoff: float = UNIT_ROUNDOFF) -> float:
    """Higham's gamma_n, n u / (1 - n u): relative to the sum of absolute values; infinite where n u reaches 1.

    >>> round(gamma(768) / UNIT_ROUNDOFF, 2)
    768.04
    """
    share = terms * roundoff
    return share / (1 - share) if share < 1 else float("inf")


def longest_sum(tensor: str, config: Any, keys: int) -> int:
    """How many terms the longest sum has in the segment that makes a tensor, from what comes right before it.

    config: the model's, of transformers. keys: the sequence's length. The means of norms are no longer than hidden.

    >>> from types import SimpleNamespace
    >>> config = SimpleNamespace(hidden_size=768, num_attention_heads=12, num_hidden_layers=6)
    >>> [longest_sum(f"{kind}.1", config, 128) for kind in ("query", "attention", "context", "hidden_state")]
    [768, 128, 128, 3072]
    """
    hidden: int = config.hidden_size
    width: int = getattr(config, "intermediate_size", None) or getattr(config, "n_inner", None) or 4 * hidden
    head_dim: int = getattr(config, "head_dim", None) or hidden // config.num_attention_heads
    if tensor == "hidden_state.0":
        return 2  # a token's embedding and, in some models, its position's
    terms = {"attention": max(head_dim, keys), "context": keys, "hidden_state": max(hidden, width)}
    terms["mid_state"] = config.num_attention_heads * head_dim
    return terms.get(tensor.partition(".")[0], hidden)
