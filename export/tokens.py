"""Read the tokenizer in a model's folder, or make a byte tokenizer."""

from pathlib import Path
from typing import TYPE_CHECKING

from export.errors import BadInput

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def read_tokenizer(folder: Path, vocabulary: int) -> "PreTrainedTokenizerBase":
    """Return the fast tokenizer in a model's folder, or a byte tokenizer if the folder has no tokenizer.

    vocabulary: the size of the model's vocabulary. Raises `BadInput` if it is too small for bytes, or if the folder's
    tokenizer is not a fast one.
    """
    if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.json", "vocab.txt", "tokenizer.model")):
        if vocabulary < 256:
            raise BadInput(f"{folder} has no tokenizer, and a vocabulary of {vocabulary} is too small for bytes (256)")
        return byte_tokenizer()
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if not tokenizer.is_fast:
        raise BadInput(f"the tokenizer in {folder} is not a fast one; save a fast one there as tokenizer.json")
    return tokenizer


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
