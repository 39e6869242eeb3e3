"""Load a model in float32, and its tokenizer, from a source.

Only safetensors are read, and remote code is never run.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from export.checkpoint import Checkpoint, checkpoint_of
from export.configuration import SAVE_ANEW, check_transformers, configuration_of, reading
from export.errors import BadInput, CannotRun, quoted
from export.hub import download
from export.kinds import is_encoder, loader_of
from export.memory import SMALLER, check_memory
from export.model_folder import GENERATION, check_weights, weight_files
from export.outside import as_bad_input, present, read_json
from export.pooling import Pooling, pooling_of
from export.progress import SILENT, Progress
from export.sources import SEEDED, SHIPPED, Source
from export.tokens import byte_tokenizer, read_tokenizer
from export.weights_file import tensors_in

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


#: The most bytes of the settings of generation.
_SETTINGS = 4 * 2**20


class MiniTransformer(NamedTuple):
    """A loaded model of transformers in float32, its tokenizer, and the source of both (`export.kinds`)."""

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    provenance: Source


def load(source: Source, *, offline: bool = False, progress: Progress = SILENT) -> MiniTransformer:
    """Load the model of a source in float32, and its tokenizer.

    offline: whether to use only what was downloaded before.
    progress: has a stage for loading, and one for a download.
    Raises `CannotRun` if the hub does not have the model or does not answer, or if it does not fit into memory, and
    `BadInput` if a folder's weights are missing or incomplete, are not safetensors, do not fit the configuration, or
    belong to a model of another kind (`export.kinds`).
    """
    if source.kind == "hub":
        folder = download(source, offline=offline, progress=progress)
        source = replace(source, revision=folder.name)
    else:
        folder = SHIPPED if source.kind == "byte-gpt2" else Path(source.origin)
    progress.stage(f"loading {source.name}")
    check_transformers()
    with progress.ticking():
        return _load_seeded(source) if source.kind == "seeded" else _load_folder(folder, source)


def load_exported(folder: Path, source: Source, checkpoint: Checkpoint, pooling: Sequence[str] = ()) -> MiniTransformer:
    """Load a model from its folder in the cache.

    source, checkpoint: those in the entry's manifest. pooling: the modes in the manifest's facts about the model.
    """
    made = Pooling(list(pooling)) if pooling else Pooling()
    return _with_tokenizer(read_weights(folder), folder, source, checkpoint, made)


def check_live(transformer: MiniTransformer) -> None:
    """Raise `BadInput` if a part of a loaded model was replaced, is not in float32 on the CPU, or has a hook.

    A graph does not contain what a hook does.
    """
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    kinds = (PreTrainedModel, PreTrainedTokenizerBase, Source)
    for part, found, kind in zip(MiniTransformer._fields, transformer, kinds, strict=True):
        if not isinstance(found, kind):
            raise BadInput(f"the {part} of the loaded model is {quoted(found)}; it must be a {kind.__name__}")
    for name, parameter in transformer.model.named_parameters():
        if str(parameter.dtype) != "torch.float32":
            raise BadInput(
                f"parameter {name} is {parameter.dtype}; models are exported from float32: call model.float()"
            )
        if parameter.device.type != "cpu":
            raise BadInput(f"parameter {name} is on {parameter.device}; models are exported from the CPU: model.cpu()")
    for name, module in transformer.model.named_modules():
        if module._forward_hooks or module._forward_pre_hooks:
            raise BadInput(f"{name or 'the model'} has a hook, which a graph does not contain; remove it")


def changed(transformer: MiniTransformer) -> Source:
    """Return the source of a live model: the one it was loaded from, or a new one if the model has changed since.

    The current `weights_digest` is compared with the one that was stored on the model when it was loaded.
    """
    digest = weights_digest(transformer.model)
    noted = getattr(transformer.model, _NOTE, None)
    if noted is not None and digest == noted.digest:
        return transformer.provenance
    before = transformer.provenance
    return Source("module", f"{before.name}-changed", before.label, digest, before.trained)


def checkpoint_noted(transformer: MiniTransformer) -> Checkpoint:
    """Return the facts about the files that a live model was loaded from; empty if this module did not load it."""
    noted = getattr(transformer.model, _NOTE, None)
    return Checkpoint() if noted is None else noted.checkpoint


def pooling_noted(transformer: MiniTransformer) -> Pooling:
    """Return how embeddings are made from a live model; the default if this module did not load it."""
    noted = getattr(transformer.model, _NOTE, None)
    return Pooling() if noted is None else noted.pooling


def weights_digest(model: Any) -> str:
    """Return the SHA-256 of a live model's parameters and configuration."""
    import torch

    digest = hashlib.sha256(json.dumps(_plain_config(model), sort_keys=True).encode())
    for name, parameter in sorted(model.named_parameters()):
        digest.update(name.encode())
        digest.update(parameter.detach().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def read_weights(folder: Path, *, attention: str = "eager", dtype: str = "float32") -> "PreTrainedModel":
    """Return the model in a folder, in evaluation mode.

    attention: the name of one of transformers' attention implementations.
    dtype: the name of the type of its weights in torch.
    Raises `BadInput` if `export.model_folder` refuses the folder, transformers cannot read it, the file lacks tensors,
    which transformers would fill with random numbers, or the model is of another kind (`export.kinds`), and `CannotRun`
    if transformers does not have this attention for the model.
    """
    model, _ = _read(folder, attention, dtype)
    return model


@contextmanager
def no_progress_bar() -> Iterator[None]:
    """Hide transformers' progress bars in the `with` block; version 5 shows one for each load and each save."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _read(folder: Path, attention: str = "eager", dtype: str = "float32") -> tuple["PreTrainedModel", Checkpoint]:
    import torch

    weight_files(folder)
    what = f"the model in {folder} cannot be loaded"
    with as_bad_input(what):
        loader, options = loader_of(configuration_of(folder))
    try:
        with reading(what), no_progress_bar():
            model, loading = loader.from_pretrained(
                folder,
                dtype=getattr(torch, dtype),
                attn_implementation=attention,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are refused below, with their shapes
                **options,
            )
    except BadInput as error:
        if "does not support an attention implementation" in str(error.__cause__):
            raise CannotRun(
                f"transformers has no {attention} attention for {str(error.__cause__).split()[0]}"
            ) from error
        raise
    if loading["mismatched_keys"]:
        raise _mismatch(model, folder, loading["mismatched_keys"])
    with as_bad_input(what):
        checkpoint = checkpoint_of(model, folder, loading)
    if loading["missing_keys"]:
        missing = sorted(loading["missing_keys"])
        raise BadInput(
            f"the weights in {folder} lack {len(missing)} tensors of the model, first {missing[0]}; "
            "transformers would fill them with random numbers. Save the whole model with save_pretrained"
        )
    return model.eval(), checkpoint


def _mismatch(model: "PreTrainedModel", folder: Path, found: Sequence[Any]) -> BadInput:
    """Return the error of weights that have other shapes than the model of the configuration.

    found: what transformers reports, a name for each or, from version 5 on, a tuple that begins with it.
    """
    names = sorted(each if isinstance(each, str) else each[0] for each in found)
    stored = {name: tensor.shape for path in weight_files(folder) for name, tensor in tensors_in(path).items()}
    name, prefix = names[0], f"{model.base_model_prefix}."
    candidates = (name, prefix + name, name.removeprefix(prefix))
    shape = next((stored[each] for each in candidates if each in stored), "another")
    expected = tuple(model.state_dict()[name].shape)
    return BadInput(
        f"the weights in {folder} do not fit its config.json in {len(names)} tensors: {name} has shape {shape}, and "
        f"the model {expected}; {SAVE_ANEW}"
    )


def _check_generation(folder: Path) -> None:
    """Raise `BadInput` if transformers cannot read the settings of generation in a folder."""
    from transformers import GenerationConfig

    if present(folder / GENERATION, "settings of generation"):
        mend = f"remove it, or {SAVE_ANEW}"
        read_json(folder / GENERATION, "settings of generation", mend, _SETTINGS)
        with reading(f"{folder / GENERATION} cannot be used", mend):
            GenerationConfig.from_pretrained(folder, local_files_only=True)


def _check_size(folder: Path) -> None:
    """Raise `CannotRun` if the model that a folder's configuration describes does not fit into memory.

    It is built without memory for its weights, as transformers does before it loads them.
    """
    import torch

    config = configuration_of(folder)
    with reading(f"the model in {folder} cannot be built from its config.json", SAVE_ANEW), torch.device("meta"):
        loader, options = loader_of(config)
        model = loader.from_config(config, dtype=torch.float32, **options)
    tensors = [*model.parameters(), *model.buffers()]
    needed = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    check_memory(needed, f"the model in {folder}", SMALLER)


def _check_numbers(model: "PreTrainedModel", folder: Path) -> None:
    """Raise `BadInput` if a parameter has a value that is not a number, or is infinite."""
    import torch

    bad = [name for name, p in model.named_parameters() if p.numel() and not torch.stack(p.aminmax()).isfinite().all()]
    if bad:
        raise BadInput(
            f"the model in {folder} has NaN or infinity in {len(bad)} tensors, first {bad[0]}, so every result would "
            "be NaN; take another checkpoint"
        )


def _load_folder(folder: Path, source: Source) -> MiniTransformer:
    check_weights(folder)
    _check_size(folder)
    _check_generation(folder)
    model, checkpoint = _read(folder)
    _check_numbers(model, folder)
    pooling = pooling_of(folder) if is_encoder(model.config) else Pooling()
    return _with_tokenizer(model, folder, source, replace(checkpoint, modules=pooling.left_out), pooling)


def _with_tokenizer(
    model: "PreTrainedModel", folder: Path, source: Source, checkpoint: Checkpoint, pooling: Pooling
) -> MiniTransformer:
    tokenizer = read_tokenizer(folder, model.config.get_text_config().vocab_size)
    return _noted(MiniTransformer(model, tokenizer, source), checkpoint, pooling)


def _load_seeded(source: Source) -> MiniTransformer:
    from transformers import GPT2Config, GPT2LMHeadModel

    from export.seeded import fill

    settings = {key: value for key, value in SEEDED[source.name].items() if not key.startswith("_")}
    model = GPT2LMHeadModel._from_config(GPT2Config(**settings), attn_implementation="eager")
    fill(model, int(source.revision))
    return _noted(MiniTransformer(model.eval(), byte_tokenizer(), source), Checkpoint(), Pooling())


class _Noted(NamedTuple):
    """The data stored on a loaded model: the digest of its weights, facts about its files, and its pooling."""

    digest: str
    checkpoint: Checkpoint
    pooling: Pooling


#: The attribute of the model that holds its `_Noted`.
_NOTE = "_onnx_attention_compare_loaded"


def _noted(transformer: MiniTransformer, checkpoint: Checkpoint, pooling: Pooling) -> MiniTransformer:
    setattr(transformer.model, _NOTE, _Noted(weights_digest(transformer.model), checkpoint, pooling))
    return transformer


def _plain_config(model: Any) -> dict[str, Any]:
    config = model.config.to_diff_dict()
    return {key: config[key] for key in config if not key.startswith("_") and key != "transformers_version"}
