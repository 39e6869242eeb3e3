"""Kill an export at moments of its work: nothing wrong is served, the next run works, and nothing is left over.

An export writes into a hidden folder next to the entry's place. What that folder holds after the kill says where the
kill came.
"""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

from benchmarks.faultload.cases import Case
from benchmarks.faultload.commands import export, forking, run, tiny_folder, workspace
from benchmarks.progress import one_by_one
from export.cache import damaged, entries, verify
from export.errors import BadInput

#: Where a kill can come, by what it leaves.
PLACES = (
    "before the first file",
    "weights",
    "graphs",
    "tokenizer",
    "manifest",
    "before the rename",
    "after the rename",
)

#: Those in which several kills have to come.
OFTEN = ("weights", "graphs", "manifest", "before the rename")

_KILL = signal.SIGKILL.name

#: The moments: an event, the file of it, and the milliseconds after it.
MOMENTS = [
    *(f"{_KILL}|open|config.json|{delay}" for delay in (0, 1)),
    *(f"{_KILL}|open|generation_config.json|{delay}" for delay in (1, 2, 4, 5, 8, 10, 20, 50, 200)),
    *(f"{_KILL}|open|inspect.onnx|{delay}" for delay in (1, 2, 5)),
    *(f"{_KILL}|open|deploy.onnx|{delay}" for delay in (0, 1, 2, 5)),
    *(f"{_KILL}|open|deploy-last.onnx|{delay}" for delay in (0, 1, 2)),
    *(f"{_KILL}|open|decode.onnx|{delay}" for delay in (0, 1, 2)),
    *(f"{_KILL}|open|tokenizer_config.json|{delay}" for delay in (0, 1, 2, 5)),
    *[f"{_KILL}|half|manifest.json|0"] * 8,
    *[f"{_KILL}|os.rename|.building-|0"] * 8,
    *(f"{_KILL}|os.rename|.building-|{delay}" for delay in (1, 2, 3, 4, 5, 8)),  # it ends some 10 ms later
]


def load(*, quick: bool) -> list[Case]:
    """Kill exports of a tiny model. quick: only one of eight moments."""
    cases = {place: Case("kills", place, "refused or absent, then exported anew") for place in PLACES}
    moments = MOMENTS[::8] if quick else MOMENTS
    with workspace() as folder, forking() as template:
        model, cache = tiny_folder(folder / "tiny", layers=1, hidden=16, heads=2), folder / "cache"
        clean = run(export(model), cache)
        assert clean.code == 0, clean.stderr
        expected = digests(cache)
        reset(cache)
        for number, moment in enumerate(one_by_one("kill", moments)):
            own = number % 8 == 0  # some in a process of its own, which imports everything itself
            killed = run(export(model), cache, moment=moment, template=None if own else template)
            place = place_of(cache)
            problems = [f"not killed: exit code {killed.code}"] if killed.code != -signal.SIGKILL else []
            problems += [*killed.left(), *wrong_entries(cache, expected)]
            again = run(export(model), cache, template=None if own else template)
            problems += [*again.problems([0]), *wrong_entries(cache, expected), *leftovers(cache)]
            if digests(cache) != expected:
                problems.append("the next run made other files")
            cases[place].count(f"{moment}: {problem}" for problem in problems)
            reset(cache)
    return [case for case in cases.values() if case.runs]


def place_of(cache: Path) -> str:
    """Return where a kill came, one of `PLACES`."""
    building = next((cache / "models").glob(".*building-*"), None) if (cache / "models").is_dir() else None
    if building is None:
        return PLACES[-1] if entries(cache) else PLACES[0]
    names = {path.name for path in building.iterdir()}
    if "manifest.json" in names:
        return "before the rename" if (building / "manifest.json").read_text().endswith("}\n") else "manifest"
    if any(name.startswith("tokenizer") for name in names):
        return "tokenizer"
    if any(name.endswith(".onnx") for name in names):
        return "graphs"
    return "weights" if "model.safetensors" in names else PLACES[0]


def digests(cache: Path) -> dict[str, str]:
    """Return file -> digest of the only entry of a cache; empty if there is none."""
    found = entries(cache)
    return {name: record.sha256 for name, record in found[0].manifest.files.items()} if len(found) == 1 else {}


def wrong_entries(cache: Path, expected: dict[str, str]) -> Iterator[str]:
    """Yield a line for each entry of a cache that is damaged, incomplete, or other than an undisturbed export."""
    for name, error in damaged(cache).items():
        yield f"{name} is damaged: {error}"
    for entry in entries(cache):
        try:
            verify(entry)
        except BadInput as error:
            yield str(error)
        if {name: record.sha256 for name, record in entry.manifest.files.items()} != expected:
            yield f"{entry.folder.name} has other files than an undisturbed export"


def leftovers(cache: Path) -> Iterator[str]:
    """Yield a line for each hidden folder of a cache's models."""
    for path in (cache / "models").glob(".*building-*"):
        yield f"left {path.name}"


def reset(cache: Path) -> None:
    """Remove the entries of a cache."""
    shutil.rmtree(cache / "models", ignore_errors=True)
