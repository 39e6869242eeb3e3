"""Where weights come from: the hub at a pinned revision, a local folder, or a seeded stand-in.

`find` says which weights a name means, quickly and without torch; `load` reads them. The `Source` that both speak of
goes into every table, plot and file that is made from the model. Only safetensors are read, remote code never runs.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from export.errors import BadInput, CannotRun, near

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Kind = Literal["hub", "folder", "seeded", "module"]


@dataclass(frozen=True)
class Source:
    """Where weights come from, and what identifies them.

    kind: "hub", "folder", "seeded", or "module" (a live one, saved under the digest of its weights).
    name: what a person calls it. origin: the hub's id, the folder, or what was seeded or changed.
    revision: the hub's commit, the SHA-256 of the folder's or module's content, or the seed.
    trained: whether the weights were, so that the next token and perplexity mean something.
    """

    kind: Kind
    name: str
    origin: str
    revision: str
    trained: bool = True

    @property
    def label(self) -> str:
        """Goes into every table, plot and file.

        >>> Source("hub", "distilgpt2", "distilbert/distilgpt2", "2290a62682d06624634c1f46a6ad5be0f47f38aa").label
        'distilbert/distilgpt2@2290a62'
        >>> Source("seeded", "distilgpt2-seeded", "distilgpt2", "0").label
        'seeded: distilgpt2 architecture, random weights (seed 0)'
        """
        match self.kind:
            case "hub":
                return f"{self.origin}@{self.revision[:7]}"
            case "seeded":
                return f"seeded: {self.origin} architecture, random weights (seed {self.revision})"
            case "folder":
                return f"folder {self.name} (sha256 {self.revision[:7]})"
            case "module":
                return f"changed in memory, from {self.origin} (sha256 {self.revision[:7]})"


class MiniTransformer(NamedTuple):
    """What `load` returns: a transformers causal language model in float32, its tokenizer, and where both came from."""

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    provenance: Source


@dataclass(frozen=True)
class _Pin:
    repository: str
    revision: str
    sha256: str


#: Hub models under the short names people use: one canonical id and one revision, so that none is cached twice.
PINS = {
    "distilgpt2": _Pin(
        "distilbert/distilgpt2",
        "2290a62682d06624634c1f46a6ad5be0f47f38aa",
        "e1ff18884359fe8beb795a5f414feb85a6ce3d929ad019c0d958c039d2b94a1b",
    )
}

#: GPT-2 configurations whose weights can be seeded, by the name of the stand-in.
SEEDED: dict[str, dict[str, Any]] = {"distilgpt2-seeded": {"n_layer": 6, "_of": "distilgpt2"}}

KNOWN = [*PINS, *SEEDED]


def find(name: str) -> Source:
    """Which weights a name means: a seeded stand-in, a folder, else a model of the hub.

    A folder is identified by the SHA-256 of its configuration and weights, which reads them once. A hub model that
    is not pinned has the revision "main" until it is loaded. Raises `BadInput` for a folder that cannot be used.
    """
    check_name(name)
    if name in SEEDED:
        return Source("seeded", name, SEEDED[name]["_of"], "0", trained=False)
    if is_folder(name):
        folder = Path(name).expanduser().resolve()
        return Source("folder", folder.name, str(folder), _digest(weight_files(folder)))
    for short, pin in PINS.items():
        if name in (short, pin.repository):
            return Source("hub", short, pin.repository, pin.revision)
    return Source("hub", name.replace("/", "--"), name, "main")


def check_name(name: str) -> None:
    """Raises `BadInput` for an empty name, which as a path would mean the folder one is in."""
    if not name.strip():
        raise BadInput(f"the model's name is empty; {near('', KNOWN)}")


def is_folder(name: str) -> bool:
    """Whether a model's name is a path: it exists as a folder, or is written as only a path can be."""
    return Path(name).expanduser().is_dir() or name.startswith((".", "/", "~")) or name.count("/") > 1


def load(source: Source, *, offline: bool = False) -> MiniTransformer:
    """Read the weights of a source as float32, with the tokenizer that goes with them.

    Raises `CannotRun` where the hub does not have it or does not answer, and `BadInput` for a folder whose weights are
    missing, incomplete, or no safetensors. With `offline` only what was downloaded before is used.
    """
    if source.kind == "seeded":
        return _load_seeded(source)
    if source.kind == "hub":
        folder = _download(source, offline=offline)
        pin = PINS.get(source.name)
        if pin is not None:
            _check_pin(folder / "model.safetensors", pin)
        else:
            source = Source("hub", source.name, source.origin, folder.name)
        return _load_folder(folder, source)
    return _load_folder(Path(source.origin), source)


def load_exported(folder: Path, source: Source) -> MiniTransformer:
    """Load a model from its entry in the cache, which was made from `source`."""
    return _load_folder(folder, source)


def changed(transformer: MiniTransformer) -> Source:
    """The source of a live model: what it was loaded from where its weights are still those, else one of its own.

    The weights are compared by SHA-256; `weights_digest` of a fresh load was noted on the model.
    """
    digest = weights_digest(transformer.model)
    if digest == getattr(transformer.model, _NOTE, None):
        return transformer.provenance
    before = transformer.provenance
    return Source("module", f"{before.name}-changed", before.label, digest, before.trained)


