"""The tokenizer that goes with weights: the folder's own, or the alphabet of bytes."""

from pathlib import Path
from typing import TYPE_CHECKING

from export.errors import BadInput

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def read_tokenizer(folder: Path, vocabulary: int) -> "PreTrainedTokenizerBase":
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
