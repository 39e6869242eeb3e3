"""Test that the cache returns the same bits, no stale or damaged entries, and stays within its limit."""

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from compare.numerics import golden_cache
from compare.numerics import weigher as scales_module
from compare.numerics.imported_files import imported_files
from compare.numerics.replay import profile_of
from compare.numerics.weigher import Scales
from compare.results.precisions import FLOAT32
from compare.traces import Trace, write_trace
from export.taps import tap_names

ROOT = Path(__file__).parents[3]


@pytest.fixture
def made(tmp_path: Path) -> Path:
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "a.npy").write_bytes(b"x" * 1000)
    return folder


def test_what_was_kept_is_taken(made: Path, tmp_path: Path) -> None:
    golden_cache.put(tmp_path / "root", "key", made, {"worst": 1e-15})
    assert golden_cache.take(tmp_path / "root", "key", tmp_path / "out") == {"worst": 1e-15}
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["a.npy"]
    assert (tmp_path / "out" / "a.npy").read_bytes() == b"x" * 1000
    assert golden_cache.take(tmp_path / "root", "another", tmp_path / "other") is None


def test_what_was_damaged_is_forgotten(made: Path, tmp_path: Path) -> None:
    golden_cache.put(tmp_path / "root", "key", made, {})
    (tmp_path / "root" / "key" / "a.npy").write_bytes(b"y" * 1000)
    assert golden_cache.take(tmp_path / "root", "key", tmp_path / "out") is None
    assert not (tmp_path / "root" / "key").exists()
    assert not (tmp_path / "out").exists()


def test_a_run_that_was_second_leaves_what_is_there(made: Path, tmp_path: Path) -> None:
    golden_cache.put(tmp_path / "root", "key", made, {"run": 1})
    golden_cache.put(tmp_path / "root", "key", made, {"run": 2})
    assert golden_cache.take(tmp_path / "root", "key", tmp_path / "out") == {"run": 1}
    assert [folder.name for folder in (tmp_path / "root").iterdir()] == ["key"]


