"""Test that a model is exported once and then looked up in the cache, even if its source no longer exists."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from export import exporting, models, sources
from export.cache import MANIFEST, Entry, damaged, publish
from export.errors import BadInput, CannotRun, NotAvailable
from export.exporting import entry_key, export_model, exported
from export.manifest import Manifest
from export.sealed import SEAL
from export.sources import Source
from tests.helpers.cache_entries import build


@pytest.fixture
def never_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the test fail if anything is exported or loaded."""

    def refuse(*_, **__):
        raise AssertionError("exported again")

    monkeypatch.setattr(exporting, "_build", refuse)
    monkeypatch.setattr(models, "load", refuse)


def test_a_second_export_is_a_look_up(entry: Entry, tiny_folder: Path, never_export) -> None:
    assert exported(str(tiny_folder)) == entry


def test_a_folder_whose_files_have_not_moved_is_not_read(
    entry: Entry, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_digest", lambda files: pytest.fail("read the weights"))
    assert exported(str(tiny_folder)) == entry


def test_a_copy_of_a_folder_is_the_same_model(entry: Entry, tiny_folder: Path, tmp_path: Path, never_export) -> None:
    copy = shutil.copytree(tiny_folder, tmp_path / "tiny", copy_function=shutil.copyfile)
    assert exported(str(copy)) == entry


def test_a_folder_that_is_gone_is_taken_from_the_cache(tiny_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "short-lived")
    own_cache = tmp_path / "cache"
    first = exported(str(folder), cache_dir=own_cache)
    shutil.rmtree(folder)
    again = exported(str(folder), offline=True, cache_dir=own_cache)
    assert again == first
    note = f"the folder short-lived no longer exists; using its earlier export {first.folder.name}"
    assert (first.notes, again.notes) == ([], [note])
    with pytest.raises(CannotRun, match="model 'short-lived' cannot be loaded"):  # not the folder's name: a hub id
        exported("short-lived", offline=True, cache_dir=own_cache)


@pytest.fixture
def of_the_hub(tmp_path: Path) -> Entry:
    """The entry of a hub model without a pin, in a cache of its own, as version 0 of an export made it."""
    source = Source("hub", "tiny", "someone/tiny", "0123456789abcdef0123456789abcdef01234567")

    def make(folder: Path) -> Manifest:
        return replace(build(folder), source=source)

    return publish(tmp_path / "cache", source.name, entry_key(source, "dynamo"), make)


def test_a_hub_model_stays_at_its_first_revision(of_the_hub: Entry, tmp_path: Path, never_export) -> None:
    assert exported("someone/tiny", cache_dir=tmp_path / "cache") == of_the_hub


def test_a_hub_model_is_exported_again_at_that_revision_after_an_upgrade(
    of_the_hub: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Source] = []

    def load(source: Source, **_: Any) -> None:
        asked.append(source)
        raise NotAvailable("the hub does not answer")

    monkeypatch.setattr(models, "load", load)
    monkeypatch.setattr(exporting, "_REVISION", 999)
    found = exported("someone/tiny", cache_dir=tmp_path / "cache")
    assert asked == [of_the_hub.manifest.source]
    (note,) = found.notes
    assert note.startswith("someone/tiny is available neither from the hub nor as a download; using its earlier export")


def test_a_model_that_does_not_fit_into_memory_has_no_stand_in(
    of_the_hub: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: Any, **__: Any) -> None:
        raise CannotRun("it needs 900 GB of memory")

    monkeypatch.setattr(models, "load", load)
    monkeypatch.setattr(exporting, "_REVISION", 999)
    with pytest.raises(CannotRun, match="900 GB"):
        exported("someone/tiny", cache_dir=tmp_path / "cache")


def alter(manifest: Path, change: Callable[[dict], object]) -> None:
    content = json.loads(manifest.read_text())
    change(content)
    content.pop(SEAL)  # of the content before
    manifest.write_text(json.dumps(content))


def test_a_download_that_is_gone_is_taken_from_the_cache(
    entry: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pinned model was exported with another version of a package, and is no longer on the hub or downloaded."""

    def refuse(*_, **__):
        raise NotAvailable("not to be had")

    monkeypatch.setattr(models, "load", refuse)
    copy = shutil.copytree(entry.folder, tmp_path / "models" / "distilgpt2-0123456789ab")
    pin = sources.PINS["distilgpt2"]
    source = {"kind": "hub", "name": "distilgpt2", "origin": pin.repository, "revision": pin.revision}
    alter(copy / MANIFEST, lambda manifest: manifest["source"].update(source))
    found = exported("distilgpt2", offline=True, cache_dir=tmp_path)
    assert found.folder == copy
    assert found.notes == [
        "distilbert/distilgpt2 is available neither from the hub nor as a download; using its earlier export "
        "distilgpt2-0123456789ab"
    ]


@pytest.mark.slow
def test_what_an_older_version_exported_is_exported_anew(entry: Entry, tiny_folder: Path, tmp_path: Path) -> None:
    """An older manifest lacks the facts about the checkpoint that every report must mention."""
    old = shutil.copytree(entry.folder, tmp_path / "models" / "tiny-0123456789ab")
    alter(old / MANIFEST, lambda manifest: (manifest.pop("checkpoint"), manifest.update(schema=1)))
    new = exported(str(tiny_folder), cache_dir=tmp_path)
    assert new.folder != old
    assert new.manifest.checkpoint == entry.manifest.checkpoint
    error = damaged(tmp_path)[old.name]
    assert str(error) == (
        "tiny-0123456789ab was written under cache schema 1, but this version uses 3; "
        "remove it: python -m export --remove tiny-0123456789ab"
    )


def test_a_changed_folder_is_exported_anew(entry: Entry, tiny, tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    tiny(seed=5).save_pretrained(folder)
    assert exported(str(folder)).folder != entry.folder


def test_what_decides_the_key() -> None:
    key = entry_key(Source("folder", "a", "/a", "1"), "dynamo")
    assert key == entry_key(Source("folder", "a", "/elsewhere/a", "1"), "dynamo")
    assert key != entry_key(Source("folder", "a", "/a", "2"), "dynamo")
    assert key != entry_key(Source("folder", "a", "/a", "1"), "optimum")
    assert len(key) == 12


def test_an_unknown_exporter() -> None:
    with pytest.raises(BadInput, match=r"unknown exporter 'dynam'; did you mean dynamo\?"):
        exported("distilgpt2", exporter="dynam")


def test_a_named_hub_model_never_falls_back(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="model 'someone/model' cannot be loaded: --offline was given"):
        exported("someone/model", offline=True, fallback="seeded", cache_dir=tmp_path)


@pytest.mark.slow
def test_a_live_model_is_exported_as_it_is_now(entry: Entry, tiny_folder: Path, tmp_path: Path) -> None:
    """The test uses its own cache, because other tests' changed models have the same name."""
    loaded = models.load(sources.find(str(tiny_folder)))
    assert export_model(loaded) == entry
    with torch.no_grad():
        loaded.model.lm_head.weight[0, 0] += 1
    other = export_model(loaded, cache_dir=tmp_path)
    assert other.folder.name != entry.folder.name
    assert other.manifest.source.kind == "module"
    assert exported("tiny-changed", cache_dir=tmp_path) == other
    assert models.read_weights(other.folder).lm_head.weight[0, 0] == loaded.model.lm_head.weight[0, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m._replace(tokenizer=None), "the tokenizer of the loaded model is None; it must be a PreTrained"),
        (lambda m: m._replace(provenance="x"), "the provenance of the loaded model is 'x'; it must be a Source"),
        (lambda m: m._replace(model=torch.nn.Linear(1, 1)), "the model of the loaded model is Linear("),
        (lambda m: m.model.to("meta"), "parameter transformer.wte.weight is on meta; models are exported from the CPU"),
        (lambda m: m.model.register_forward_hook(print), "the model has a hook, which a graph does not contain"),
        (lambda m: m.model.lm_head.register_forward_pre_hook(print), "lm_head has a hook, which a graph does not"),
    ],
)
def test_a_live_model_that_cannot_be_exported(change: Callable[[Any], Any], message: str, tiny_folder: Path) -> None:
    loaded = models.load(sources.find(str(tiny_folder)))
    result = change(loaded)
    with pytest.raises(BadInput) as error:
        export_model(result if isinstance(result, models.MiniTransformer) else loaded)
    assert str(error.value).startswith(message)


def test_half_precision_is_refused_with_the_way_out(tiny_folder: Path) -> None:
    loaded = models.load(sources.find(str(tiny_folder)))
    loaded.model.bfloat16()
    with pytest.raises(BadInput, match=r"is torch\.bfloat16; models are exported from float32: call model\.float\(\)"):
        export_model(loaded)


def test_a_full_disk_is_said_before_anything_is_written(entry, tiny, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 0))
    folder = tmp_path / "tiny"
    tiny(seed=6).save_pretrained(folder)
    with pytest.raises(CannotRun, match=r"but only 0\.0 GB are free; remove models \(python -m export --list"):
        exported(str(folder), cache_dir=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_the_manifest_says_what_the_model_is(entry: Entry) -> None:
    expected = {"type": "gpt2", "layers": 2, "heads": 4, "key_value_heads": 4, "head_dim": 16, "hidden": 64}
    expected |= {"vocabulary": 300, "positions": 64, "tokens": "bytes"}
    assert expected.items() <= entry.manifest.model.items()
    assert entry.manifest.opset == 20
    assert entry.manifest.versions["torch"] == torch.__version__
