"""Test which files of a model folder are read: all are in the digest, and none is outside the folder."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from export.errors import BadInput
from export.model_folder import INDEX, MissingShard, model_files, weight_files
from export.models import load, read_weights
from export.sources import find


def edit(path: Path, change: Callable[[dict], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def name_in_index(folder: Path, name: object) -> None:
    """Change the index of a sharded model so that its final norm is in the file `name`."""
    edit(folder / INDEX, lambda index: index["weight_map"].update({"transformer.ln_f.bias": name}))


def test_a_sharded_model_is_its_index_and_shards(sharded: Path, tiny) -> None:
    names = [path.name for path in model_files(sharded)]
    shards = sorted(path.name for path in sharded.glob("*.safetensors"))
    assert names == ["config.json", "generation_config.json", INDEX, *shards]
    assert torch.equal(load(find(str(sharded))).model.lm_head.weight, tiny().lm_head.weight)


def test_an_index_next_to_one_file_of_weights_is_not_read(sharded: Path, tiny) -> None:
    """transformers does not read it either, so the digest covers exactly the files that are loaded."""
    tiny(seed=5).save_pretrained(sharded.with_name("whole"))
    shutil.copy(sharded.with_name("whole") / "model.safetensors", sharded)
    before = find(str(sharded))
    name_in_index(sharded, "pytorch_model.bin")
    assert weight_files(sharded) == [sharded / "model.safetensors"]
    assert find(str(sharded)) == before
    assert torch.equal(read_weights(sharded).lm_head.weight, tiny(seed=5).lm_head.weight)


@pytest.mark.parametrize(
    "name",
    ["pytorch_model.bin", "../other.safetensors", "/tmp/other.safetensors", "sub/other.safetensors", "..", "", None, 3],
)
def test_an_index_names_safetensors_of_its_own_folder_and_nothing_else(sharded: Path, name: object) -> None:
    """The name is refused, although in most of these cases the file exists."""
    other = sharded / str(name)
    if isinstance(name, str) and name.endswith((".bin", "sub/other.safetensors", "../other.safetensors")):
        other.parent.mkdir(exist_ok=True)
        shutil.copy(next(sharded.glob("*.safetensors")), other)
    name_in_index(sharded, name)
    message = rf"index\.json names '{name}'; an index may name only safetensors files in its own folder\."
    for use in (find, lambda folder: read_weights(Path(folder))):
        with pytest.raises(BadInput, match=message) as error:
            use(str(sharded))
        assert f"M.from_pretrained('{sharded}').save_pretrained('{sharded}-safetensors')" in str(error.value)


def test_a_shard_that_is_missing_is_named(sharded: Path) -> None:
    name_in_index(sharded, "model-9.safetensors")
    with pytest.raises(MissingShard, match=r"names model-9\.safetensors, which is not in the folder; copy it there"):
        find(str(sharded))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("not json", r"index\.json cannot be read: it is not JSON: Expecting value: line 1"),
        ("\0\0", r"index\.json cannot be read: it is not JSON: Expecting value: line 1"),
        ("[" * 100_000, r"index\.json cannot be read: it is nested too deeply"),
        (
            "[]",
            r"index\.json cannot be read: it holds a JSON list, not an object; save the model again",
        ),
        ("{}", r"index\.json has no weight_map, which maps tensors to files; save the model again"),
        ('{"weight_map": []}', r"index\.json has no weight_map"),
        ('{"weight_map": {}}', r"index\.json has no weight_map"),
    ],
)
def test_an_index_that_is_none(sharded: Path, content: str, message: str) -> None:
    (sharded / INDEX).write_text(content)
    with pytest.raises(BadInput, match=message):
        find(str(sharded))


def test_links_are_followed(sharded: Path, tmp_path: Path, tiny) -> None:
    """Hugging Face's library stores each file of a snapshot as a link to a file that is named by its digest."""
    snapshot, blobs = tmp_path / "snapshot", tmp_path / "blobs"
    snapshot.mkdir()
    blobs.mkdir()
    for number, path in enumerate(sorted(sharded.iterdir())):
        (blobs / str(number)).write_bytes(path.read_bytes())
        (snapshot / path.name).symlink_to(Path("..") / "blobs" / str(number))
    assert find(str(snapshot)).revision == find(str(sharded)).revision
    assert torch.equal(read_weights(snapshot).lm_head.weight, tiny().lm_head.weight)


@pytest.fixture
def with_tokenizer(sharded: Path) -> Path:
    """The folder of the sharded model with a tokenizer, and with files that are never read."""
    from export.tokens import byte_tokenizer

    byte_tokenizer().save_pretrained(sharded)
    (sharded / "chat_template.jinja").write_text("{{ messages }}")
    (sharded / "README.md").write_text("a model")
    (sharded / "trainer_state.json").write_text("{}")
    (sharded / "unnamed.safetensors").write_bytes(b"not named by the index")
    return sharded


def test_a_change_of_any_file_that_is_read_changes_the_digest(with_tokenizer: Path) -> None:
    before = find(str(with_tokenizer)).revision
    read = {path.name for path in model_files(with_tokenizer)}
    assert read >= {INDEX, "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"}
    for path in sorted(with_tokenizer.iterdir()):
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]) if path.suffix == ".safetensors" else content + b" ")
        assert (find(str(with_tokenizer)).revision != before) == (path.name in read), path.name
        path.write_bytes(content)
    assert find(str(with_tokenizer)).revision == before


def test_loading_opens_no_other_file(with_tokenizer: Path) -> None:
    """Only files that Python opens are checked. safetensors opens the weights itself, by the names that it is given."""
    code = f"""
import sys
from pathlib import Path
from export.models import load
from export.sources import find
folder = Path({str(with_tokenizer)!r})
opened = set()
sys.addaudithook(lambda event, arguments: opened.add(str(arguments[0])) if event == "open" else None)
load(find(str(folder)))
print(*sorted({{path.name for path in map(Path, opened) if path.parent == folder}}))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    opened = set(run.stdout.splitlines()[-1].split())
    assert opened >= {"config.json", "tokenizer.json", "generation_config.json", INDEX}
    assert opened <= {path.name for path in model_files(with_tokenizer)}


def test_other_ways_out_of_the_folder_are_refused(folder: Path) -> None:
    config = (folder / "config.json").read_text()
    edit(folder / "config.json", lambda content: content.update(transformers_weights="../x.safetensors"))
    with pytest.raises(
        BadInput, match=r"config\.json names '\.\./x\.safetensors' as the weights file; only model\.safetensors "
    ):
        find(str(folder))
    (folder / "config.json").write_text(config)
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(
        BadInput, match=r"it is a PEFT adapter, whose base model is stored elsewhere\. Merge the two with"
    ):
        find(str(folder))


def test_weights_under_another_name(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "consolidated.safetensors")
    with pytest.raises(BadInput, match=r"has consolidated\.safetensors but neither model\.safetensors nor model\.safe"):
        find(str(folder))


@pytest.mark.parametrize("content", ["", "[1]", "{", "\0"])
def test_a_configuration_that_is_no_json_object(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content)
    with pytest.raises(BadInput, match=r"config\.json cannot be read: it (is not JSON: |holds a JSON list)"):
        find(str(folder))