def test_the_run_used_longest_ago_is_removed(made: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    for age, key in enumerate(("old", "older", "oldest")):
        golden_cache.put(root, key, made, {})
        os.utime(root / key, (1e9 - age, 1e9 - age))
    assert golden_cache.take(root, "oldest", tmp_path / "out") == {}, "which makes it the newest"
    golden_cache.put(root, "new", made, {}, limit=3700)
    assert {folder.name for folder in root.iterdir()} == {"new", "oldest", "old"}


def test_what_a_killed_run_left_is_removed_after_an_hour(made: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    for name, age in ((".left", 7200), (".being-made", 60)):
        (root / name).mkdir(parents=True)
        os.utime(root / name, (time.time() - age, time.time() - age))
    golden_cache.put(root, "key", made, {})
    assert {folder.name for folder in root.iterdir()} == {"key", ".being-made"}


def test_a_folder_that_cannot_be_written_keeps_nothing(made: Path, tmp_path: Path) -> None:
    (tmp_path / "root").write_text("a file, and no folder")
    golden_cache.put(tmp_path / "root", "key", made, {})
    assert (tmp_path / "root").read_text() == "a file, and no folder"


def test_the_key_changes_with_all_that_decides(entry, tmp_path: Path) -> None:
    ids, mask = np.arange(8)[None], np.ones((1, 8), dtype=np.int64)
    key = golden_cache.key_of(entry.folder, [ids, mask], 2)
    assert key is not None
    assert key == golden_cache.key_of(entry.folder, [ids.copy(), mask], 2)
    others = [
        golden_cache.key_of(entry.folder, [ids + 1, mask], 2),
        golden_cache.key_of(entry.folder, [ids, mask - 1], 2),
        golden_cache.key_of(entry.folder, [ids, mask], 1),
    ]
    manifest = json.loads((entry.folder / golden_cache.MANIFEST).read_text())
    manifest["files"]["model.safetensors"]["sha256"] = "0"
    (tmp_path / golden_cache.MANIFEST).write_text(json.dumps(manifest))
    others.append(golden_cache.key_of(tmp_path, [ids, mask], 2))
    assert len({key, *others}) == 5


def test_a_folder_without_digests_has_no_key(tiny_folder: Path) -> None:
    assert golden_cache.key_of(tiny_folder, [], 2) is None


#: The source files that golden and floors depend on.
DECISIVE = imported_files("compare.numerics.weigher", ROOT)


def test_what_decides_golden_and_floors_is_among_their_sources() -> None:
    numerics = ("controls", "errors", "first_calls", "floors", "golden", "replay", "summation_orders", "tensors")
    decisive = {f"compare.numerics.{name}" for name in numerics}
    decisive |= {"compare.attention.reference", "compare.attention.streaming", "compare.results.precisions"}
    decisive |= {"export.attention", "export.models", "export.taps"}
    assert decisive <= set(DECISIVE)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A folder with a copy of this project's packages, without their data."""
    only_source = shutil.ignore_patterns("__pycache__", "byte_gpt2")
    for package in ("compare", "export"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=only_source)
    return tmp_path


def test_the_key_changes_with_every_source_that_decides(copied: Path) -> None:
    before = golden_cache.source_digest(copied)
    assert before == golden_cache.source_digest(ROOT)
    for file in DECISIVE.values():
        copy = copied / file.relative_to(ROOT)
        content = copy.read_text()
        copy.write_text(content + "# one line more\n")
        assert golden_cache.source_digest(copied) != before, file
        copy.write_text(content)
    assert golden_cache.source_digest(copied) == before


@pytest.mark.parametrize("folder", ["report", "cli", "pipeline", "latency", "runtimes", "diff", "battery"])
def test_the_key_stays_where_another_source_changes(copied: Path, folder: str) -> None:
    before = golden_cache.source_digest(copied)
    for file in (copied / "compare" / folder).rglob("*.py"):
        file.write_text(file.read_text() + "# one line more\n")
    assert golden_cache.source_digest(copied) == before


def test_the_key_holds_the_sources(entry, copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = golden_cache.key_of(entry.folder, [], 2)
    monkeypatch.setattr(golden_cache, "_ROOT", copied)
    assert golden_cache.key_of(entry.folder, [], 2) == before
    with (copied / "compare" / "results" / "precisions.py").open("a") as file:
        file.write("# one line more\n")
    assert golden_cache.key_of(entry.folder, [], 2) != before


def test_kept_scales_are_the_same_to_the_bit(entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = np.arange(20)[None]
    write_trace(tmp_path / "inputs", {"input_ids": ids, "attention_mask": np.ones_like(ids)})
    profile = profile_of(tap_names(2))

    def scales_in(name: str) -> Scales:
        return Scales(entry.folder, tmp_path / "inputs", tmp_path / name / "golden", kept=tmp_path / "kept")

    first = scales_in("first")
    ruler, controls = first.make_golden(), first.make_floors(profile)

    def not_again(*_: object, **__: object) -> None:
        raise AssertionError("made again")

    monkeypatch.setattr(scales_module, "control_runs", not_again)
    monkeypatch.setattr(scales_module, "float64_runs", not_again)
    second = scales_in("second")
    assert second.make_golden() == ruler
    assert tuple(second.make_floors(profile)) == tuple(controls)
    for name, tensor in Trace(first.out).items():
        assert np.array_equal(tensor, Trace(second.out)[name])
    assert list(second.floors[profile, FLOAT32]) == list(first.floors[profile, FLOAT32])
    for name, pair in first.floors[profile, FLOAT32].items():
        for mine, theirs in zip(pair, second.floors[profile, FLOAT32][name], strict=True):
            assert all(np.array_equal(getattr(mine, field), getattr(theirs, field)) for field in vars(mine))
