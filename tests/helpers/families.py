"""Tiny random models of many families, and what this project measures of each: taps, replay, decoding and verdict."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from compare.numerics.replay import profile_of, replay
from compare.numerics.verdicts import judge
from compare.numerics.weigher import Scales
from compare.results.gaps import evidence_of
from compare.results.verdicts import Verdict
from compare.traces import Trace, write_trace
from export import dynamo
from export.graphs import write_graphs
from export.probe import layout_of
from tests.helpers.graphs import RunnableGraph, run_graph

#: Sizes of every model, under the names that most configurations understand.
_SIZES = {"vocab_size": 300, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
_GATED = {"intermediate_size": 48, "num_key_value_heads": 2, "max_position_embeddings": 64, "pad_token_id": 0}
_WINDOW = {"sliding_window": 4}
_BOTH = ["sliding_attention", "full_attention"]
_LOCAL = {"attention_types": [[["global", "local"], 1]], "intermediate_size": 48, "max_position_embeddings": 64}
_EXPERTS = {"num_local_experts": 4, "num_experts_per_tok": 2}
_TABLE = {"intermediate_size": 48, "max_position_embeddings": 64, "pad_token_id": 0}
_AFTER_PADDING = {"intermediate_size": 48, "max_position_embeddings": 66, "pad_token_id": 1}

#: Family -> type of the configuration and its settings.
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "GPT-2": ("gpt2", {"n_positions": 64}),
    "GPT-NeoX": ("gpt_neox", {"intermediate_size": 48, "max_position_embeddings": 64}),
    "GPT-NeoX, sequential": ("gpt_neox", {"intermediate_size": 48, "use_parallel_residual": False}),
    "GPT-J": ("gptj", {"n_positions": 64, "rotary_dim": 4}),
    "GPT-Neo": ("gpt_neo", {"num_layers": 2, "num_heads": 4, "window_size": 4} | _LOCAL),
    "OPT": ("opt", {"ffn_dim": 48, "word_embed_proj_dim": 32, "max_position_embeddings": 64}),
    "OPT, norms after": ("opt", {"ffn_dim": 48, "word_embed_proj_dim": 24, "do_layer_norm_before": False}),
    "BLOOM": ("bloom", {}),
    "Falcon": ("falcon", {"num_kv_heads": 2, "new_decoder_architecture": True}),
    "Falcon, biases": ("falcon", {"alibi": True, "multi_query": False, "parallel_attn": False}),
    "Phi": ("phi", {"intermediate_size": 48, "max_position_embeddings": 64}),
    "Phi-3": ("phi3", _GATED),
    "Llama": ("llama", _GATED),
    "Mistral": ("mistral", _GATED | _WINDOW),
    "Qwen 2": ("qwen2", _GATED),
    "Qwen 3": ("qwen3", _GATED | {"head_dim": 8}),
    "Gemma": ("gemma", _GATED | {"head_dim": 8}),
    "Gemma 2": ("gemma2", _GATED | _WINDOW | {"head_dim": 8, "attn_logit_softcapping": 2.0}),
    "Gemma 3": ("gemma3_text", _GATED | _WINDOW | {"head_dim": 8, "layer_types": _BOTH}),
    "StableLM": ("stablelm", _GATED),
    "Mixtral": ("mixtral", _GATED | _EXPERTS),
    "OLMo 2": ("olmo2", _GATED),
    "SmolLM3": ("smollm3", _GATED | {"no_rope_layers": [1, 0], "eos_token_id": 1, "bos_token_id": 1}),
    "GPT-OSS": ("gpt_oss", _GATED | _WINDOW | _EXPERTS | {"head_dim": 8}),
    "StarCoder2": ("starcoder2", _GATED | _WINDOW),
    "Granite": ("granite", _GATED | {"residual_multiplier": 0.5, "attention_multiplier": 0.3, "logits_scaling": 2.0}),
    "Cohere": ("cohere", _GATED),
    "MPT": ("mpt", {"d_model": 32, "n_heads": 4, "n_layers": 2, "max_seq_len": 64}),
    "Mamba": ("mamba", {"state_size": 4, "time_step_rank": 4, "num_attention_heads": None}),
    "BERT": ("bert", _TABLE),
    "RoBERTa": ("roberta", _AFTER_PADDING),
    "DistilBERT": ("distilbert", {"hidden_dim": 48, "max_position_embeddings": 64}),
    "ELECTRA": ("electra", _TABLE | {"embedding_size": 16}),
    "MPNet": ("mpnet", _AFTER_PADDING),
    "ALBERT": ("albert", _TABLE | {"embedding_size": 16}),
}

#: The encoders of `FAMILIES`.
ENCODERS = ("BERT", "RoBERTa", "DistilBERT", "ELECTRA", "MPNet", "ALBERT")


def family_model(family: str) -> Any:
    """Return a model of a family with seeded weights that are large enough for every fault to have an effect."""
    from transformers import AutoConfig

    from export.kinds import loader_of
    from export.seeded import fill

    model_type, settings = FAMILIES[family]
    known = {name: value for name, value in (_SIZES | settings).items() if value is not None}
    config = AutoConfig.for_model(model_type, **known)
    with torch.random.fork_rng():
        loader, options = loader_of(config)
        model = loader.from_config(config, attn_implementation="eager", **options).eval()
    fill(model, 0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(8)
    return model


@dataclass(frozen=True)
class Measured:
    """What was measured of a family.

    names: its taps.
    graph: the outputs of its inspect graph.
    ruler: whether golden agrees with transformers.
    replayed: whether golden's own tensors replay as golden.
    verdict: on ONNX Runtime.
    decodes: whether the decode graph gives the logits of the deploy graph; None without one.
    last: whether the deploy-last graph gives the last logits; None for an encoder, which has none.
    notes: what the report would say.
    own_attention: whether golden has transformers' own attention.
    """

    names: list[str]
    graph: list[str]
    ruler: bool
    replayed: bool
    verdict: Verdict
    decodes: bool | None
    last: bool | None
    notes: list[str]
    own_attention: bool


def inputs() -> tuple[np.ndarray, np.ndarray]:
    """Return ids and mask (2, 12); the second sequence begins with three positions of padding."""
    ids = np.random.default_rng(0).integers(2, 256, (2, 12))
    mask = np.ones_like(ids)
    mask[1, :3] = 0
    return ids, mask


def scales_of(folder: Path) -> Scales:
    """Return golden and floors of the model in a folder."""
    ids, mask = inputs()
    write_trace(folder / "inputs", {"input_ids": ids, "attention_mask": mask})
    return Scales(folder, folder / "inputs", folder / "golden")


def verdict_of(scales: Scales, run: dict[str, np.ndarray], folder: Path) -> Verdict:
    """Return the verdict on a run's tensors. folder: for its trace."""
    write_trace(folder, run)
    return judge(evidence_of(scales.weigh(Trace(folder)).values()), bitwise=False)


