"""Weights become a model: `load` reads those of a source in float32, with the tokenizer that goes with them.

Only safetensors are read, and remote code never runs.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from export.checkpoint import Checkpoint, checkpoint_of
from export.errors import BadInput, first_line
from export.hub import download
from export.model_folder import weight_files
from export.sources import SEEDED, SHIPPED, Source
from export.tokens import byte_tokenizer, read_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class MiniTransformer(NamedTuple):
    """What `load` returns: a transformers causal language model in float32, its tokenizer, and where both came from."""

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    provenance: Source


def load(source: Source, *, offline: bool = False, say: Callable[[str], None] = lambda _: None) -> MiniTransformer:
    """Read the weights of a source as float32, with the tokenizer that goes with them.

    Raises `CannotRun` where the hub does not have it or does not answer, and `BadInput` for a folder whose weights are
    missing, incomplete, no safetensors, or of no causal language model. With `offline` only what was downloaded before
    is used.
    """
    match source.kind:
        case "seeded":
            return _load_seeded(source)
        case "byte-gpt2":
            return _load_folder(SHIPPED, source)
        case "hub":
            folder = download(source, offline=offline, say=say)
            return _load_folder(folder, replace(source, revision=folder.name))
        case "folder" | "module":
            return _load_folder(Path(source.origin), source)


def load_exported(folder: Path, source: Source, checkpoint: Checkpoint) -> MiniTransformer:
    """Load a model from its entry in the cache, which was made from `source`, and that from a `checkpoint`."""
    model = read_weights(folder)
    return _noted(MiniTransformer(model, read_tokenizer(folder, model.config.vocab_size), source), checkpoint)


def changed(transformer: MiniTransformer) -> Source:
    """The source of a live model: what it was loaded from where its weights are still those, else one of its own.

    The weights are compared by SHA-256; `weights_digest` of a fresh load was noted on the model.
    """
    digest = weights_digest(transformer.model)
    noted = getattr(transformer.model, _NOTE, None)
    if noted is not None and digest == noted.digest:
        return transformer.provenance
    before = transformer.provenance
    return Source("module", f"{before.name}-changed", before.label, digest, before.trained)


def checkpoint_noted(transformer: MiniTransformer) -> Checkpoint:
    """What is to be said of the files that a live model was loaded from; nothing, where it was not loaded here."""
    noted = getattr(transformer.model, _NOTE, None)
    return Checkpoint() if noted is None else noted.checkpoint


def weights_digest(model: Any) -> str:
    """The SHA-256 of a live model's parameters and configuration."""
    import torch

    digest = hashlib.sha256(json.dumps(_plain_config(model), sort_keys=True).encode())
    for name, parameter in sorted(model.named_parameters()):
        digest.update(name.encode())
        digest.update(parameter.detach().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def read_weights(folder: Path, *, attention: str = "eager") -> "PreTrainedModel":
    """The model that lies in a folder, in float32, ready to run; `attention` is one of transformers' implementations.

    Raises `BadInput` where `export.model_folder` refuses the folder, transformers cannot read it or would make tensors
    up because the file lacks them, or the model is no causal language model.
    """
    model, _ = _read(folder, attention)
    return model


@contextmanager
def no_progress_bar() -> Iterator[None]:
    """While this is open transformers shows no progress bar; version 5 has one for each load and each save."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _read(folder: Path, attention: str = "eager") -> tuple["PreTrainedModel", Checkpoint]:
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    weight_files(folder)
    try:
        with no_progress_bar():
            model, loading = AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=torch.float32,
                attn_implementation=attention,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
            )
    except (ValueError, OSError, KeyError, RuntimeError, SafetensorError) as error:
        raise BadInput(f"the model in {folder} cannot be loaded: {first_line(error)}") from error
    checkpoint = checkpoint_of(model, folder, loading)
    if loading["missing_keys"]:
        missing = sorted(loading["missing_keys"])
        raise BadInput(
            f"the weights in {folder} lack {len(missing)} tensors of the model, first {missing[0]}; "
            "transformers would make them up at random. Save the whole model with save_pretrained"
        )
    return model.eval(), checkpoint


def _load_folder(folder: Path, source: Source) -> MiniTransformer:
    model, checkpoint = _read(folder)
    return _noted(MiniTransformer(model, read_tokenizer(folder, model.config.vocab_size), source), checkpoint)


def _load_seeded(source: Source) -> MiniTransformer:
    from transformers import GPT2Config, GPT2LMHeadModel

    from export.seeded import fill

    settings = {key: value for key, value in SEEDED[source.name].items() if not key.startswith("_")}
    model = GPT2LMHeadModel._from_config(GPT2Config(**settings), attn_implementation="eager")
    fill(model, int(source.revision))
    return _noted(MiniTransformer(model.eval(), byte_tokenizer(), source), Checkpoint())


class _Noted(NamedTuple):
    """What a freshly loaded model carries with it: the digest of its weights, and what its files were like."""

    digest: str
    checkpoint: Checkpoint


#: The attribute under which it does.
_NOTE = "_onnx_attention_compare_loaded"


def _noted(transformer: MiniTransformer, checkpoint: Checkpoint) -> MiniTransformer:
    setattr(transformer.model, _NOTE, _Noted(weights_digest(transformer.model), checkpoint))
    return transformer


def _plain_config(model: Any) -> dict[str, Any]:
    config = model.config.to_diff_dict()
    return {key: config[key] for key in config if not key.startswith("_") and key != "transformers_version"}
