"""Test that an ONNX file is copied for a runtime, and never changed."""

import shutil
from pathlib import Path

import onnx
import pytest

from compare.onnx_files.reading import read_onnx_file
from compare.onnx_files.staging import stage
from export.cache import Entry
from export.errors import BadInput, CannotRun
from tests.helpers.graphs import saved


def hashed(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_weights_behind_a_link_next_to_the_file(entry: Entry, tmp_path: Path) -> None:
    """As in the cache of the hub's library, both files are links to files in another folder."""
    for name in ("deploy.onnx", "model.safetensors"):
        (tmp_path / name).symlink_to(entry.folder / name)
    file = read_onnx_file(tmp_path / "deploy.onnx")
    assert file.external == {"model.safetensors": (entry.folder / "model.safetensors").resolve()}
    stage(file, {"logits": "logits"}, tmp_path / "staged")
    assert hashed(tmp_path / "staged")["model.safetensors"] == (entry.folder / "model.safetensors").read_bytes()


def test_staging_never_writes_over_the_file(entry: Entry, tmp_path: Path) -> None:
    model = onnx.load(entry.folder / "deploy.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        for pair in tensor.external_data:
            pair.value = "inspect.onnx" if pair.key == "location" else pair.value
    shutil.copyfile(entry.folder / "model.safetensors", tmp_path / "inspect.onnx")
    file = read_onnx_file(saved(model, tmp_path / "odd.onnx"))
    before = hashed(tmp_path)
    with pytest.raises(BadInput, match=r"weights are in 'inspect\.onnx', and that name is reserved; rename"):
        stage(file, {"logits": "logits"}, tmp_path / "staged")
    assert hashed(tmp_path) == before


def test_a_full_disk_is_one_line(entry: Entry, tmp_path: Path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(
        CannotRun, match=r"cannot be copied into .*: no space is left on the disk; make room, or choose"
    ):
        stage(read_onnx_file(entry.folder / "deploy.onnx"), {"logits": "logits"}, tmp_path / "staged")