def measure(family: str, folder: Path) -> Measured:
    """Export a family's model to a folder, and measure it on an input with padding."""
    model = family_model(family)
    names = layout_of(model).names()
    written = write_graphs(model, folder, family, dynamo)
    ids, mask = inputs()
    scales = scales_of(folder)
    ruler = scales.make_golden().holds
    golden = dict(Trace(scales.out))
    assert list(golden) == names
    found = run_graph(folder, "inspect.onnx", ids, mask)
    given = {name: golden[name] for name in profile_of(names)}
    again = replay(scales.double, *scales.tensors, given)
    last = None
    if family not in ENCODERS:
        logits = run_graph(folder, "deploy-last.onnx", ids, mask)["logits"]
        last = bool(np.abs(logits - found["logits"][:, -1:]).max() < 1e-4)
    decodes = None
    if (folder / "decode.onnx").is_file():
        logits = RunnableGraph(folder / "decode.onnx").decode(ids, mask, 5)
        decodes = bool(np.abs(logits - found["logits"])[mask == 1].max() < 1e-4)
    return Measured(
        names=names,
        graph=list(found),
        ruler=ruler,
        replayed=all(np.array_equal(again[name].numpy(), golden[name], equal_nan=True) for name in golden),
        verdict=verdict_of(scales, found, folder / "run"),
        decodes=decodes,
        last=last,
        notes=[*layout_of(model).notes(), *written.notes],
        own_attention=layout_of(model).own_attention,
    )
