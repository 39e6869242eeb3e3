"""Test that texts are converted to ids, and that errors state the numbers."""

import json
from pathlib import Path

import numpy as np
import pytest

from compare.pipeline.inputs import DEFAULT_TEXT, PADDED_TEXTS, byte_inputs, padded, tokenize
from export.cache import Entry
from export.errors import BadInput


def tokens(entry: Entry, text: str | None = None, sequence: int | None = None, batch: int = 1, **more):
    return tokenize(entry.folder, text=text, sequence=sequence, batch=batch, **{"positions": 64, **more})


def test_a_given_text_is_taken_whole(entry: Entry) -> None:
    inputs = tokens(entry, "Hi there\n")
    assert inputs.input_ids.tolist() == [[39, 72, 220, 83, 71, 68, 81, 68, 198]]
    assert inputs.tokens == ["H", "i", "·", "t", "h", "e", "r", "e", "⏎"]
    assert inputs.attention_mask.all()
    assert inputs.padding == 0
    assert inputs.input_ids.dtype == np.int64


def test_the_default_text_is_long_enough_for_every_position_of_gpt2(entry: Entry) -> None:
    assert tokens(entry, positions=1024).input_ids.shape == (1, 128)
    assert tokens(entry, sequence=1024, positions=1024).input_ids.shape == (1, 1024)
    assert tokens(entry, positions=64).input_ids.shape == (1, 64)
    assert len(DEFAULT_TEXT.read_text().split()) > 900  # about as many tokens with GPT-2's own vocabulary, and more


def test_quick_takes_32_at_most(entry: Entry) -> None:
    assert tokens(entry, quick=True).input_ids.shape == (1, 32)
    assert tokens(entry, "four", quick=True).input_ids.shape == (1, 4)
    assert tokens(entry, quick=True, positions=16).input_ids.shape == (1, 16)


def test_a_batch_starts_at_places_spread_over_the_text(entry: Entry) -> None:
    rows = tokens(entry, "abcdefgh", sequence=4, batch=4).input_ids
    letters = ["".join(chr(i + 33) for i in row) for row in rows]
    assert letters == ["abcd", "cdef", "efgh", "ghab"]


def test_the_same_input_has_the_same_digest(entry: Entry) -> None:
    assert tokens(entry, "abc").sha256 == tokens(entry, "abc").sha256 != tokens(entry, "abd").sha256


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"text": "  \n"}, "the text is empty; give another one, or none to use the text that ships with the project"),
        ({"sequence": 65}, "sequence asks for 65 tokens, but the model has 64 positions; it must be 1 to 64"),
        (
            {"text": "x" * 65},
            "the text has 65 tokens, but the model has 64 positions; set sequence to 64 to use its beginning",
        ),
        (
            {"text": "abc", "sequence": 9},
            "sequence asks for 9 tokens, but the text has 3; ask for 1 to 3, or give a longer text",
        ),
    ],
)
def test_what_cannot_be(entry: Entry, arguments, message: str) -> None:
    with pytest.raises(BadInput) as error:
        tokens(entry, **arguments)
    assert message in str(error.value)


def test_bytes_are_the_ids_where_there_is_no_tokenizer() -> None:
    found = byte_inputs(200, text="aé", sequence=None, batch=2)
    assert found.input_ids.tolist() == [[97, 195, 169], [195, 169, 97]]
    assert found.tokens == ["a", "Ã", "©"]
    assert byte_inputs(100, text=None, sequence=5, batch=1).input_ids.max() < 100
    with pytest.raises(BadInput, match="sequence asks for 9 tokens, but the text has 3"):
        byte_inputs(256, text="aé", sequence=9, batch=1)


def test_the_padded_input_is_of_the_text_on_both_sides(entry: Entry) -> None:
    text = tokens(entry, sequence=40)
    found = padded(text, positions=64, vocabulary=300, model_folder=entry.folder)
    ids, mask = found.input_ids, found.attention_mask
    assert mask.tolist() == [[1] * 12, [0] * 5 + [1] * 7, [1] * 7 + [0] * 5]
    assert ids[0].tolist() == text.input_ids[0, :12].tolist()
    assert ids[1, 5:].tolist() == ids[2, :7].tolist() == text.input_ids[0, 12:19].tolist()
    assert not ids[mask == 0].any()


def test_of_a_short_text_or_a_short_model_the_padded_input_is_made_too(entry: Entry) -> None:
    text = tokens(entry, "ab")
    again = padded(text, positions=64, vocabulary=300, model_folder=entry.folder)
    assert again.input_ids[0].tolist() == text.input_ids[0].tolist() * 6
    short = padded(text, positions=4, vocabulary=300, model_folder=entry.folder)
    assert short.attention_mask.tolist() == [[1] * 4, [0, 0, 1, 1], [1, 1, 0, 0]]


