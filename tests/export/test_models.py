"""Tests of loading models, and of the errors for models that are refused."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from export.errors import BadInput, CannotRun
from export.models import MiniTransformer, changed, load, read_weights
from export.sources import Source, find
from export.tokens import byte_tokenizer


def test_a_folder_loads_with_the_byte_alphabet_where_it_has_no_tokenizer(tiny_folder: Path, tiny) -> None:
    model, tokenizer, provenance = load(find(str(tiny_folder)))
    assert len(tokenizer) == 256
    assert provenance.label.startswith("folder tiny (sha256 ")
    assert torch.equal(model.lm_head.weight, tiny().lm_head.weight)


def test_tensors_that_are_missing_are_never_made_up(tiny_folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    tensors = load_file(folder / "model.safetensors")
    del tensors["transformer.h.1.mlp.c_fc.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadInput, match=r"lack 1 tensors of the model, first transformer\.h\.1\.mlp\.c_fc\.weight"):
        read_weights(folder)


@pytest.mark.parametrize("damage", [b"", b"\xff" * 64])
def test_a_file_that_is_no_safetensors(tiny_folder: Path, tmp_path: Path, damage: bytes) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    (folder / "model.safetensors").write_bytes(damage)
    with pytest.raises(BadInput, match="cannot be loaded: "):
        read_weights(folder)


def test_remote_code_never_runs(tiny_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "unheard_of", "auto_map": {"AutoModelForCausalLM": "evil.Model", "AutoConfig": "evil.C"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(BadInput, match="cannot be loaded"):
        read_weights(folder)
    assert not (tmp_path / "ran").exists()


def test_offline_fails_at_once_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CannotRun, match="'someone/model' cannot be loaded: --offline was given") as error:
        load(find("someone/model"), offline=True)
    assert "--model FOLDER" in str(error.value)


def test_a_name_that_can_be_none(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="the model's name is empty"):
        find(" ")
    with pytest.raises(BadInput, match="'bad name!' is not a model name, folder or hub id"):
        load(find("bad name!"), offline=True)


def test_a_live_model_that_was_changed_has_a_source_of_its_own(tiny_folder: Path) -> None:
    loaded = load(find(str(tiny_folder)))
    assert changed(loaded) == loaded.provenance
    with torch.no_grad():
        loaded.model.transformer.h[0].attn.c_attn.bias[0] += 1
    source = changed(loaded)
    assert source.kind == "module"
    assert source.label.startswith("changed in memory, from folder tiny (sha256 ")
    assert changed(loaded) == source


def test_a_model_that_was_never_loaded_here_has_a_source_too(tiny) -> None:
    source = changed(MiniTransformer(tiny(), byte_tokenizer(), Source("folder", "mine", "mine", "0")))
    assert source.kind == "module"
