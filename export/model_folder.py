"""Determine which files of a model folder are read, and refuse folders that are unsafe or incomplete.

transformers chooses the files that it reads by their names, by an index, and by entries of the configuration, and some
of these can refer to files outside the folder. A model folder is therefore checked before it is loaded. Only a fixed
set of files in the folder itself is read, and the digest of a model covers all of them.
"""

import json
from pathlib import Path
from typing import Any

from export.errors import BadInput, first_line
from export.weights_file import WEIGHTS

CONFIG = "config.json"
INDEX = f"{WEIGHTS}.index.json"

#: The configuration of the pooling of sentence-transformers.
POOLING = "1_Pooling/config.json"

#: Files that transformers reads if they exist, in addition to the configuration, `tokenizer*.json` and the weights.
_OPTIONAL = (
    "generation_config.json",
    "added_tokens.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "tokenizer.model",
    "spiece.model",
    POOLING,
)


class MissingShard(BadInput):
    """The index names a file that does not exist, for example because the model was copied or downloaded in part."""


def model_files(folder: Path) -> list[Path]:
    """Return all files that are read when the model in a folder and its tokenizer are loaded.

    Links are followed, because Hugging Face's library stores downloads as folders of links. Raises `BadInput` if the
    folder has no model that can be loaded, or names files that must not be read.
    """
    weights = weight_files(folder)
    index = [] if weights == [folder / WEIGHTS] else [folder / INDEX]
    optional = [folder / name for name in _OPTIONAL if (folder / name).is_file()]
    return [folder / CONFIG, *optional, *sorted(folder.glob("tokenizer*.json")), *index, *weights]


def weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files that transformers reads: `model.safetensors`, or else the files in the index.

    Raises `BadInput` as `model_files` does.
    """
    _check_configuration(folder)
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if (folder / INDEX).is_file():
        return _shards(folder)
    raise _no_weights(folder)


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file. Raises `BadInput` if the file cannot be read or is not a JSON object."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{path} cannot be read as JSON: {first_line(error)}; {_SAVE_ANEW}") from error
    if not isinstance(content, dict):
        raise BadInput(f"{path} holds a JSON {type(content).__name__}, not an object; {_SAVE_ANEW}")
    return content


_SAVE_ANEW = "save the model again with save_pretrained"


def _check_configuration(folder: Path) -> None:
    if not folder.is_dir():
        raise BadInput(
            f"the model folder {folder} does not exist; give a folder with config.json and model.safetensors"
        )
    if not (folder / CONFIG).is_file():
        raise BadInput(f"the model folder {folder} has no config.json; save the model with save_pretrained('{folder}')")
    named = read_json(folder / CONFIG).get("transformers_weights")
    if named not in (None, WEIGHTS):
        raise BadInput(
            f"{folder / CONFIG} names {named!r} as the weights file; only {WEIGHTS} and {INDEX} are read. "
            f"Rename the file and remove the entry transformers_weights, or {_SAVE_ANEW}"
        )
    if (folder / "adapter_config.json").is_file():
        raise BadInput(
            f"the model folder {folder} has an adapter_config.json: it is a PEFT adapter, whose base model is "
            "stored elsewhere. Merge the two with merge_and_unload and save the result with save_pretrained"
        )


def _shards(folder: Path) -> list[Path]:
    """Return the weight files of a sharded model, sorted by name."""
    index = folder / INDEX
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise BadInput(f"{index} has no weight_map, which maps tensors to files; {_SAVE_ANEW}")
    names = set(map(str, places.values()))
    for name in sorted(names):
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise BadInput(
                f"{index} names {name!r}; an index may name only safetensors files in its own folder. "
                f"{_conversion(folder)}"
            )
        if not (folder / name).is_file():
            raise MissingShard(f"{index} names {name}, which is not in the folder; copy it there, or {_SAVE_ANEW}")
    return [folder / name for name in sorted(names)]


def _no_weights(folder: Path) -> BadInput:
    others = sorted(path.name for path in folder.glob("*.safetensors"))
    if others:
        return BadInput(
            f"the model folder {folder} has {', '.join(others)} but neither {WEIGHTS} nor {INDEX}: "
            f"rename the file to {WEIGHTS} if it holds the whole model, or {_SAVE_ANEW}"
        )
    pickles = sorted(path.name for path in [*folder.glob("*.bin"), *folder.glob("*.pt"), *folder.glob("*.pth")])
    found = f" but {', '.join(pickles)}, which is a pickle and is never loaded" if pickles else ""
    return BadInput(f"the model folder {folder} has no safetensors{found}. {_conversion(folder)}")


def _conversion(folder: Path) -> str:
    return (
        'If you trust it, convert it: python -c "from transformers import AutoModelForCausalLM as M; '
        f"M.from_pretrained('{folder}').save_pretrained('{folder}-safetensors')\""
    )