@pytest.mark.parametrize(("said", "used"), [(7, 7), (-1, 0), (None, 0), (300, 0)])
def test_padding_is_the_models_own_token_where_it_has_one(entry: Entry, tmp_path: Path, said, used: int) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"pad_token_id": said}))
    found = padded(tokens(entry, "ab"), positions=64, vocabulary=300, model_folder=tmp_path)
    assert set(found.input_ids[found.attention_mask == 0].tolist()) == {used}


@pytest.fixture
def bert_folder(tmp_path: Path) -> Path:
    """A folder with a tokenizer that adds [CLS] and [SEP] to a text, ids 0 and 1, and letters from id 2 on."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Split
    from tokenizers.processors import TemplateProcessing

    vocabulary = {"[CLS]": 0, "[SEP]": 1, **{letter: i + 2 for i, letter in enumerate("abcdefghijklmnopqrstuvwxyz")}}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="a"))
    tokenizer.pre_tokenizer = Split("", "isolated")
    tokenizer.add_special_tokens(["[CLS]", "[SEP]"])
    tokenizer.post_processor = TemplateProcessing("[CLS] $A [SEP]", special_tokens=[("[CLS]", 0), ("[SEP]", 1)])
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=32)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "config.json").write_text(json.dumps({"pad_token_id": 9}))
    return tmp_path


def test_a_text_is_refused_of_which_the_tokenizer_can_make_too_much(bert_folder: Path) -> None:
    from tokenizers import Regex, Tokenizer
    from tokenizers.normalizers import Lowercase, Prepend, Replace, Sequence

    tokenizer = Tokenizer.from_file(str(bert_folder / "tokenizer.json"))
    steps = [Lowercase(), Prepend("b"), Replace("a", "b" * 100), Replace(Regex("b*"), "c" * 1000)]
    tokenizer.normalizer = Sequence(steps)
    tokenizer.save(str(bert_folder / "tokenizer.json"))
    message = f"the tokenizer of {bert_folder.name} can make 100,201,100 bytes of the text, which has 1,000, before it"
    with pytest.raises(BadInput, match=message):
        tokenize(bert_folder, text="a" * 1000, sequence=5, batch=1, positions=64)
    assert tokenize(bert_folder, text="aaa", sequence=5, batch=1, positions=64).tokens == ["[CLS]", *"cccc"]


def test_each_sequence_of_an_encoder_is_a_whole_text(bert_folder: Path) -> None:
    found = tokenize(bert_folder, text="abcdefgh", sequence=5, batch=2, positions=64, whole=True)
    assert found.input_ids.tolist() == [[0, 2, 3, 4, 1], [0, 6, 7, 8, 1]]
    assert found.tokens == ["[CLS]", "a", "b", "c", "[SEP]"]
    assert found.specials == (1, 1)
    all_of_it = tokenize(bert_folder, text="abc", sequence=None, batch=1, positions=64, whole=True)
    assert all_of_it.input_ids.tolist() == [[0, 2, 3, 4, 1]]
    cut = tokenize(bert_folder, text="abcdefgh", sequence=1, batch=1, positions=64, whole=True)
    assert cut.input_ids.tolist() == [[0]]


def test_the_padded_input_of_an_encoder_has_texts_that_differ(bert_folder: Path) -> None:
    text = "abcdefghijklmnopqrstuvwxyz"
    inputs = tokenize(bert_folder, text=text, sequence=None, batch=1, positions=64, whole=True)
    found = padded(inputs, positions=64, vocabulary=28, model_folder=bert_folder, sequences=PADDED_TEXTS)
    ids, mask = found.input_ids, found.attention_mask
    assert mask.sum(axis=1).tolist() == [12, 7, 8, 10, 9, 11, 5, 6]
    assert (ids[mask == 0] == 9).all()
    texts = [row[kept.astype(bool)].tolist() for row, kept in zip(ids, mask, strict=True)]
    assert texts[0] == [0, *range(2, 12), 1]
    assert texts[1] == [0, *range(12, 17), 1]
    assert all((row[0], row[-1]) == (0, 1) for row in texts)
    assert len({tuple(row) for row in texts}) == len(texts)
    assert mask[1].tolist() == [0] * 5 + [1] * 7
    assert mask[2].tolist() == [1] * 8 + [0] * 4
    short = padded(inputs, positions=6, vocabulary=28, model_folder=bert_folder, sequences=PADDED_TEXTS)
    assert short.attention_mask.sum(axis=1).tolist() == [6, 3, 4, 5, 4, 5, 2, 3]
