"""GPT-2 in JAX, on the weights of transformers' `GPT2LMHeadModel`.

The mathematics is that of Radford et al. 2019, as transformers computes it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import jax
import jax.numpy as jnp
from jax import Array

from compare.runtimes.jax_attention import Past, attend, merged, split, visible_keys
from export.errors import CannotRun

_ACTIVATIONS = {
    "gelu_new": partial(jax.nn.gelu, approximate=True),
    "gelu": partial(jax.nn.gelu, approximate=False),
    "relu": jax.nn.relu,
}


@dataclass(frozen=True)
class Gpt2:
    """What the configuration says of the computation."""

    heads: int
    head_dim: int
    epsilon: float
    activation: str
    #: The factor of the scores in each layer.
    scales: tuple[float, ...]

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Self:
        """Read a configuration of transformers. Raises `CannotRun` if this module does not compute such a model."""
        activation = config.get("activation_function", "gelu_new")
        if activation not in _ACTIVATIONS or config.get("add_cross_attention"):
            raise CannotRun(f"the runtime jax has no GPT-2 with activation {activation!r} or with cross-attention")
        head_dim = config["n_embd"] // config["n_head"]
        scale = head_dim**-0.5 if config.get("scale_attn_weights", True) else 1.0
        divided = config.get("scale_attn_by_inverse_layer_idx", False)
        scales = tuple(scale / (i + 1 if divided else 1) for i in range(config["n_layer"]))
        return cls(config["n_head"], head_dim, config.get("layer_norm_epsilon", 1e-5), activation, scales)

    @property
    def layers(self) -> int:
        return len(self.scales)

    @property
    def key_heads(self) -> int:
        return self.heads

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
        visible = visible_keys(mask, ids.shape[1], 0 if past is None else past.length)
        hidden = weights["transformer.wte.weight"][ids] + weights["transformer.wpe.weight"][positions]
        for i, scale in enumerate(self.scales):
            block = partial(_parameter, weights, f"transformer.h.{i}")
            found[f"hidden_state.{i}"] = hidden
            wide = _linear(block, "attn.c_attn", _norm(block, "ln_1", hidden, self.epsilon))
            query, key, value = (split(part, self.heads) for part in jnp.split(wide, 3, axis=-1))
            context, probabilities, past = attend(i, query, key, value, visible, scale, past)
            found |= {f"query.{i}": query, f"key.{i}": key, f"value.{i}": value}
            found |= {f"attention.{i}": probabilities, f"context.{i}": context}
            hidden = hidden + _linear(block, "attn.c_proj", merged(context))
            found[f"mid_state.{i}"] = hidden
            wide = _linear(block, "mlp.c_fc", _norm(block, "ln_2", hidden, self.epsilon))
            hidden = hidden + _linear(block, "mlp.c_proj", _ACTIVATIONS[self.activation](wide))
        found[f"hidden_state.{self.layers}"] = hidden
        hidden = _norm(partial(_parameter, weights, "transformer"), "ln_f", hidden, self.epsilon)
        head = weights.get("lm_head.weight", weights["transformer.wte.weight"])
        return found | {"logits": (hidden[:, -1:] if last else hidden) @ head.T}, past


def _parameter(weights: Mapping[str, Array], module: str, name: str) -> Array:
    return weights[f"{module}.{name}"]


def _linear(block: Callable[[str], Array], name: str, inputs: Array) -> Array:
    return inputs @ block(f"{name}.weight") + block(f"{name}.bias")


def _norm(block: Callable[[str], Array], name: str, inputs: Array, epsilon: float) -> Array:
    centred = inputs - inputs.mean(-1, keepdims=True)
    variance = (centred * centred).mean(-1, keepdims=True)
    return centred / jnp.sqrt(variance + epsilon) * block(f"{name}.weight") + block(f"{name}.bias")
