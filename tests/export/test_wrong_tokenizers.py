"""Test that a tokenizer that cannot be read, or does not belong to the model, is refused in one line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from export.models import load
from export.sources import find
from export.tokens import byte_tokenizer
from tests.helpers.refused import BEFORE_5, edited, refusal


@pytest.fixture(scope="module")
def saved(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny GPT-2 with a tokenizer of bytes."""
    folder = shutil.copytree(tiny_folder, tmp_path_factory.mktemp("tokenizers") / "model")
    byte_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return shutil.copytree(saved, tmp_path / "model")


#: The content of tokenizer.json -> what the message says.
CONTENTS = [
    (b"", "tokenizer.json cannot be read: it is not JSON: Expecting value"),
    (b"not json", "it is not JSON"),
    (b"[]", "it holds a JSON list, not an object"),
    (b"{}", "the tokenizer in "),
    (b"\xff", "it is not UTF-8 text (byte 0)"),
    (b'{"model": ' * 10**5, "it is nested too deeply"),
    (b'{"version": "1.0", "model": {"type": "Unheard"}}', "cannot be read: "),
    (b'{"version": "1.0", "model": {"type": "BPE", "vocab": [], "merges": {}}}', "cannot be read: "),
    (b'{"version": "1.0", "model": {"type": "BPE", "vocab": {"a": -1}, "merges": []}}', "cannot be read: "),
    (b'{"version": "1.0", "model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}}', "cannot be read: "),
]


@pytest.mark.parametrize(("content", "message"), CONTENTS)
def test_a_tokenizer_that_is_none(folder: Path, content: bytes, message: str) -> None:
    (folder / "tokenizer.json").write_bytes(content)
    assert message in refusal(str(folder))


def changed(change: Callable[[dict], object]) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return edit


#: Changes of tokenizer.json that the library notices.
CHANGES = [
    lambda content: content.update(pre_tokenizer={"type": "Unheard"}),
    lambda content: content.update(pre_tokenizer={"type": "Split", "pattern": {"Regex": "(("}, "behavior": "Isolated"}),
    lambda content: content.update(normalizer={"type": "Precompiled", "precompiled_charsmap": "!"}),
    lambda content: content.update(added_tokens=[{"id": "x"}]),
    lambda content: content.update(added_tokens=5),
    lambda content: content["model"].update(type="Unigram", vocab=[["a", "b"]]),
    lambda content: content["model"].update(vocab={"a": "0"}),
    lambda content: content.update(truncation={"direction": "up"}),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_part_of_a_tokenizer_that_is_wrong(folder: Path, change, capfd: pytest.CaptureFixture[str]) -> None:
    changed(change)(folder / "tokenizer.json")
    message = refusal(str(folder))
    assert message.startswith(f"the tokenizer in {folder} cannot be read: ")
    assert message.endswith("; save the model again with save_pretrained")
    assert capfd.readouterr().err == ""


#: Settings of the tokenizer -> what the message says.
SETTINGS = [
    ({"tokenizer_class": 5}, "the tokenizer in "),
    *([({"tokenizer_class": "Unheard"}, "the tokenizer in ")] if BEFORE_5 else []),
    ({"tokenizer_class": ["GPT2Tokenizer"]}, "the tokenizer in "),
    ({"added_tokens_decoder": {"x": {"content": "a"}}}, "the tokenizer in "),
    ({"added_tokens_decoder": [1]}, "the tokenizer in "),
    *(
        [({"auto_map": {"AutoTokenizer": [None, "a.T"]}, "tokenizer_class": "T"}, "the tokenizer in ")]
        if BEFORE_5
        else []
    ),
    ({"pad_token": 5}, "the tokenizer in "),
    (
        {"tokenizer_file": "/etc/hostname"},
        "names '/etc/hostname' as its tokenizer_file; only files in the folder are read",
    ),
    ({"vocab_file": "../vocab.json"}, "names '../vocab.json' as its vocab_file;"),
    ({"gguf_file": "x.gguf"}, "names 'x.gguf' as its gguf_file;"),
    (
        {"fast_tokenizer_files": ["../tokenizer.4.0.json"]},
        "names '../tokenizer.4.0.json' among its fast_tokenizer_files;",
    ),
    ({"fast_tokenizer_files": 3}, "names 3 among its fast_tokenizer_files;"),
]


@pytest.mark.parametrize(("settings", "message"), SETTINGS)
def test_settings_of_a_tokenizer(folder: Path, settings: dict[str, object], message: str) -> None:
    edited(folder / "tokenizer_config.json", settings)
    assert message in refusal(str(folder))


@pytest.mark.parametrize("name", ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"])
@pytest.mark.parametrize("content", ["", "[]", "[" * 10**5, '"x"'])
def test_files_next_to_a_tokenizer(folder: Path, name: str, content: str) -> None:
    (folder / name).write_text(content)
    assert f"the tokenizer {folder / name} cannot be read: " in refusal(str(folder))


def test_merges_and_vocabularies(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text('{"a": 0}')
    (folder / "merges.txt").write_bytes(b"\xff\xfe")
    assert "merges.txt cannot be read: it is not UTF-8 text (byte 0)" in refusal(str(folder))
    (folder / "vocab.json").write_text('{"a": "x"}')
    (folder / "merges.txt").write_text("#version: 0.2\na\n")
    assert refusal(str(folder)).startswith(f"the tokenizer in {folder} cannot be read: ")


def test_a_vocabulary_that_is_no_text(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_bytes(b"[PAD]\n\xff\n")
    assert "vocab.txt cannot be read: it is not UTF-8 text (byte 6)" in refusal(str(folder))


def test_a_tokenizer_of_another_model(folder: Path) -> None:
    """Its ids would be outside the embedding, where the model fails or reads what is there."""
    changed(lambda content: content["model"]["vocab"].update(word=400))(folder / "tokenizer.json")
    message = refusal(str(folder))
    assert (
        "has ids up to 400, and the model's vocabulary has 300 tokens, 0 to 299: they do not belong together" in message
    )


def test_settings_that_no_version_reads_any_more(folder: Path) -> None:
    """all-MiniLM-L6-v2 has them, with the path of a machine of its authors."""
    edited(folder / "tokenizer_config.json", {"special_tokens_map_file": "/root/x.json", "full_tokenizer_file": "/x"})
    assert len(load(find(str(folder))).tokenizer) == 256
