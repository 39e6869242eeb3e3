"""Fuzz one door with libFuzzer. `python -m benchmarks.fuzz` starts this in a process for each door.

    python -m benchmarks.fuzz_door DOOR FOLDER SECONDS

A door reads what comes from outside. It may refuse that with an error of `export.errors`; any other exception ends the
process, whose exit code is then not 0. FOLDER has the seeds of the door in `seeds`; libFuzzer adds what it finds.
atheris reports to libFuzzer which lines of this project ran.
"""

import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["compare", "export"]):
    from rich.console import Console

    from compare.onnx_files.matching import check_output, exposed, layers_of, width_of
    from compare.onnx_files.reading import read_onnx_file
    from compare.onnx_files.structure import candidates
    from compare.report.render import full, terminal
    from compare.report.render.markdown import LONGEST, to_markdown
    from compare.report.schema import Report
    from export.cache import entry_in
    from export.errors import ComparisonError
    from export.sealed import without_seal

#: JSON that is put in a place of a document.
STRANGE = (
    *("null", "true", '""', '"four"', "-1", "0", "1", "1.5", "1e400", "-0.0", "NaN", "9223372036854775808", "[]", "{}"),
    *('"\\u001b]0;x\\u0007"', '"\\ud800"', '"\\u202e<script>"', '"../../x"', "[[[[[]]]]]", '{"": null}', "1" * 400),
)

#: The most edits of one document.
EDITS = 4


def open_manifest(content: bytes, folder: Path) -> None:
    (folder / "manifest.json").write_bytes(content)
    entry = entry_in(folder)
    _ = entry.notes, entry.bytes, entry.manifest.source.label, entry.manifest.decodes


def open_report(content: bytes, folder: Path) -> None:
    path = folder / "report.json"
    path.write_bytes(content)
    report = Report.read(path)
    console = Console(file=io.StringIO(), width=80)
    terminal.print_report(report, console)
    full.print_report(report, console)
    to_markdown(report, (), LONGEST)


def open_onnx(content: bytes, folder: Path) -> None:
    path = folder / "model.onnx"
    path.write_bytes(content)
    file = read_onnx_file(path)
    _ = file.inputs, file.outputs, file.opset, file.quantized, file.halves, file.bytes, file.sha256()
    check_output(file)  # as a comparison does before it asks for the sizes
    layers = layers_of(file)
    width_of(file)
    exposed(file, layers or 2)
    candidates(file.model.graph, layers or 2)


#: Door -> the function that opens it with a file's content, in a folder; whether it reads JSON.
DOORS: dict[str, tuple[Callable[[bytes, Path], None], bool]] = {
    "manifest": (open_manifest, True),
    "report": (open_report, True),
    "onnx": (open_onnx, False),
}


def main() -> None:
    door, folder, seconds = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    opened, is_json = DOORS[door]
    # Without its seal, so that the content is read, and not refused because it was changed.
    document = without_seal(json.loads(next((folder / "seeds").iterdir()).read_text())) if is_json else None
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)

    def once(data: bytes) -> None:
        content = data if document is None else edited(document, data)
        try:
            opened(content, scratch)
        except ComparisonError as error:
            str(error).encode(errors="backslashreplace")

    limits = [f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=4096", "-print_final_stats=1"]
    places = [f"-artifact_prefix={folder}/", str(folder / "found"), *([] if is_json else [str(folder / "seeds")])]
    (folder / "found").mkdir(exist_ok=True)
    atheris.Setup([sys.argv[0], *limits, *places], once)
    atheris.Fuzz()


def edited(document: Any, data: bytes) -> bytes:
    """Return a JSON document as text in which the fuzzer's bytes choose what is changed; or its bytes themselves.

    A change puts a strange value in a place, removes the place, or adds a key beside it.
    """
    chosen = atheris.FuzzedDataProvider(data)
    if chosen.ConsumeIntInRange(0, 15) == 0:
        rest: bytes = chosen.ConsumeBytes(len(data))
        return rest
    changed = json.loads(json.dumps(document))
    marks = {}
    for number in range(chosen.ConsumeIntInRange(1, EDITS)):
        places = list(places_of(changed))
        if not places:
            break
        inside, key = places[chosen.ConsumeIntInRange(0, len(places) - 1)]
        what = chosen.ConsumeIntInRange(0, len(STRANGE) + 1)
        if what < len(STRANGE):
            marks[f"@{number}@"] = STRANGE[what]
            inside[key] = f"@{number}@"
        elif what == len(STRANGE):
            del inside[key]
        elif isinstance(inside, dict):
            inside["unheard of"] = None
        else:
            inside.append(inside[key])
    text = json.dumps(changed)
    for mark, strange in marks.items():
        text = text.replace(json.dumps(mark), strange)
    return text.encode()


def places_of(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each place in a JSON value as the object or list that contains it, and its key or number there."""
    if isinstance(value, (dict, list)):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places_of(value[key])


if __name__ == "__main__":
    main()
