"""Determine which files of a model folder are read, and refuse folders that are unsafe or incomplete.

transformers chooses the files that it reads by their names, by an index, and by entries of the configurations of the
model and of its tokenizer, and some of these can refer to files outside the folder. A model folder is therefore checked
before it is loaded. Only a fixed set of files in the folder itself is read, and the digest of a model covers all of
them. A file of the folder may be a link, but the files that an index names may not lead out of the folder; if the index
itself is a link, they may also be in the folder of its target, as in the cache of the hub's library.
"""

from pathlib import Path
from typing import Any

from export.configuration import CONFIG, SAVE_ANEW, read_configuration
from export.errors import BadInput, quoted
from export.memory import SMALLER, check_memory
from export.outside import check_regular, is_folder, present, read_json
from export.weights_file import WEIGHTS, tensors_in

INDEX = f"{WEIGHTS}.index.json"

#: The configuration of the pooling of sentence-transformers.
POOLING = "1_Pooling/config.json"

#: The settings of generation, which are saved with a model and not used by comparisons.
GENERATION = "generation_config.json"

#: The files of which a tokenizer of SentencePiece has one; the name depends on the architecture.
SENTENCEPIECE = ("tokenizer.model", "spiece.model", "sentencepiece.bpe.model")

#: Files that transformers reads if they exist, in addition to the configuration, `tokenizer*.json` and the weights.
_OPTIONAL = (
    GENERATION,
    "added_tokens.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    *SENTENCEPIECE,
    POOLING,
)

#: The most bytes of such a file. The largest known tokenizers have 60 MB.
LARGEST = 128 * 2**20

#: The most files that an index may name.
_SHARDS = 10_000


class MissingShard(BadInput):
    """The index names a file that does not exist, for example because the model was copied or downloaded in part."""


def model_files(folder: Path) -> list[Path]:
    """Return all files that are read when the model in a folder and its tokenizer are loaded.

    Links are followed, because Hugging Face's library stores downloads as folders of links. Raises `BadInput` if the
    folder has no model that can be loaded, or names files that must not be read.
    """
    weights = weight_files(folder)
    index = [] if weights == [folder / WEIGHTS] else [folder / INDEX]
    optional = [folder / name for name in _OPTIONAL if present(folder / name, "file")]
    optional += sorted(folder.glob("tokenizer*.json"))
    for path in optional:
        check_regular(path, "file", f"remove it, or {SAVE_ANEW}", LARGEST)
    return [folder / CONFIG, *optional, *index, *weights]


def weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files that transformers reads: `model.safetensors`, or else the files in the index.

    Raises `BadInput` as `model_files` does.
    """
    _check_configuration(folder)
    if present(folder / WEIGHTS, "weights file"):
        check_regular(folder / WEIGHTS, "weights file", f"replace it by the file itself, or {SAVE_ANEW}")
        return [folder / WEIGHTS]
    if present(folder / INDEX, "index of the weights"):
        return _shards(folder)
    raise _no_weights(folder)


def check_weights(folder: Path) -> None:
    """Check the headers of a folder's weight files, and whether their tensors fit into memory in float32.

    Raises `BadInput` if a header is wrong or two files have a tensor of the same name, and `CannotRun` if there is not
    enough memory.
    """
    places: dict[str, Path] = {}
    elements = 0
    for path in weight_files(folder):
        for name, tensor in tensors_in(path).items():
            if name in places:
                raise BadInput(f"{places[name]} and {path.name} both have the tensor {quoted(name)}; {SAVE_ANEW}")
            places[name] = path
            elements += tensor.elements
    check_memory(4 * elements, f"the model in {folder}", SMALLER)


def read_pooling(folder: Path) -> dict[str, Any]:
    """Return the configuration of a folder's pooling; empty if it has none. Raises `BadInput` if it cannot be read."""
    path = folder / POOLING
    return read_json(path, "pooling configuration", SAVE_ANEW) if present(path, "pooling configuration") else {}


def _check_configuration(folder: Path) -> None:
    if not is_folder(folder):
        what = "is not a folder" if present(folder, "model folder") else "does not exist"
        raise BadInput(f"the model folder {folder} {what}; give a folder with config.json and model.safetensors")
    if not present(folder / CONFIG, "configuration"):
        raise BadInput(f"the model folder {folder} has no config.json; save the model with save_pretrained('{folder}')")
    named = read_configuration(folder).get("transformers_weights")
    if named not in (None, WEIGHTS):
        raise BadInput(
            f"{folder / CONFIG} names {quoted(named)} as the weights file; only {WEIGHTS} and {INDEX} are read. "
            f"Rename the file and remove the entry transformers_weights, or {SAVE_ANEW}"
        )
    if present(folder / "adapter_config.json", "file"):
        raise BadInput(
            f"the model folder {folder} has an adapter_config.json: it is a PEFT adapter, whose base model is "
            "stored elsewhere. Merge the two with merge_and_unload and save the result with save_pretrained"
        )


def _shards(folder: Path) -> list[Path]:
    """Return the weight files of a sharded model, sorted by name."""
    index = folder / INDEX
    places = read_json(index, "index of the weights", SAVE_ANEW).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise BadInput(f"{index} has no weight_map, which maps tensors to files; {SAVE_ANEW}")
    names = set(map(str, places.values()))
    if len(names) > _SHARDS:
        raise BadInput(f"{index} names {len(names):,} files; at most {_SHARDS:,} are read; {SAVE_ANEW}")
    homes = (folder.resolve(), index.resolve().parent)
    for name in sorted(names):
        path = folder / name
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise BadInput(
                f"{index} names {quoted(name)}; an index may name only safetensors files in its own folder. "
                f"{_conversion(folder)}"
            )
        if not present(path, "weights file", SAVE_ANEW, links=False):
            raise MissingShard(f"{index} names {name}, which is not in the folder; copy it there, or {SAVE_ANEW}")
        check_regular(path, "weights file", SAVE_ANEW)
        if path.resolve().parent not in homes:
            raise BadInput(
                f"{index} names {name}, which is a link to {path.resolve()}, a file outside the folder; copy that file "
                f"to {path}, or {SAVE_ANEW}"
            )
    return [folder / name for name in sorted(names)]


def _no_weights(folder: Path) -> BadInput:
    others = sorted(path.name for path in folder.glob("*.safetensors"))
    if others:
        return BadInput(
            f"the model folder {folder} has {', '.join(others)} but neither {WEIGHTS} nor {INDEX}: "
            f"rename the file to {WEIGHTS} if it holds the whole model, or {SAVE_ANEW}"
        )
    pickles = sorted(path.name for path in [*folder.glob("*.bin"), *folder.glob("*.pt"), *folder.glob("*.pth")])
    found = f" but {', '.join(pickles)}, which is a pickle and is never loaded" if pickles else ""
    return BadInput(f"the model folder {folder} has no safetensors{found}. {_conversion(folder)}")


def _conversion(folder: Path) -> str:
    """Return the command that saves a pickled model as safetensors, with the class that its configuration names."""
    named = read_configuration(folder).get("architectures")
    names = [name for name in named if isinstance(name, str) and name.isidentifier()] if isinstance(named, list) else []
    return (
        f'If you trust it, convert it: python -c "from transformers import {(names or ["AutoModel"])[0]} as M; '
        f"M.from_pretrained('{folder}').save_pretrained('{folder}-safetensors')\""
    )
