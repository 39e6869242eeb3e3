"""The runtime jax: GPT-2 written in JAX on the weights of the cache entry, compiled as a whole.

The mathematics is that of Radford et al. 2019, as transformers' `GPT2LMHeadModel` computes it.
"""

import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray
from safetensors.numpy import load_file

from compare.runtimes.spec import Graph
from export.errors import CannotRun
from export.positions import positions_of
from export.taps import tap_names

_ACTIVATIONS = {
    "gelu_new": partial(jax.nn.gelu, approximate=True),
    "gelu": partial(jax.nn.gelu, approximate=False),
    "relu": jax.nn.relu,
}


class Sizes(NamedTuple):
    """What the configuration says of the computation. scales: of the scores, by layer."""

    heads: int
    epsilon: float
    activation: str
    scales: tuple[float, ...]


class JaxGpt2:
    def __init__(self, folder: Path, *, threads: int, graph: Graph) -> None:
        os.environ["NPROC"] = str(threads)  # XLA reads the size of its thread pool from it when it first runs
        self.threads = threads
        self.sizes = sizes = read_sizes(json.loads((folder / "config.json").read_text()))
        self.weights = {name: jnp.asarray(array) for name, array in load_file(folder / "model.safetensors").items()}
        self.forward = jax.jit(partial(forward, sizes=sizes, taps=graph == "inspect", last=graph == "deploy-last"))

    def run(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        positions = positions_of(attention_mask, input_ids.shape[1])
        found = self.forward(self.weights, input_ids.astype(np.int32), positions.astype(np.int32), attention_mask > 0)
        names = tap_names(len(self.sizes.scales)) if "query.0" in found else ["logits"]  # jit sorts them by name
        return {name: np.asarray(found[name]) for name in names}

    def facts(self) -> dict[str, str]:
        return {"jax": jax.__version__, "device": str(jax.devices()[0]), "threads": str(self.threads)}

    def operators(self, *_: NDArray[Any]) -> dict[str, int]:
        return {}

    def close(self) -> None:
        del self.weights, self.forward


def read_sizes(config: Mapping[str, Any]) -> Sizes:
    """Read a configuration of transformers. Raises `CannotRun` if it is not of a GPT-2 that this module computes."""
    activation = config.get("activation_function", "gelu_new")
    if config["model_type"] != "gpt2":
        raise CannotRun(f"the runtime jax has only GPT-2, and this model is of type {config['model_type']!r}")
    if activation not in _ACTIVATIONS or config.get("add_cross_attention"):
        raise CannotRun(f"the runtime jax has no GPT-2 with activation {activation!r} or with cross-attention")
    scale = (config["n_embd"] // config["n_head"]) ** -0.5 if config.get("scale_attn_weights", True) else 1.0
    divided = config.get("scale_attn_by_inverse_layer_idx", False)
    scales = tuple(scale / (i + 1 if divided else 1) for i in range(config["n_layer"]))
    return Sizes(config["n_head"], config.get("layer_norm_epsilon", 1e-5), activation, scales)


def forward(
    weights: Mapping[str, Array], ids: Array, positions: Array, mask: Array, *, sizes: Sizes, taps: bool, last: bool
) -> dict[str, Array]:
    """Return the logits, and with `taps` every tensor of `export.taps.tap_names`.

    ids, positions: (batch, sequence); mask: the same shape, true where a position is real. last: whether the logits are
    those of the last position alone.
    """
    found: dict[str, Array] = {}
    length = ids.shape[1]
    visible = jnp.tril(jnp.ones((length, length), bool)) & mask[:, None, None, :]
    hidden = weights["transformer.wte.weight"][ids] + weights["transformer.wpe.weight"][positions]
    for i, scale in enumerate(sizes.scales):
        block = partial(_parameter, weights, f"transformer.h.{i}")
        found[f"hidden_state.{i}"] = hidden
        merged = _linear(block, "attn.c_attn", _norm(block, "ln_1", hidden, sizes.epsilon))
        query, key, value = (_split(part, sizes.heads) for part in jnp.split(merged, 3, axis=-1))
        scores = jnp.where(visible, scale * (query @ key.mT), jnp.finfo(jnp.float32).min)
        probabilities = jax.nn.softmax(scores, axis=-1)
        context = probabilities @ value
        found |= {f"query.{i}": query, f"key.{i}": key, f"value.{i}": value}
        found |= {f"attention.{i}": probabilities, f"context.{i}": context}
        hidden = hidden + _linear(block, "attn.c_proj", context.swapaxes(1, 2).reshape(hidden.shape))
        found[f"mid_state.{i}"] = hidden
        wide = _linear(block, "mlp.c_fc", _norm(block, "ln_2", hidden, sizes.epsilon))
        hidden = hidden + _linear(block, "mlp.c_proj", _ACTIVATIONS[sizes.activation](wide))
    found[f"hidden_state.{len(sizes.scales)}"] = hidden
    hidden = _norm(partial(_parameter, weights, "transformer"), "ln_f", hidden, sizes.epsilon)
    head = weights.get("lm_head.weight", weights["transformer.wte.weight"])
    logits = (hidden[:, -1:] if last else hidden) @ head.T
    return found | {"logits": logits} if taps else {"logits": logits}


def _parameter(weights: Mapping[str, Array], module: str, name: str) -> Array:
    return weights[f"{module}.{name}"]


def _linear(block: Callable[[str], Array], name: str, inputs: Array) -> Array:
    return inputs @ block(f"{name}.weight") + block(f"{name}.bias")


def _norm(block: Callable[[str], Array], name: str, inputs: Array, epsilon: float) -> Array:
    centred = inputs - inputs.mean(-1, keepdims=True)
    variance = (centred * centred).mean(-1, keepdims=True)
    return centred / jnp.sqrt(variance + epsilon) * block(f"{name}.weight") + block(f"{name}.bias")


def _split(tensor: Array, heads: int) -> Array:
    """(batch, sequence, hidden) -> (batch, heads, sequence, head_dim)."""
    batch, length, _ = tensor.shape
    return tensor.reshape(batch, length, heads, -1).swapaxes(1, 2)
