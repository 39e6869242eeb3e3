"""Read the tokenizer in a model's folder, or make a byte tokenizer."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.configuration import SAVE_ANEW, reading
from export.errors import BadInput, quoted
from export.model_folder import LARGEST, SENTENCEPIECE
from export.outside import present, quiet_panics, read_bytes, read_json, read_text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: The files of which a folder with a tokenizer has at least one.
_TOKENIZERS = ("tokenizer.json", "vocab.json", "vocab.txt", *SENTENCEPIECE)

#: The settings of a tokenizer.
_SETTINGS = "tokenizer_config.json"

#: All files of a tokenizer, by how they are read.
_JSON = ("tokenizer.json", "vocab.json", _SETTINGS, "special_tokens_map.json", "added_tokens.json")
_TEXT, _BINARY = ("vocab.txt", "merges.txt", "chat_template.jinja"), SENTENCEPIECE

#: Settings that old versions of transformers saved and that none reads.
_UNUSED = (
    "special_tokens_map_file",
    "added_tokens_file",
    "tokenizer_config_file",
    "chat_template_file",
    "full_tokenizer_file",
)


def read_tokenizer(folder: Path, vocabulary: int) -> "PreTrainedTokenizerBase":
    """Return the fast tokenizer in a model's folder, or a byte tokenizer if the folder has no tokenizer.

    vocabulary: the size of the model's vocabulary. Raises `BadInput` if it is too small for bytes or for the folder's
    tokenizer, and if that cannot be read, is not a fast one, or names files outside the folder.
    """
    if not any(present(folder / name, "tokenizer") for name in _TOKENIZERS):
        if vocabulary < 256:
            raise BadInput(f"{folder} has no tokenizer, and a vocabulary of {vocabulary} is too small for bytes (256)")
        return byte_tokenizer()
    _check_files(folder)
    from transformers import AutoTokenizer

    with reading(f"the tokenizer in {folder} cannot be read", SAVE_ANEW), quiet_panics():
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if not tokenizer.is_fast:
            raise BadInput(f"the tokenizer in {folder} is not a fast one; save a fast one there as tokenizer.json")
        largest = max(tokenizer.backend_tokenizer.get_vocab(with_added_tokens=False).values(), default=-1)
    if largest >= vocabulary:
        raise BadInput(
            f"the tokenizer in {folder} has ids up to {largest:,}, and the model's vocabulary has {vocabulary:,} "
            f"tokens, 0 to {vocabulary - 1:,}: they do not belong together; copy the model's own tokenizer there"
        )
    return tokenizer


def _check_files(folder: Path) -> None:
    """Raise `BadInput` if a file of a tokenizer cannot be read, or if its settings name other files."""
    settings: dict[str, Any] = {}
    for name in (name for name in _JSON if present(folder / name, "tokenizer")):
        content = read_json(folder / name, "tokenizer", SAVE_ANEW, LARGEST)
        settings = content if name == _SETTINGS else settings
    for name in (name for name in _TEXT if present(folder / name, "tokenizer")):
        read_text(folder / name, "tokenizer", LARGEST, SAVE_ANEW)
    for name in (name for name in _BINARY if present(folder / name, "tokenizer")):
        read_bytes(folder / name, "tokenizer", LARGEST, SAVE_ANEW)
    _check_settings(folder / _SETTINGS, settings)


def _check_settings(path: Path, settings: dict[str, Any]) -> None:
    """Raise `BadInput` if settings of a tokenizer name files, which transformers would prefer to those in the folder.

    They may name versions of `tokenizer.json` in the folder.
    """
    for key, value in settings.items():
        if key.endswith("_file") and key not in _UNUSED and value is not None:
            raise BadInput(
                f"{path} names {quoted(value)} as its {key}; only files in the folder are read; remove {key}"
            )
    versions = settings.get("fast_tokenizer_files") or []
    names = versions if isinstance(versions, list) else [versions]
    for name in names:
        if not isinstance(name, str) or Path(name).name != name or not name.startswith("tokenizer"):
            raise BadInput(
                f"{path} names {quoted(name)} among its fast_tokenizer_files; only tokenizer*.json in the folder is "
                "read; remove fast_tokenizer_files"
            )


def normalized_size(normalizer: Mapping[str, Any] | None, size: int) -> int:
    """Return the most bytes that the replacements of a normalizer can make of a text.

    normalizer: as `tokenizer.json` has it. size: of the text, in bytes. What Unicode normalization adds is left out: no
    character becomes more than 18.

    >>> normalized_size({"type": "Replace", "pattern": {"String": "ab"}, "content": "x" * 1000}, 100)
    50000
    """
    if normalizer is None:
        return size
    kind = normalizer["type"]
    if kind == "Sequence":
        for step in normalizer["normalizers"]:
            size = normalized_size(step, size)
    elif kind == "Prepend":
        size += len(normalizer["prepend"].encode())
    elif kind == "Replace":
        content = len(normalizer["content"].encode())
        if replaced := len(normalizer["pattern"].get("String", "").encode()):
            size = max(size, size // replaced * content + size % replaced)
        else:  # a regular expression, or nothing, which may be found before each character and at the end
            size += (size + 1) * content
    return size


def byte_tokenizer() -> "PreTrainedTokenizerBase":
    """Return a tokenizer with one token for each byte: ids 0 to 255 of GPT-2's vocabulary.

    GPT-2 maps each byte to a printable character and numbers these by code point, so no vocabulary file is needed.

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
