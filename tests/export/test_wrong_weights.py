"""Test that weights files that are cut, lie, or do not fit the model are refused before their tensors take memory."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from export import memory
from export.errors import BadInput, CannotRun
from export.model_folder import INDEX
from export.models import load
from export.sources import find
from export.weights_file import tensors_in
from tests.helpers.refused import BEFORE_5, edited, refusal


def file_of(path: Path, header: Any, data: bytes = b"", length: int | None = None) -> None:
    """Write a safetensors file. header: its JSON, or bytes in its place. length: the length that the file says."""
    content = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(content) if length is None else length).to_bytes(8, "little") + content + data)


def tensor(dtype: object = "F32", shape: object = (2,), offsets: object = (0, 8)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


#: The content of a file -> what the message says.
FILES: list[tuple[Callable[[Path], object], str]] = [
    (lambda path: path.write_bytes(b""), "it has 0 bytes, and its header alone would have 8"),
    (lambda path: path.write_bytes(path.read_bytes()[:5]), "it has 5 bytes"),
    (lambda path: path.write_bytes(path.read_bytes()[:-1]), " bytes, and its header says "),
    (lambda path: path.write_bytes(path.read_bytes() + b"\0"), " bytes, and its header says "),
    (lambda path: path.write_bytes(path.read_bytes()[:200]), "and its header alone would have"),
    (lambda path: file_of(path, {}, length=2**60), "its header alone would have 1,152,921,504,606,846,984"),
    (lambda path: path.write_bytes(b"\xff" * 64), "its header alone would have"),
    (lambda path: file_of(path, b"{"), "its header is not JSON"),
    (lambda path: file_of(path, b"[" * 10**5), "its header is not JSON"),
    (lambda path: file_of(path, []), "its header is not a JSON object"),
    (lambda path: file_of(path, {"a": 1}), "its header has 1 for 'a'"),
    (lambda path: file_of(path, {"a": tensor("F99")}, bytes(8)), "the type of 'a' is 'F99'; known: F64"),
    (lambda path: file_of(path, {"a": tensor(["F32"])}, bytes(8)), "the type of 'a' is ['F32']"),
    (lambda path: file_of(path, {"a": tensor(shape=[-2])}, bytes(8)), "the shape of 'a' is [-2]"),
    (lambda path: file_of(path, {"a": tensor(shape=[True])}, bytes(8)), "the shape of 'a' is [True]"),
    (lambda path: file_of(path, {"a": tensor(shape=[1] * 99)}, bytes(8)), "the shape of 'a' is [1, 1, 1"),
    (
        lambda path: file_of(path, {"a": tensor(shape=[3])}, bytes(8)),
        "'a' is F32 of shape [3], but its place has 8 bytes",
    ),
    (lambda path: file_of(path, {"a": tensor(shape=[2**62, 4])}, bytes(8)), "but its place has 8 bytes"),
    (lambda path: file_of(path, {"a": tensor(offsets=[8, 0])}, bytes(8)), "but its place has -8 bytes"),
    (lambda path: file_of(path, {"a": tensor(offsets=[0])}, bytes(8)), "the place of 'a' is [0]"),
    (lambda path: file_of(path, {"a": tensor(offsets=[8, 16])}, bytes(16)), "'a' begins at byte "),
    (lambda path: file_of(path, {"a": tensor(), "b": tensor()}, bytes(8)), "'b' begins at byte "),
    (lambda path: file_of(path, {"a" * 10**5: tensor("F1")}, bytes(8)), "... (100,000 characters) is 'F1'"),
]


@pytest.mark.parametrize(("damage", "message"), FILES)
def test_a_file_that_is_no_safetensors(folder: Path, damage, message: str) -> None:
    path = folder / "model.safetensors"
    damage(path)
    with pytest.raises(BadInput) as error:
        tensors_in(path)
    said = str(error.value)
    assert said.startswith(f"the weights file {path} cannot be read: ")
    assert message in said
    assert said.endswith("; copy or download it again")
    assert refusal(str(folder)) == said


def test_a_sparse_file_of_a_terabyte_is_not_read(folder: Path) -> None:
    """Its header is right, and its digest would take an hour."""
    size = 2**40
    file_of(folder / "model.safetensors", {"a": tensor(shape=[size // 4], offsets=[0, size])})
    with (folder / "model.safetensors").open("r+b") as file:
        file.truncate(file.seek(0, 2) + size)
    message = refusal(str(folder), CannotRun)
    assert message.startswith(f"the model in {folder} needs about 1,099.5 GB of memory, and ")


def rewritten(folder: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> Path:
    from safetensors.torch import load_file, save_file

    tensors = change(load_file(folder / "model.safetensors"))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_tensors_of_other_shapes_are_named_with_both(folder: Path) -> None:
    rewritten(folder, lambda tensors: tensors | {"transformer.ln_f.bias": torch.ones(63)})
    message = refusal(str(folder))
    assert (
        "do not fit its config.json in 1 tensors: transformer.ln_f.bias has shape (63,), and the model (64,)" in message
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_no_numbers(folder: Path, value: float) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        tensors["transformer.h.1.mlp.c_fc.weight"][3, 5] = value
        return tensors

    message = refusal(str(rewritten(folder, change)))
    assert "has NaN or infinity in 1 tensors, first transformer.h.1.mlp.c_fc.weight" in message


def test_a_file_of_another_framework(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "abacus"})
    if BEFORE_5:
        assert "cannot be loaded: Incompatible safetensors file" in refusal(str(folder))
    else:  # transformers 5 reads the tensors all the same
        assert load(find(str(folder))).provenance.kind == "folder"


def test_a_tensor_in_two_files(sharded: Path) -> None:
    from safetensors.torch import save_file

    save_file({"transformer.ln_f.bias": torch.ones(64)}, sharded / "more.safetensors", metadata={"format": "pt"})
    content = json.loads((sharded / INDEX).read_text())
    content["weight_map"]["another"] = "more.safetensors"
    (sharded / INDEX).write_text(json.dumps(content))
    assert "both have the tensor 'transformer.ln_f.bias'" in refusal(str(sharded))


def test_a_shard_that_is_a_link_out_of_the_folder(sharded: Path, tmp_path: Path) -> None:
    shard = sorted(sharded.glob("*.safetensors"))[0]
    outside = shard.rename(tmp_path / "outside.safetensors")
    shard.symlink_to(outside)
    message = refusal(str(sharded))
    assert f"names {shard.name}, which is a link to {outside}, a file outside the folder; copy that file to" in message


def test_a_shard_that_is_a_link_in_the_folder(sharded: Path, tiny) -> None:
    from export.models import load
    from export.sources import find

    shard = sorted(sharded.glob("*.safetensors"))[0]
    shard.symlink_to(shard.rename(sharded / "stored.bin").name)
    assert torch.equal(load(find(str(sharded))).model.lm_head.weight, tiny().lm_head.weight)


#: The index -> what the message says.
INDEXES = [
    (b"", "cannot be read: it is not JSON"),
    (b"[]", "holds a JSON list, not an object"),
    (b'{"weight_map": [1]}', "has no weight_map, which maps tensors to files"),
    (
        json.dumps({"weight_map": {f"t{i}": f"{i}.safetensors" for i in range(20_000)}}).encode(),
        "names 20,000 files; at",
    ),
    (json.dumps({"weight_map": {"a": "x" * 300 + ".safetensors"}}).encode(), "its name is too long"),
    (b'{"weight_map": {"a": "\\ud800.safetensors"}}', "no file can have this name"),
    (b'{"weight_map": {"a": "\\u0000.safetensors"}}', "no file can have this name"),
    (b'{"weight_map": {"a": "a\\u001b.safetensors"}}', "which is not in the folder"),
    (b'{"weight_map": {"a": "sub/../../a.safetensors"}}', "may name only safetensors files in its own folder"),
    (b'{"weight_map": {"a": "~/a.safetensors"}}', "may name only safetensors files in its own folder"),
]


@pytest.mark.parametrize(("content", "message"), INDEXES)
def test_an_index_that_is_none(sharded: Path, content: bytes, message: str) -> None:
    (sharded / INDEX).write_bytes(content)
    assert message in refusal(str(sharded))


def test_a_folder_in_the_place_of_a_shard(sharded: Path) -> None:
    shard = sorted(sharded.glob("*.safetensors"))[0]
    shard.unlink()
    shard.mkdir()
    assert "it is a folder, not a regular file" in refusal(str(sharded))


def test_an_export_needs_more_memory_than_the_model(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from export.exporting import exported

    answers = iter([10**9, 10**9, 10**9, 1])
    monkeypatch.setattr(memory, "available_bytes", lambda: next(answers))
    edited(folder / "config.json", {"layer_norm_epsilon": 1e-6})
    with pytest.raises(CannotRun, match=r"the export of model needs about 0\.0 GB of memory, and 0\.0 GB are free;"):
        exported(str(folder), cache_dir=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