def weights_digest(model: Any) -> str:
    """The SHA-256 of a live model's parameters and configuration."""
    import torch

    digest = hashlib.sha256(json.dumps(_plain_config(model), sort_keys=True).encode())
    for name, parameter in sorted(model.named_parameters()):
        digest.update(name.encode())
        digest.update(parameter.detach().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def weight_files(folder: Path) -> list[Path]:
    """The files of a model folder that decide what it computes, or a `BadInput` that says what is wrong with it."""
    if not folder.is_dir():
        raise BadInput(
            f"the model folder {folder} does not exist; give a folder with config.json and model.safetensors"
        )
    if not (folder / "config.json").is_file():
        raise BadInput(f"the model folder {folder} has no config.json; save the model with save_pretrained('{folder}')")
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        pickles = sorted(path.name for path in [*folder.glob("*.bin"), *folder.glob("*.pt"), *folder.glob("*.pth")])
        found = f" but {', '.join(pickles)}, which is a pickle and is never loaded" if pickles else ""
        raise BadInput(
            f"the model folder {folder} has no safetensors{found}. Convert it where you trust it: python -c "
            f"\"from transformers import AutoModelForCausalLM as M; M.from_pretrained('{folder}').save_pretrained("
            f"'{folder}-safetensors')\""
        )
    return [folder / "config.json", *sorted(folder.glob("tokenizer*.json")), *weights]


#: The attribute under which a freshly loaded model carries the digest of its weights.
_NOTE = "_onnx_attention_compare_digest"


def _noted(transformer: MiniTransformer) -> MiniTransformer:
    setattr(transformer.model, _NOTE, weights_digest(transformer.model))
    return transformer


def _plain_config(model: Any) -> dict[str, Any]:
    config = model.config.to_diff_dict()
    return {key: config[key] for key in config if not key.startswith("_") and key != "transformers_version"}


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            digest.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _load_seeded(source: Source) -> MiniTransformer:
    from transformers import GPT2Config, GPT2LMHeadModel

    from export.seeded import fill

    settings = {key: value for key, value in SEEDED[source.name].items() if not key.startswith("_")}
    model = GPT2LMHeadModel._from_config(GPT2Config(**settings), attn_implementation="eager")
    fill(model, int(source.revision))
    return _noted(MiniTransformer(model.eval(), byte_tokenizer(), source))


def byte_tokenizer() -> "PreTrainedTokenizerBase":
    """GPT-2's own alphabet of bytes, ids 0 to 255 of its vocabulary: for weights that come without a tokenizer.

    GPT-2 gives each byte a printable character and numbers those by code point, so that no vocabulary file is needed.

    >>> byte_tokenizer().convert_ids_to_tokens(byte_tokenizer()("Hi there")["input_ids"])
    ['H', 'i', 'Ġ', 't', 'h', 'e', 'r', 'e']
    """
    from tokenizers import Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(BPE(vocab={character: i for i, character in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def _download(source: Source, *, offline: bool) -> Path:
    """The folder of a hub model's snapshot. Hugging Face's variables are read when its library is imported: here."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        folder = snapshot_download(
            source.origin,
            revision=source.revision,
            allow_patterns=["*.json", "*.safetensors", "*.txt", "*.model"],
            ignore_patterns=["*/*"],
            local_files_only=offline,
            etag_timeout=5,  # seconds for the hub's first word
        )
    except HFValidationError as error:
        raise BadInput(f"{source.origin!r} is no model name, folder or hub id; {near(source.origin, KNOWN)}") from error
    except (RepositoryNotFoundError, LocalEntryNotFoundError, OSError) as error:
        why = (
            "--offline was given and it was not downloaded before"
            if offline
            else "the hub has no such model"
            if isinstance(error, RepositoryNotFoundError)
            else "the hub does not answer"
        )
        raise CannotRun(
            f"model {source.origin!r} cannot be loaded: {why}; {near(source.origin, KNOWN)} "
            "Or give a folder with config.json and model.safetensors: --model FOLDER"
        ) from error
    weight_files(Path(folder))
    return Path(folder)


def _check_pin(path: Path, pin: _Pin) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != pin.sha256:
        raise BadInput(
            f"{path.name} of {pin.repository}@{pin.revision[:7]} has SHA-256 {found[:12]}..., expected "
            f"{pin.sha256[:12]}...; remove the download and try again: rm {path}"
        )


def read_weights(folder: Path, *, attention: str = "eager") -> "PreTrainedModel":
    """The model that lies in a folder, in float32, ready to run; `attention` is one of transformers' implementations.

    Raises `BadInput` where transformers cannot read it, or would make tensors up because the file lacks them.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    try:
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
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise BadInput(f"the model in {folder} cannot be loaded: {reason}") from error
    if loading["missing_keys"]:
        missing = sorted(loading["missing_keys"])
        raise BadInput(
            f"the weights in {folder} lack {len(missing)} tensors of the model, first {missing[0]}; "
            "transformers would make them up at random. Save the whole model with save_pretrained"
        )
    return model.eval()


def _load_folder(folder: Path, source: Source) -> MiniTransformer:
    model = read_weights(folder)
    return _noted(MiniTransformer(model, _tokenizer(folder, model.config.vocab_size), source))


def _tokenizer(folder: Path, vocabulary: int) -> "PreTrainedTokenizerBase":
    """The folder's fast tokenizer, or the byte alphabet where it has none."""
    if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.json", "tokenizer.model")):
        if vocabulary < 256:
            raise BadInput(f"{folder} has no tokenizer and a vocabulary of {vocabulary}, too few for bytes (256)")
        return byte_tokenizer()
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if not tokenizer.is_fast:
        raise BadInput(f"the tokenizer in {folder} has no fast form; save one beside it as tokenizer.json")
    return tokenizer
