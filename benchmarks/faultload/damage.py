"""Damage files of the cache and of reports: each is refused in one line, or noticed and made anew, or not needed.

The files are those of an entry, of a golden run, of a report and of the rows that an interrupted run has saved. A flip
of one bit keeps the file's size and its time of modification, as a fault of a disk would.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from benchmarks.faultload.cases import Case
from benchmarks.faultload.commands import compare, export, run, workspace
from benchmarks.progress import one_by_one
from compare.numerics import golden_cache
from compare.report.folder import KEPT
from compare.report.head_maps import head_maps
from compare.report.schema import MAPS_FILE, REPORT_FILE, Report
from compare.report.unfinished import SavedRow, read_row, write_row
from export.cache import checked, entries, entry_in, verify
from export.errors import BadInput
from export.manifest import Manifest

Damage = Callable[[Path, Random], None]


def cut_in_half(path: Path, _: Random) -> None:
    os.truncate(path, path.stat().st_size // 2)


def cut_by_a_byte(path: Path, _: Random) -> None:
    os.truncate(path, path.stat().st_size - 1)


def emptied(path: Path, _: Random) -> None:
    os.truncate(path, 0)


def one_bit(path: Path, random: Random) -> None:
    """Flip one bit. Size and time of modification stay the same."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def zeroed(path: Path, random: Random) -> None:
    """Write zeros over a part, as after a loss of power. Size and time of modification stay the same."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    start = random.randrange(max(1, len(content) // 2))
    content[start : start + 4096] = bytes(len(content[start : start + 4096]))
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def longer_by_a_byte(path: Path, random: Random) -> None:
    with path.open("ab") as file:
        file.write(random.randbytes(1))


def random_bytes(path: Path, random: Random) -> None:
    path.write_bytes(random.randbytes(path.stat().st_size))


def a_folder(path: Path, _: Random) -> None:
    path.unlink()
    path.mkdir()


def a_link_to_nothing(path: Path, _: Random) -> None:
    path.unlink()
    path.symlink_to("nothing")


def a_link_to_itself(path: Path, _: Random) -> None:
    path.unlink()
    path.symlink_to(path.name)


def missing(path: Path, _: Random) -> None:
    path.unlink()


#: The damages in words.
DAMAGES: dict[str, Damage] = {
    "cut in half": cut_in_half,
    "cut by a byte": cut_by_a_byte,
    "emptied": emptied,
    "one bit flipped": one_bit,
    "another bit flipped": one_bit,
    "4 kB of zeros": zeroed,
    "longer by a byte": longer_by_a_byte,
    "random bytes": random_bytes,
    "a folder": a_folder,
    "a link to nothing": a_link_to_nothing,
    "a link to itself": a_link_to_itself,
    "missing": missing,
}

#: The files of an entry, in words -> the names of each kind.
ENTRY = {
    "graphs": ("inspect.onnx", "deploy.onnx", "deploy-last.onnx", "decode.onnx"),
    "weights": ("model.safetensors",),
    "manifest": ("manifest.json",),
    "tokenizer and configuration": ("tokenizer.json", "config.json", "generation_config.json"),
}


def load(*, quick: bool) -> list[Case]:
    """Damage files in every way. quick: one damage in four."""
    ways = dict(list(DAMAGES.items())[::4]) if quick else DAMAGES
    with workspace() as folder:
        cache, out = folder / "cache", folder / "report"
        arguments: list[str | Path] = ["--threads", "1", "--text", "To be, or not to be", "--no-latency", "--out", out]
        made = run(compare("--model", "byte-gpt2", "--runtimes", "torch-sdpa,onnxruntime", *arguments), cache)
        assert made.code == 0, made.stderr
        return [
            *entry_cases(folder, entries(cache)[0].folder, ways),
            *golden_cases(folder, largest_golden(cache), ways),
            *report_cases(folder, out, ways),
            *row_cases(folder, out, ways),
            *compared_cases(folder, cache, quick=quick),
        ]


def entry_cases(folder: Path, entry: Path, ways: dict[str, Damage]) -> Iterator[Case]:
    """Damage files of an entry. A look-up or, for what keeps size and time, a comparison's check of digests refuses."""
    for kind, names in ENTRY.items():
        case = Case("damage", kind, "refused, with the command that removes the entry")
        for what, damage in one_by_one(kind, list(ways.items())):
            for name in names:
                copy = fresh(folder, entry)
                damage(copy / name, Random(f"{kind} {what} {name}"))
                case.count(entry_problem(copy, entry_in(entry).manifest, f"{name}, {what}"))
        yield case


def entry_problem(copy: Path, intact: Manifest, what: str) -> str:
    """Return what is wrong with how a damaged entry is met; empty if it is refused, with the command to remove it.

    intact: the manifest. A damage that leaves its content as it is, such as a missing line feed at its end, is met.
    """
    try:
        found = checked(entry_in(copy))
        verify(found)
        if found.manifest == intact and what.startswith("manifest"):
            return ""
    except BadInput as error:
        line = str(error)
        return "" if "\n" not in line and "--remove" in line else f"{what}: {line!r}"
    except Exception as error:
        return f"{what}: {type(error).__name__}: {error}"
    return f"{what}: served"


