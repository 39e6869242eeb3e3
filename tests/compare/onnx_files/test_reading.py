"""Test that an ONNX file is refused in one line if it is incomplete or its weights are not next to it."""

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto

from compare.pipeline.compare_model import compare
from compare.pipeline.settings import Settings
from export.cache import Entry
from export.errors import BadInput
from tests.helpers.graphs import saved


def cut_short(entry: Entry, folder: Path) -> Path:
    path = folder / "cut.onnx"
    path.write_bytes((entry.folder / "inspect.onnx").read_bytes()[:-1000])
    return path


def of_text(entry: Entry, folder: Path) -> Path:
    path = folder / "text.onnx"
    path.write_text("<html>404: not found</html>")
    return path


def empty(entry: Entry, folder: Path) -> Path:
    path = folder / "empty.onnx"
    path.touch()
    return path


def weights_at(location: str, offset: str = "0"):
    def make(entry: Entry, folder: Path) -> Path:
        model = onnx.load(entry.folder / "deploy.onnx", load_external_data=False)
        tensor = next(t for t in model.graph.initializer if t.data_location == TensorProto.EXTERNAL)
        for other in model.graph.initializer:
            for pair in other.external_data:
                if pair.key == "location":
                    pair.value = location
                if pair.key == "offset" and other is tensor:
                    pair.value = offset
        (folder / "short.bin").write_bytes(b"12345678")
        (folder / "inner").mkdir(exist_ok=True)
        if not (folder / "inner" / "link.bin").is_symlink():
            (folder / "inner" / "link.bin").symlink_to(entry.folder / "model.safetensors")
        return saved(model, folder / "inner" / "weights.onnx")

    return make


BROKEN = [
    (lambda entry, folder: folder / "none.onnx", "none.onnx cannot be read: it does not exist"),
    (lambda entry, folder: folder, "cannot be read: it is a folder, not a regular file"),
    (cut_short, "is not a complete ONNX graph; export it again, or copy it again"),
    (of_text, "text.onnx (27 bytes) is not a complete ONNX graph"),
    (empty, "empty.onnx (0 bytes) is not a complete ONNX graph"),
    (weights_at("../short.bin"), "weights.onnx refers to a file outside its folder: "),
    (weights_at("/etc/passwd"), "in '/etc/passwd'; save it again with its weights next to it"),
    (weights_at("C:\\weights.bin"), "weights.onnx refers to a file outside its folder"),
    (weights_at("..\\short.bin"), "weights.onnx refers to a file outside its folder"),
    (weights_at("link.bin"), "weights.onnx refers to a file outside its folder"),
    (weights_at(""), "which is not a regular file; export it again"),
    (weights_at("*/_ORT_MEM_ADDR_/*"), "which does not exist; copy it too"),
    (weights_at("weights.onnx", "9999999"), "The file is incomplete or belongs to another export; copy it again"),
    (weights_at("weights.onnx", "ten"), "gives no valid offset and length of"),
]


@pytest.mark.parametrize(("make", "message"), BROKEN)
def test_a_broken_file_is_refused_and_nothing_is_written(
    entry: Entry, tiny_folder: Path, tmp_path: Path, make, message: str
) -> None:
    path = make(entry, tmp_path)
    with pytest.raises(BadInput) as error:
        compare(str(tiny_folder), Settings.of(runtimes=[], onnx=path, out=tmp_path / "out"))
    assert message in str(error.value)
    assert not (tmp_path / "out").exists()
