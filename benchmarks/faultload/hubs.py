"""Download a model from a hub that fails: nothing wrong is kept, and the next run goes on."""

from pathlib import Path

from benchmarks.faultload.bad_hub import BadHub, Failure
from benchmarks.faultload.cases import Case
from benchmarks.faultload.commands import export, run, workspace
from benchmarks.progress import one_by_one
from export.cache import entries

WEIGHTS, MODEL = "model.safetensors", "someone/tiny"

#: The faults in words -> what the hub does, and which exit codes are right.
FAULTS: dict[str, tuple[dict[str, Failure], tuple[int, ...]]] = {
    "slow: each file comes 3 s late": ({WEIGHTS: Failure(late=3), "config.json": Failure(late=3)}, (0,)),
    "weights cut short": ({WEIGHTS: Failure(cut=1000)}, (2, 3)),
    "the connection breaks once in mid-file": ({WEIGHTS: Failure(drop=1000)}, (0, 3)),
    "the connection breaks every time": ({WEIGHTS: Failure(drop=1000, always=True)}, (3,)),
    "other weights than the digest says": ({WEIGHTS: Failure(swap=b"x" * 1000)}, (2, 3)),
    "404 for the weights": ({WEIGHTS: Failure(status=404)}, (3,)),
    "429 for the weights": ({WEIGHTS: Failure(status=429)}, (3,)),
    "500 for the weights": ({WEIGHTS: Failure(status=500)}, (3,)),
    "503 for everything": ({"": Failure(status=503)}, (3,)),
    "404 for everything": ({"": Failure(status=404)}, (3,)),
    "429 for everything": ({"": Failure(status=429)}, (3,)),
    "a redirect to itself": ({WEIGHTS: Failure(circle=True)}, (3,)),
    "a redirect to a host that does not answer": ({WEIGHTS: Failure(elsewhere="http://127.0.0.1:9/x")}, (3,)),
    "a page in place of JSON": ({"config.json": Failure(swap=b"<html>sign in</html>")}, (2, 3)),
}


def load(*, quick: bool) -> list[Case]:
    """Meet every fault, then run again with a hub that works. quick: three faults."""
    faults = dict(list(FAULTS.items())[1:6:2]) if quick else FAULTS
    cases = []
    with workspace() as folder:
        files = served(folder / "served")
        for number, (what, (made, codes)) in enumerate(one_by_one("hub", list(faults.items()))):
            expected = "works" if codes == (0,) else "one line or works; then works" if 0 in codes else "one line"
            case = Case("hub", what, f"{expected}; the next run works" if codes != (0,) else expected)
            case.count(problems_with(folder / str(number), files, made, codes))
            cases.append(case)
        cases.append(gone(folder / "gone", files))
    return cases


def problems_with(folder: Path, files: dict[str, bytes], made: dict[str, Failure], codes: tuple[int, ...]) -> list[str]:
    """Export from a hub with faults, then from the same hub without. Return what is wrong with that."""
    hub = BadHub()
    hub.content.repositories = {MODEL: dict(files)}
    hub.content.faults = dict(made)
    more = {"HF_ENDPOINT": hub.url, "HF_HOME": str(folder / "hf")}
    try:
        first = run(export(MODEL), folder / "cache", more=more, timeout=240)
        found = first.problems(codes)
        if first.code != 0 and entries(folder / "cache"):
            found.append("an entry was made")
        hub.content.faults = {}
        again = run(export(MODEL), folder / "cache", more=more)
        if again.code and (wrong := again.error.partition("remove the download and try again: rm ")[2]):
            Path(wrong).unlink()  # as the line says
            again = run(export(MODEL), folder / "cache", more=more)
        found += [f"then: {problem}" for problem in again.problems([0])]
        found += weights_problem(folder, files)
    finally:
        hub.stop()
    return found


def weights_problem(folder: Path, files: dict[str, bytes]) -> list[str]:
    """Return a line if the weights that were downloaded are not those of the hub."""
    found = list((folder / "hf").rglob(WEIGHTS))
    return [] if found and all(path.read_bytes() == files[WEIGHTS] for path in found) else ["other weights were kept"]


def gone(folder: Path, files: dict[str, bytes]) -> Case:
    """Export from a hub that is gone: without an earlier export, and with one."""
    case = Case("hub", "gone", "one line; with an earlier export, that is used")
    hub = BadHub()
    hub.content.repositories = {MODEL: dict(files)}
    more = {"HF_ENDPOINT": hub.url, "HF_HOME": str(folder / "hf")}
    made = run(export(MODEL), folder / "cache", more=more)
    hub.stop()
    case.count(made.problems([0]))
    case.count(run(export(MODEL), folder / "cache", more=more).problems([0]))
    case.count(run(export(MODEL), folder / "empty", more=more | {"HF_HOME": str(folder / "new")}).problems([3]))
    return case


def served(folder: Path) -> dict[str, bytes]:
    """Return the files of a tiny model, name -> content."""
    from benchmarks.faultload.commands import tiny_folder

    return {path.name: path.read_bytes() for path in tiny_folder(folder).iterdir()}
