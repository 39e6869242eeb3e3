"""Test that damaged or hostile maps of attention are refused in one line, and never unpickled."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from compare.report import head_maps as module
from compare.report.head_maps import head_maps
from compare.report.render.page.page import to_html
from compare.report.schema import MAPS_FILE, Report
from export.errors import BadInput

HEADS, SIZE = 4, 5


class Trap:
    """An object whose unpickling writes a file."""

    def __reduce__(self):
        return (open, ("unpickled", "w"))


@pytest.fixture
def saved(altered: Report, tmp_path: Path) -> Report:
    """A report in a folder of its own, without maps."""
    altered.write(tmp_path)
    for runtime in altered.runtimes:
        runtime.gaps = [gap for gap in runtime.gaps if not gap.heads]
    return altered


def arrays(name: str) -> dict[str, np.ndarray]:
    maps = np.full((HEADS, SIZE, SIZE), 0.2, np.float16)
    names = (f"{run}/attention.{layer}" for run in ("golden", name) for layer in range(2))
    return dict.fromkeys(names, maps) | {f"{name}/attention.{layer}/largest": np.ones(HEADS) for layer in range(2)}


def test_maps_are_read_and_stay_open_in_inner_blocks(saved: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    name = saved.runtimes[0].name
    np.savez_compressed(saved.folder / MAPS_FILE, **arrays(name))
    opened: list[Path] = []
    real = module.open_regular
    monkeypatch.setattr(module, "open_regular", lambda path: opened.append(path) or real(path))
    with head_maps(saved) as maps, head_maps(saved) as inner:
        assert inner is maps
        assert maps.layers == [0, 1]
        assert maps.runtimes == [name]
        assert maps.of(name, 1, 3).run.shape == (SIZE, SIZE)
        with pytest.raises(BadInput, match=r"the maps of attention have no 'x/attention\.0', but the report does"):
            maps.differences("x", 0)
    assert len(opened) == 1
    with head_maps(saved) as maps:
        assert maps is not None
    assert len(opened) == 2


def wrong(change):
    def write(path: Path, name: str) -> None:
        found = arrays(name)
        change(found, name)
        np.savez_compressed(path, **found)

    return write


def text(path: Path, name: str) -> None:
    path.write_text("no archive")


def cut(path: Path, name: str) -> None:
    np.savez_compressed(path, **arrays(name))
    path.write_bytes(path.read_bytes()[:-40])


def flipped(path: Path, name: str) -> None:
    np.savez_compressed(path, **arrays(name))
    content = bytearray(path.read_bytes())
    content[60:100] = bytes(byte ^ 255 for byte in content[60:100])  # of the first array
    path.write_bytes(content)


def bomb(path: Path, name: str) -> None:
    """A small archive of an array that would take 200 GB."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("golden/attention.0.npy", "w") as file,
    ):
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f2", "fortran_order": False, "shape": (10, 10**5, 10**5)}
        )
        for _ in range(300):
            file.write(bytes(2**20))


def lying(path: Path, name: str) -> None:
    """An array whose header has more numbers than there are."""
    with zipfile.ZipFile(path, "w") as archive, archive.open("golden/attention.0.npy", "w") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f2", "fortran_order": False, "shape": (10, 10**5, 10**5)}
        )


DAMAGED = {
    "text": (text, "File is not a zip file"),
    "cut": (cut, "File is not a zip file"),
    "flipped": (flipped, ""),
    "pipe": (lambda path, name: os.mkfifo(path), "it is a pipe, not a regular file"),
    "folder": (lambda path, name: path.mkdir(), "it is a folder, not a regular file"),
    "bomb": (bomb, "they would take 315 MB"),
    "lying": (lying, "has no numbers of its shape"),
    "objects": (
        wrong(lambda found, name: found.update({"golden/attention.0": np.array([[[Trap()]]])})),
        "has no numbers",
    ),
    "integers": (
        wrong(lambda found, name: found.update({"golden/attention.0": np.ones((4, 5, 5), int)})),
        "has no numbers",
    ),
    "another name": (wrong(lambda found, name: found.update({"../x": np.ones(1)})), "'../x' is not the name of a map"),
    "another shape": (
        wrong(lambda found, name: found.update({f"{name}/attention.1": np.ones((4, 9, 9))})),
        "of one shape",
    ),
    "other heads": (
        wrong(lambda found, name: found.update({f"{name}/attention.1/largest": np.ones(3)})),
        "of one shape",
    ),
    "flat": (wrong(lambda found, name: found.update({n: np.ones((4, 4)) for n in found})), "has 2 dimensions"),
    "no golden": (wrong(lambda found, name: found.pop("golden/attention.1")), "is there without 'golden/attention.1'"),
    "no sizes": (wrong(lambda found, name: found.pop(f"{name}/attention.0/largest")), "is there without '"),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_maps_are_refused_in_one_line(kind: str, saved: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    write, message = DAMAGED[kind]
    write(saved.folder / MAPS_FILE, saved.runtimes[0].name)
    monkeypatch.chdir(saved.folder)
    with pytest.raises(BadInput) as refused:
        to_html(saved)
    assert message in str(refused.value)
    assert str(refused.value).startswith(f"the maps of attention {saved.folder / MAPS_FILE} cannot be read: ")
    assert not (saved.folder / "unpickled").exists()


def test_maps_with_fewer_heads_than_the_report_are_refused(altered: Report, tmp_path: Path) -> None:
    altered.write(tmp_path)
    few = {name: array[:1] for name, array in arrays(altered.runtimes[0].name).items()}
    np.savez_compressed(tmp_path / MAPS_FILE, **few)
    with pytest.raises(BadInput, match=r"they have fewer than the 4 heads of the report"):
        to_html(altered)
