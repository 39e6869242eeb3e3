"""Llama in JAX, with the variations of Mistral (sliding window), Qwen 2 (biases) and Qwen 3 (norms of query and key).

The mathematics is that of Touvron et al. 2023, with rotary positions (Su et al. 2021), as transformers computes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import jax
import jax.numpy as jnp
from jax import Array

from compare.runtimes.jax_attention import Past, attend, merged, split, visible_keys
from export.errors import CannotRun


@dataclass(frozen=True)
class Llama:
    """What the configuration says of the computation."""

    heads: int
    #: The number of key/value heads.
    key_heads: int
    head_dim: int
    epsilon: float
    #: The base of the rotary frequencies.
    theta: float
    #: How many keys a query sees at most in each layer; None for no limit.
    windows: tuple[int | None, ...]

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Self:
        """Read a configuration of transformers. Raises `CannotRun` if this module does not compute such a model."""
        rotary = config.get("rope_parameters") or config.get("rope_scaling") or {}  # the former since transformers 5
        kind = rotary.get("rope_type", rotary.get("type", "default"))
        if kind != "default" or config.get("hidden_act", "silu") != "silu":
            raise CannotRun(
                f"the runtime jax has no {config['model_type']} with rotary positions of type {kind!r} and activation "
                f"{config.get('hidden_act')!r}, only with 'default' and 'silu'"
            )
        heads = config["num_attention_heads"]
        return cls(
            heads,
            config.get("num_key_value_heads") or heads,
            config.get("head_dim") or config["hidden_size"] // heads,
            config["rms_norm_eps"],
            rotary.get("rope_theta") or config.get("rope_theta", 10_000.0),
            _windows(config),
        )

    @property
    def layers(self) -> int:
        return len(self.windows)

    def forward(
        self,
        weights: Mapping[str, Array],
        ids: Array,
        positions: Array,
        mask: Array,
        past: Past | None = None,
        *,
        last: bool = False,
    ) -> tuple[dict[str, Array], Past | None]:
        """Return every tensor of `export.taps.tap_names`, and the past with the new positions.

        ids, positions: (batch, new). mask: (batch, keys), true where a position is real. last: whether the logits are
        those of the last position alone.
        """
        found: dict[str, Array] = {}
        start = 0 if past is None else past.length
        visible = {each: visible_keys(mask, ids.shape[1], start, each) for each in set(self.windows)}
        angles = _angles(positions, self.theta, self.head_dim)
        hidden = weights["model.embed_tokens.weight"][ids]
        for i, window in enumerate(self.windows):
            block = _Block(weights, f"model.layers.{i}", self.epsilon)
            found[f"hidden_state.{i}"] = hidden
            normed = block.norm("input_layernorm", hidden)
            query, key = (
                _rotated(
                    block.head_norm(f"self_attn.{name}_norm", block.heads(f"self_attn.{name}_proj", normed, n)), angles
                )
                for name, n in (("q", self.heads), ("k", self.key_heads))
            )
            value = block.heads("self_attn.v_proj", normed, self.key_heads)
            context, probabilities, past = attend(i, query, key, value, visible[window], self.head_dim**-0.5, past)
            found |= {f"query.{i}": query, f"key.{i}": key, f"value.{i}": value}
            found |= {f"attention.{i}": probabilities, f"context.{i}": context}
            hidden = hidden + block.linear("self_attn.o_proj", merged(context))
            found[f"mid_state.{i}"] = hidden
            normed = block.norm("post_attention_layernorm", hidden)
            gated = jax.nn.silu(block.linear("mlp.gate_proj", normed)) * block.linear("mlp.up_proj", normed)
            hidden = hidden + block.linear("mlp.down_proj", gated)
        found[f"hidden_state.{self.layers}"] = hidden
        hidden = _Block(weights, "model", self.epsilon).norm("norm", hidden)
        head = weights.get("lm_head.weight", weights["model.embed_tokens.weight"])
        return found | {"logits": (hidden[:, -1:] if last else hidden) @ head.T}, past


@dataclass(frozen=True)
class _Block:
    """The parameters of a module by name, and the maps that are made of them."""

    weights: Mapping[str, Array]
    module: str
    epsilon: float

    def linear(self, name: str, inputs: Array) -> Array:
        bias = self.weights.get(f"{self.module}.{name}.bias")
        product = inputs @ self.weights[f"{self.module}.{name}.weight"].T
        return product if bias is None else product + bias

    def heads(self, name: str, inputs: Array, heads: int) -> Array:
        return split(self.linear(name, inputs), heads)

    def norm(self, name: str, inputs: Array) -> Array:
        scale = jax.lax.rsqrt((inputs * inputs).mean(-1, keepdims=True) + self.epsilon)
        return self.weights[f"{self.module}.{name}.weight"] * (inputs * scale)

    def head_norm(self, name: str, inputs: Array) -> Array:
        """The norm of each head, which Qwen 3 has."""
        return self.norm(name, inputs) if f"{self.module}.{name}.weight" in self.weights else inputs


def _windows(config: Mapping[str, Any]) -> tuple[int | None, ...]:
    """Return the sliding window of each layer. Mistral has one everywhere; Qwen says for which layers it is."""
    window = config.get("sliding_window") if config.get("use_sliding_window", True) else None
    kinds = config.get("layer_types") or ["sliding_attention"] * config["num_hidden_layers"]
    return tuple(window if kind == "sliding_attention" else None for kind in kinds)


def _angles(positions: Array, theta: float, head_dim: int) -> tuple[Array, Array]:
    """Return the cosines and sines of the rotary angles, (batch, 1, new, head_dim)."""
    frequencies = theta ** -(jnp.arange(0, head_dim, 2) / head_dim)
    angles = positions[:, None, :, None] * jnp.concatenate([frequencies, frequencies])
    return jnp.cos(angles), jnp.sin(angles)


def _rotated(tensor: Array, angles: tuple[Array, Array]) -> Array:
    """Rotate each pair of components, of which one is in the first half of the head and one in the second."""
    cosines, sines = angles
    first, second = jnp.split(tensor, 2, axis=-1)
    return tensor * cosines + jnp.concatenate([-second, first], axis=-1) * sines
