"""The runtime jax: a model written in JAX on the weights of the cache entry, compiled as a whole for each shape."""

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray
from safetensors.numpy import load_file

from compare.runtimes.jax_attention import Past
from compare.runtimes.jax_gpt2 import Gpt2
from compare.runtimes.jax_llama import Llama
from compare.runtimes.spec import Device, Graph
from export.errors import CannotRun
from export.positions import positions_of
from export.taps import tap_names

#: `model_type` of a configuration -> the class that computes such models.
MODELS: dict[str, type[Gpt2] | type[Llama]] = {
    "gpt2": Gpt2,
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3"), Llama),
}

#: The cache has room for a multiple of so many positions, and for so many more than the prefill has.
_ROOM = 64


class Jax:
    def __init__(self, folder: Path, *, threads: int, graph: Graph, device: Device = "cpu") -> None:
        os.environ["NPROC"] = str(threads)  # XLA reads the size of its thread pool from it when it first runs
        os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # else it takes most of the memory of a GPU
        jax.config.update("jax_platforms", device)  # by default a GPU, if there is one that JAX can use
        jax.config.update("jax_default_matmul_precision", "highest")  # else a GPU computes products in TF32
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if config["model_type"] not in MODELS:
            known = ", ".join(MODELS)
            raise CannotRun(f"the runtime jax has only {known}, and this model is of type {config['model_type']!r}")
        self.threads, self.graph = threads, graph
        self.model = MODELS[config["model_type"]].of(config)
        self.weights = {name: jnp.asarray(array) for name, array in load_file(folder / "model.safetensors").items()}
        self.names = tap_names(self.model.layers) if graph == "inspect" else ["logits"]
        forward = partial(_forward, self.model, self.names, graph == "deploy-last")
        self.forward = jax.jit(forward, donate_argnames="past")
        self.past: Past | None = None

    def run(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        self.past = None
        return self.step(input_ids, attention_mask)

    def step(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Decode further positions. The mask is as long as the cache, so that steps have one shape."""
        total, mask = attention_mask.shape[1], attention_mask > 0
        if self.graph == "decode":
            self._make_room(len(input_ids), total)
            assert self.past is not None
            mask = np.pad(mask, ((0, 0), (0, self.past.keys.shape[3] - total)))
        positions = positions_of(attention_mask, input_ids.shape[1])
        ids, places = input_ids.astype(np.int32), positions.astype(np.int32)
        found, self.past = self.forward(self.weights, ids, places, mask, past=self.past)
        return {name: np.asarray(found[name]) for name in self.names}  # jit sorts them by name

    def _make_room(self, batch: int, total: int) -> None:
        """Make a cache, or a larger one, if there is no room for so many positions. Each size is compiled once."""
        room = -(-total // _ROOM) * _ROOM + _ROOM
        if self.past is None:
            self.past = Past.empty(self.model.layers, batch, self.model.key_heads, room, self.model.head_dim)
        elif total > self.past.keys.shape[3]:
            self.past = self.past.with_room(room)

    def facts(self) -> dict[str, str]:
        return {"jax": jax.__version__, "device": str(jax.devices()[0]), "threads": str(self.threads)}

    def operators(self, *_: NDArray[Any]) -> dict[str, int]:
        return {}

    def close(self) -> None:
        self.past = None
        del self.weights, self.forward


def _forward(
    model: Gpt2 | Llama,
    names: list[str],
    last: bool,
    weights: dict[str, Array],
    ids: Array,
    positions: Array,
    mask: Array,
    *,
    past: Past | None,
) -> tuple[dict[str, Array], Past | None]:
    """Return the named tensors, and the past. What is not returned is not computed, or fused."""
    found, past = model.forward(weights, ids, positions, mask, past, last=last)
    if past is not None:
        past = past._replace(length=past.length + ids.shape[1])
    return {name: found[name] for name in names}, past
