"""Folders of tiny models with random weights, made without torch: GPT-2, Llama and BERT."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from benchmarks.hostile_cases.case import Make

#: The folder of the model of a case, and files in it.
MODEL = "model"
CONFIG, WEIGHTS = f"{MODEL}/config.json", f"{MODEL}/model.safetensors"

_VOCABULARY, _POSITIONS, _HIDDEN, _HEADS = 256, 32, 16, 2

GPT2: dict[str, Any] = {
    "model_type": "gpt2",
    "architectures": ["GPT2LMHeadModel"],
    "n_layer": 1,
    "n_head": _HEADS,
    "n_embd": _HIDDEN,
    "n_positions": _POSITIONS,
    "vocab_size": _VOCABULARY,
    "bos_token_id": 0,
    "eos_token_id": 0,
}

_SIZES: dict[str, Any] = {
    "hidden_size": _HIDDEN,
    "num_hidden_layers": 1,
    "num_attention_heads": _HEADS,
    "intermediate_size": 2 * _HIDDEN,
    "max_position_embeddings": _POSITIONS,
    "vocab_size": _VOCABULARY,
}

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "num_key_value_heads": 1,
    "bos_token_id": 0,
    "eos_token_id": 0,
    **_SIZES,
}

BERT: dict[str, Any] = {"model_type": "bert", "architectures": ["BertModel"], **_SIZES}

Shapes = dict[str, tuple[int, ...]]


def _gpt2_shapes() -> Shapes:
    wide, block = 4 * _HIDDEN, "transformer.h.0"
    shapes: Shapes = {
        "transformer.wte.weight": (_VOCABULARY, _HIDDEN),
        "transformer.wpe.weight": (_POSITIONS, _HIDDEN),
        f"{block}.attn.c_attn.weight": (_HIDDEN, 3 * _HIDDEN),
        f"{block}.attn.c_attn.bias": (3 * _HIDDEN,),
        f"{block}.attn.c_proj.weight": (_HIDDEN, _HIDDEN),
        f"{block}.attn.c_proj.bias": (_HIDDEN,),
        f"{block}.mlp.c_fc.weight": (_HIDDEN, wide),
        f"{block}.mlp.c_fc.bias": (wide,),
        f"{block}.mlp.c_proj.weight": (wide, _HIDDEN),
        f"{block}.mlp.c_proj.bias": (_HIDDEN,),
    }
    for norm in (f"{block}.ln_1", f"{block}.ln_2", "transformer.ln_f"):
        shapes |= {f"{norm}.weight": (_HIDDEN,), f"{norm}.bias": (_HIDDEN,)}
    return shapes


def _llama_shapes() -> Shapes:
    wide, block = 2 * _HIDDEN, "model.layers.0"
    shapes: Shapes = {"model.embed_tokens.weight": (_VOCABULARY, _HIDDEN), "lm_head.weight": (_VOCABULARY, _HIDDEN)}
    for name, rows in (("q", _HIDDEN), ("k", _HIDDEN // 2), ("v", _HIDDEN // 2), ("o", _HIDDEN)):
        shapes[f"{block}.self_attn.{name}_proj.weight"] = (rows, _HIDDEN)
    shapes |= {f"{block}.mlp.{name}_proj.weight": (wide, _HIDDEN) for name in ("gate", "up")}
    shapes[f"{block}.mlp.down_proj.weight"] = (_HIDDEN, wide)
    norms = (f"{block}.input_layernorm", f"{block}.post_attention_layernorm", "model.norm")
    return shapes | {f"{norm}.weight": (_HIDDEN,) for norm in norms}


def _bert_shapes() -> Shapes:
    wide, layer = 2 * _HIDDEN, "encoder.layer.0"
    tables = {"word": _VOCABULARY, "position": _POSITIONS, "token_type": 2}
    shapes: Shapes = {f"embeddings.{name}_embeddings.weight": (rows, _HIDDEN) for name, rows in tables.items()}
    maps = {f"attention.self.{name}": (_HIDDEN, _HIDDEN) for name in ("query", "key", "value")}
    maps |= {"attention.output.dense": (_HIDDEN, _HIDDEN), "intermediate.dense": (wide, _HIDDEN)}
    for name, shape in (maps | {"output.dense": (_HIDDEN, wide)}).items():
        shapes |= {f"{layer}.{name}.weight": shape, f"{layer}.{name}.bias": shape[:1]}
    for norm in ("embeddings", f"{layer}.attention.output", f"{layer}.output"):
        shapes |= {f"{norm}.LayerNorm.weight": (_HIDDEN,), f"{norm}.LayerNorm.bias": (_HIDDEN,)}
    return shapes


_SHAPES = {"gpt2": _gpt2_shapes, "llama": _llama_shapes, "bert": _bert_shapes}


def tensors(config: Mapping[str, Any] = GPT2) -> dict[str, NDArray[np.float32]]:
    """Return the weights of one of the three models."""
    random = np.random.default_rng(0)
    shapes = _SHAPES[config["model_type"]]()
    return {name: (0.3 * random.standard_normal(shape)).astype(np.float32) for name, shape in shapes.items()}


def model(changes: Mapping[str, Any] | None = None, base: Mapping[str, Any] = GPT2, name: str = MODEL) -> Make:
    """Make the folder of a model without a tokenizer, which thus has one token for each byte.

    changes: entries of its configuration; one that is `ABSENT` is left out.
    """

    def made(work: Path) -> None:
        folder = work / name
        folder.mkdir(parents=True, exist_ok=True)
        config = {key: value for key, value in {**base, **(changes or {})}.items() if value is not ABSENT}
        (folder / "config.json").write_text(json.dumps(config))
        save_file(tensors(base), folder / "model.safetensors", {"format": "pt"})

    return made


#: Stands for an entry of a configuration that is left out.
ABSENT = object()


def weights(changes: Mapping[str, Any], name: str = MODEL) -> Make:
    """Change tensors of a GPT-2's weights, which are made before. changes: tensor -> array; None removes it."""

    def made(work: Path) -> None:
        kept = {key: array for key, array in {**tensors(), **changes}.items() if array is not None}
        save_file(kept, work / name / "model.safetensors", {"format": "pt"})

    return made


def raw_weights(header: Any, data: bytes = b"", name: str = MODEL) -> Make:
    """Write a safetensors file with any header, as bytes or as what JSON writes."""

    def made(work: Path) -> None:
        content = header if isinstance(header, bytes) else json.dumps(header).encode()
        path = work / name / "model.safetensors"
        path.write_bytes(len(content).to_bytes(8, "little") + content + data)

    return made