def largest_golden(cache: Path) -> Path:
    """Return the folder of the golden run in a cache that has the most tensors."""
    return max(golden_cache.stored(cache / golden_cache.GOLDEN_RUNS), key=lambda each: len(list(each.iterdir())))


def golden_cases(folder: Path, golden: Path, ways: dict[str, Damage]) -> Iterator[Case]:
    """Damage files of a golden run. It is then not used, so that golden is computed anew."""
    case = Case("damage", "golden", "not used, computed anew")
    intact = json.loads((golden / "kept.json").read_text())["noted"]
    for what, damage in one_by_one("golden", list(ways.items())):
        for name in ("kept.json", "facts.json", "logits.npy", "attention.0.npy"):
            root = fresh(folder, golden).parent
            copy = (root / "copy").rename(root / "key")
            damage(copy / name, Random(f"golden {what} {name}"))
            try:
                noted = golden_cache.take(root, "key", folder / "taken")
                served = noted is not None and (name != "kept.json" or noted != intact)
                case.count(f"{name}, {what}: served" if served else "")
            except Exception as error:
                case.count(f"{name}, {what}: {type(error).__name__}: {error}")
            shutil.rmtree(folder / "taken", ignore_errors=True)
    yield case


def report_cases(folder: Path, out: Path, ways: dict[str, Damage]) -> Iterator[Case]:
    """Damage a report's files. A damaged report is refused; without its maps, the rest is shown."""
    intact = Report.read(out)
    case = Case("damage", "report", "refused in one line")
    for what, damage in one_by_one("report", [*ways.items()] * 3):
        copy = fresh(folder, out)
        damage(copy / REPORT_FILE, Random(f"report {what} {case.runs}"))
        try:
            same = Report.read(copy).model_dump_json() == intact.model_dump_json()
            case.count("" if same else f"{what}: shown with other content")
        except BadInput as error:
            case.count("" if "\n" not in str(error) else f"{what}: {error}")
        except Exception as error:
            case.count(f"{what}: {type(error).__name__}: {error}")
    yield case
    case = Case("damage", "maps of a report", "refused in one line, or the report is shown without maps")
    with head_maps(intact) as maps:
        assert maps is not None
        whole = {layer: maps.golden(layer).copy() for layer in maps.layers}
    for what, damage in one_by_one("maps", list(ways.items())):
        copy = fresh(folder, out)
        damage(copy / MAPS_FILE, Random(f"maps {what}"))
        try:
            with head_maps(Report.read(copy)) as found:
                same = found is None or all((found.golden(n) == maps_).all() for n, maps_ in whole.items())
            case.count("" if same else f"{what}: other maps shown")
        except BadInput as error:
            case.count("" if "\n" not in str(error) else f"{what}: {error}")
        except Exception as error:
            case.count(f"{what}: {type(error).__name__}: {error}")
    yield case


def row_cases(folder: Path, out: Path, ways: dict[str, Damage]) -> Iterator[Case]:
    """Damage a row that an interrupted comparison has saved."""
    case = Case("damage", "row of an interrupted comparison", "not used, measured anew")
    row = next(row for row in Report.read(out).runtimes if row.name == "onnxruntime")
    kept = folder / "kept"
    kept.mkdir(exist_ok=True)
    write_row(kept, SavedRow(row))
    for what, damage in one_by_one("rows", list(ways.items())):
        copy = fresh(folder, kept)
        damage(copy / KEPT / "onnxruntime.npz", Random(f"row {what}"))
        try:
            found = read_row(copy, "onnxruntime")
            case.count("" if found is None or found.result == row else f"{what}: taken")
        except Exception as error:
            case.count(f"{what}: {type(error).__name__}: {error}")
    yield case


def compared_cases(folder: Path, cache: Path, *, quick: bool) -> Iterator[Case]:
    """Run whole commands on damaged files: comparisons, and `show`."""
    (entry,) = entries(cache)
    case = Case("damage", "whole comparisons on a damaged entry", "exit 2, then exported anew after its removal")
    for name in (
        ("inspect.onnx", "model.safetensors") if quick else ("inspect.onnx", "deploy.onnx", "model.safetensors")
    ):
        other = folder / "other"
        shutil.copytree(cache, other)
        one_bit(other / "models" / entry.folder.name / name, Random(name))
        arguments: list[str | Path] = [
            "--model",
            "byte-gpt2",
            "--quick",
            "--threads",
            "1",
            "--no-latency",
            "--out",
            folder / "refused",
        ]
        refused = run(compare(*arguments), other)
        problems = refused.problems([2], said="--remove")
        problems += run(export("--remove", entry.folder.name), other).problems([0])
        problems += run(compare(*arguments), other).problems([0])
        case.count(f"{name}: {problem}" for problem in problems)
        shutil.rmtree(other)
    yield case


def fresh(folder: Path, original: Path) -> Path:
    """Return a new copy of a folder, with the times of its files."""
    place = folder / "copies"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    return Path(shutil.copytree(original, place / "copy"))
