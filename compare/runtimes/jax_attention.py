"""Attention in JAX, with a cache of keys and values whose size is fixed, so that a step is compiled once."""

from typing import NamedTuple, Self

import jax
import jax.numpy as jnp
from jax import Array


class Past(NamedTuple):
    """The keys and values of earlier positions, of which only the first `length` are filled.

    keys, values: (layers, batch, key/value heads, room, head_dim).
    length: an int32 scalar.
    """

    keys: Array
    values: Array
    length: Array

    @classmethod
    def empty(cls, layers: int, batch: int, heads: int, room: int, head_dim: int) -> Self:
        """Return a past without positions. heads: the number of key/value heads."""
        shape = (layers, batch, heads, room, head_dim)
        return cls(jnp.zeros(shape), jnp.zeros(shape), jnp.int32(0))

    def with_room(self, room: int) -> Self:
        """Return a copy that has room for so many positions."""
        more = [(0, 0)] * 3 + [(0, room - self.keys.shape[3]), (0, 0)]
        return self._replace(keys=jnp.pad(self.keys, more), values=jnp.pad(self.values, more))


def visible_keys(mask: Array, new: int, start: Array | int, window: int | None = None) -> Array:
    """Return which keys each query sees, (batch, 1, new, keys).

    mask: (batch, keys), true where a position is real.
    new: the number of queries.
    start: the position of the first query among the keys.
    window: how many keys a query sees at most; None for no limit.
    """
    queries = start + jnp.arange(new)[:, None]
    keys = jnp.arange(mask.shape[1])
    seen = keys <= queries
    if window is not None:
        seen &= keys > queries - window
    return seen & mask[:, None, None, :]


def attend(
    layer: int, query: Array, key: Array, value: Array, visible: Array, scale: float, past: Past | None
) -> tuple[Array, Array, Past | None]:
    """Return the context, the probabilities, and the past with this layer's keys and values.

    query, key, value: (batch, heads, new, head_dim); key and value may have fewer heads, which divide those of query.
    visible: from `visible_keys`. past: None if there are no earlier positions and there is no later step.
    """
    if past is not None:
        at = (layer, 0, 0, past.length, 0)
        past = past._replace(
            keys=jax.lax.dynamic_update_slice(past.keys, key[None], at),
            values=jax.lax.dynamic_update_slice(past.values, value[None], at),
        )
        key, value = past.keys[layer], past.values[layer]
    groups = query.shape[1] // key.shape[1]
    key, value = (jnp.repeat(tensor, groups, axis=1) if groups > 1 else tensor for tensor in (key, value))
    scores = jnp.where(visible, scale * (query @ key.mT), jnp.finfo(jnp.float32).min)
    probabilities = jax.nn.softmax(scores, axis=-1)
    return probabilities @ value, probabilities, past


def split(tensor: Array, heads: int) -> Array:
    """(batch, sequence, hidden) -> (batch, heads, sequence, head_dim)."""
    batch, length, _ = tensor.shape
    return tensor.reshape(batch, length, heads, -1).swapaxes(1, 2)


def merged(context: Array) -> Array:
    """(batch, heads, sequence, head_dim) -> (batch, sequence, hidden)."""
    batch, _, length, _ = context.shape
    return context.swapaxes(1, 2).reshape(batch, length, -1)
