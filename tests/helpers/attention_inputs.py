"""Inputs of one attention without a model, drawn from a seed, and torch's own attention on them."""

import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention


def drawn(seed: int, shape: tuple[int, ...], magnitude: float = 1.0) -> np.ndarray:
    """Return normal numbers in float32."""
    return (magnitude * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def qkv(heads: int = 4, queries: int = 20, keys: int = 20, size: int = 8, key_heads: int | None = None) -> list:
    """Return query, key and value of a batch of two, (2, heads, sequence, head_dim)."""
    key_heads = key_heads or heads
    return [drawn(1, (2, heads, queries, size)), *(drawn(n, (2, key_heads, keys, size)) for n in (2, 3))]


def sdpa(query, key, value, **how) -> np.ndarray:
    """Return the context that torch's own attention gives."""
    return scaled_dot_product_attention(*map(torch.from_numpy, (query, key, value)), enable_gqa=True, **how).numpy()
