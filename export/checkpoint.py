"""Differences between a checkpoint and the model loaded from it: other precisions, and tensors that are not used.

transformers loads a checkpoint of any class as the causal language model of its type, and ignores tensors that this
model does not have. This module refuses such a checkpoint, or makes every report mention what is not used.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from export.configuration import CONFIG
from export.errors import BadInput
from export.kinds import is_causal_class, is_encoder, named_class
from export.model_folder import weight_files
from export.weights_file import tensor_types

if TYPE_CHECKING:
    from transformers import PreTrainedModel

#: Buffers that older versions of transformers saved and newer versions compute: causal masks, rotary frequencies, and
#: the numbers of positions.
_HARMLESS = re.compile(r"(^|\.)(attn\.(masked_)?bias|rotary_emb\.inv_freq|embeddings\.position_ids)$")

#: Names of a norm's parameters in old checkpoints of encoders -> their names today.
_RENAMED = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}

#: torch's names for types of safetensors. Other types keep the name that the file gives them.
_TYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}

#: The largest number of tensors that a message names.
_NAMED = 5


@dataclass(frozen=True)
class Checkpoint:
    """Facts about a model's files that every report must mention. All fields are empty for a live model.

    types: the types of the tensors that the model uses; empty if all are float32.
    dropped: the names of the tensors that the model does not use.
    architecture: [class named in the configuration, class that is compared]; empty if they are the same.
    modules: further modules of sentence-transformers, which are not applied to embeddings.
    """

    types: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    architecture: list[str] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)

    def notes(self) -> list[str]:
        """Return the sentences that every report shows.

        >>> print(*Checkpoint(["float16"], ["score.weight"], ["GPT2Model", "GPT2LMHeadModel"]).notes(), sep="\\n")
        the checkpoint's weights are float16; they were widened to float32, which is exact
        config.json names GPT2Model; the model is compared as GPT2LMHeadModel
        the compared model does not use 1 tensor of the checkpoint: score.weight
        >>> Checkpoint().notes()
        []
        """
        notes = []
        if self.types:
            exact = set(self.types) <= {"float32", "float16", "bfloat16"}
            how = "widened to float32, which is exact" if exact else "converted to float32, which may have rounded them"
            notes.append(f"the checkpoint's weights are {' and '.join(self.types)}; they were {how}")
        if self.architecture:
            named, compared = self.architecture
            without = "" if is_causal_class(compared) else ", without its head"
            notes.append(f"{CONFIG} names {named}; the model is compared as {compared}{without}")
        if self.dropped:
            notes.append(f"the compared model does not use {named_tensors(self.dropped)}")
        if self.modules:
            notes.append(f"embeddings are compared before {', '.join(self.modules)} of sentence-transformers")
        return notes


def named_tensors(names: Sequence[str]) -> str:
    """Return the number of tensors and the names of the first ones, as text.

    >>> named_tensors(["score.weight"])
    '1 tensor of the checkpoint: score.weight'
    >>> named_tensors(["a", "b", "c", "d", "e", "f", "g"])
    '7 tensors of the checkpoint: a, b, c, d, e and 2 more'
    """
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    plural = "" if len(names) == 1 else "s"
    return f"{len(names)} tensor{plural} of the checkpoint: {', '.join(names[:_NAMED])}{more}"


def checkpoint_of(model: "PreTrainedModel", folder: Path, loading: dict[str, Collection[str]]) -> Checkpoint:
    """Return the differences between the files in a folder and the model that was loaded from them.

    loading: what transformers reports about the loading (`output_loading_info`).
    Raises `BadInput` if the configuration names an architecture that is not a causal language model.
    """
    stored = {name: (path, kind) for path in weight_files(folder) for name, kind in tensor_types(path).items()}
    used = _used(model, stored, loading["unexpected_keys"])
    overridden = _overridden(model, used, {name: path for name, (path, _) in stored.items()})
    dropped = sorted(name for name in stored if name not in used and not _HARMLESS.search(name)) + overridden
    compared = type(model).__name__
    named = named_class(model.config) or compared
    if not is_encoder(model.config) and not _is_causal(named, model):
        raise _another(folder, named, compared, dropped, missing=sorted(loading["missing_keys"]))
    types = {_TYPES.get(kind, kind) for name, (_, kind) in stored.items() if name in used}
    return Checkpoint(
        types=sorted(types) if types - {"float32"} else [],
        dropped=dropped,
        architecture=[] if named == compared else [named, compared],
    )


def _used(model: "PreTrainedModel", stored: Collection[str], unexpected: Collection[str]) -> dict[str, str]:
    """Return file's name -> model's name for each tensor of the files that the model uses.

    The two names can differ in the base model's prefix, which either may lack. transformers' list of unexpected tensors
    does not suffice, because a model class can exclude tensors from it.
    """
    prefix, own = f"{model.base_model_prefix}.", model.state_dict().keys()
    used = {}
    for name in stored:
        today = _today(name)
        candidates = (today, prefix + today, today.removeprefix(prefix))
        found = next((candidate for candidate in candidates if candidate in own), None)
        if found is not None and not {name, prefix + name} & set(unexpected):
            used[name] = found
    return used


def _overridden(model: "PreTrainedModel", used: dict[str, str], paths: dict[str, Path]) -> list[str]:
    """Return the tensors that are not used because their parameter was loaded from a tensor with other values."""
    import torch
    from safetensors import safe_open

    state = model.state_dict()
    sharing: dict[int, list[str]] = {}
    for name, own in used.items():
        sharing.setdefault(state[own].data_ptr(), []).append(name)
    found = []
    for name in (name for names in sharing.values() if len(names) > 1 for name in names):
        with safe_open(paths[name], framework="pt") as file:
            if not torch.equal(file.get_tensor(name).to(torch.float32), state[used[name]]):
                found.append(name)
    return sorted(found)


def _today(name: str) -> str:
    """Return the name that a tensor of an old checkpoint has today."""
    for old, new in _RENAMED.items():
        name = name.replace(old, new)
    return name


def _is_causal(architecture: str, model: "PreTrainedModel") -> bool:
    """Return whether a class is a causal language model, judged by its name, or is the model without its head.

    A checkpoint without a head is accepted here. If the head is tied to the embedding, nothing is missing; otherwise
    the missing head raises another error.
    """
    return architecture == type(model.base_model).__name__ or is_causal_class(architecture)


def _another(folder: Path, named: str, compared: str, dropped: list[str], *, missing: list[str]) -> BadInput:
    loses = f"loses {named_tensors(dropped)}" if dropped else "is another model"
    what = f"the model in {folder} is a {named}, not a causal language model; as {compared} it {loses}."
    if missing:
        return BadInput(f"{what} Its language model alone cannot be compared: the checkpoint has no {missing[0]}")
    return BadInput(
        f'{what} To compare its language model alone, save that first: python -c "from transformers import '
        f"AutoModelForCausalLM as M; M.from_pretrained('{folder}').save_pretrained('{folder}-causal')\""
    )
