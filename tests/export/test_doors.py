"""Fuzz what is read from outside: random values in random places are refused in one line, or they load.

Each test calls the function that reads the file, not the command, so that thousands of cases take seconds.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from export.cache import Entry, damaged, entries, entry_in, verify
from export.configuration import configuration_of
from export.errors import ComparisonError
from export.model_folder import INDEX, check_weights, model_files
from export.pooling import pooling_of
from export.tokens import byte_tokenizer, read_tokenizer
from export.weights_file import tensors_in

#: How many cases each test has.
CASES = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.sampled_from([0, -1, 1, 10**9, "", "..", "../x", "/etc/passwd", "\0", "\ud800", "a" * 300, "nan"])
    | st.floats()
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(content: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of each value in a JSON value, the value itself first."""
    keys = content.keys() if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ()
    return [path, *(place for key in keys for place in places(content[key], (*path, key)))]


def altered(content: Any, place: tuple[Any, ...], value: Any) -> Any:
    """Return a JSON value with another value in one place."""
    if not place:
        return value
    copy = json.loads(json.dumps(content))
    parent = copy
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = value
    return copy


@st.composite
def alterations(draw: st.DrawFn, content: Any) -> bytes:
    """JSON with one to three random values in random places, which may be cut."""
    for _ in range(draw(st.integers(1, 3))):
        content = altered(content, draw(st.sampled_from(places(content))), draw(VALUES))
    text = json.dumps(content).encode()
    return text[: draw(st.integers(0, len(text)))] if draw(st.integers(0, 9)) == 0 else text


def survives(use: Callable[[], object]) -> None:
    """Check that what is read either loads or is refused in one line of bounded length."""
    try:
        use()
    except ComparisonError as error:
        assert str(error).strip()
        assert len(str(error)) < 10_000


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    byte_tokenizer().save_pretrained(folder)
    return folder


def fuzzed(path: Path, use: Callable[[], object], content: Any = None) -> None:
    """Fuzz a file of JSON. content: what it holds; by default what is there."""
    content = json.loads(path.read_text()) if content is None else content

    @CASES
    @given(alterations(content))
    def test(text: bytes) -> None:
        path.write_bytes(text)
        survives(use)

    test()


def test_configurations(folder: Path) -> None:
    fuzzed(folder / "config.json", lambda: configuration_of(folder))


@pytest.mark.parametrize("name", ["tokenizer_config.json", "special_tokens_map.json"])
def test_settings_of_tokenizers(folder: Path, name: str) -> None:
    content = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 5, "pad_token": "a", "eos_token": "b"}
    fuzzed(folder / name, lambda: read_tokenizer(folder, 300), content)


def test_tokenizers(folder: Path) -> None:
    content = json.loads((folder / "tokenizer.json").read_text())
    content["model"]["vocab"] = {"a": 0, "b": 1, "ab": 2}
    content["model"]["merges"] = ["a b"]
    fuzzed(folder / "tokenizer.json", lambda: read_tokenizer(folder, 300), content)


def test_indexes(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "a.safetensors")
    content = {"metadata": {"total_size": 5}, "weight_map": {"a": "a.safetensors", "b": "a.safetensors"}}
    fuzzed(folder / INDEX, lambda: (model_files(folder), check_weights(folder)), content)


def test_poolings(folder: Path) -> None:
    (folder / "1_Pooling").mkdir()
    content = {"word_embedding_dimension": 64, "pooling_mode_cls_token": True, "pooling_mode": ["cls"]}
    fuzzed(folder / "1_Pooling" / "config.json", lambda: pooling_of(folder), content)


def test_manifests(root: Path, thing: Entry) -> None:
    outside = root.parent / "outside"
    outside.write_text("text")

    def use() -> None:
        assert len(entries(root)) + len(damaged(root)) == 1
        verify(entry_in(thing.folder))

    fuzzed(thing.folder / "manifest.json", use)
    assert outside.read_text() == "text"


def test_headers_of_weights(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    content = {
        "__metadata__": {"format": "pt"},
        "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
        "b": {"dtype": "BF16", "shape": [2, 1], "data_offsets": [8, 12]},
    }

    @CASES
    @given(alterations(content))
    def test(header: bytes) -> None:
        path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(12))
        survives(lambda: tensors_in(path))

    test()


@CASES
@given(data=st.binary(max_size=64))
def test_any_bytes_as_weights(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    survives(lambda: tensors_in(path))
