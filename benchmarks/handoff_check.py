"""Check that the marker `.epic5_complete.json` matches this checkout and its exports. `make handoff` writes the marker.

`python -m benchmarks.handoff_check` prints one line for each mismatch and then exits with 1. `.ci/run` calls it.
"""

import hashlib
import platform
import sys
from collections.abc import Iterator

from pydantic import ValidationError

from benchmarks.handoff import MARKER, ROOT, Marker, graphs_of
from compare import __all__ as public_functions
from compare import machine
from compare.runtimes.registry import BUILT_IN
from export.exporters import EXPORTERS
from export.exporting import exported


def main() -> None:
    """Check the marker and print each mismatch."""
    try:
        wrong = misfits(Marker.model_validate_json(MARKER.read_text()))
    except (OSError, ValidationError) as error:
        wrong = [f"it cannot be read: {' '.join(str(error).split())}"]
    if wrong:
        print(f"{MARKER.name} does not match this checkout; write it again with: make handoff", file=sys.stderr)
        print(*(f"- {line}" for line in wrong), sep="\n", file=sys.stderr)
        sys.exit(1)
    print(f"{MARKER.name} matches this checkout")


def misfits(marker: Marker) -> list[str]:
    """Return one line for each mismatch of the marker. Exports the marker's model if it is not in the cache."""
    return [*_of_its_run(marker), *_of_functions(marker), *_of_versions(marker), *_of_graphs(marker)]


def _of_its_run(marker: Marker) -> Iterator[str]:
    """Yield mismatches of the marker's run: all tests must pass, in a clean checkout, with every runtime."""
    if marker.commit is None or marker.commit.endswith("+"):
        yield f"it was written from commit {marker.commit}, which is unknown or has uncommitted changes"
    tests, notebook = marker.tests, ROOT / marker.notebook.path
    if not tests.passed == tests.total > 0:
        yield f"{tests.passed} of {tests.total} tests passed"
    if not notebook.is_file():
        yield f"there is no notebook {marker.notebook.path}"
    elif hashlib.sha256(notebook.read_bytes()).hexdigest() != marker.notebook.sha256:
        yield f"{marker.notebook.path} has changed since it was executed"
    if not marker.notebook.passed:
        yield f"{marker.notebook.path} failed"
    for name in (spec.name for spec in BUILT_IN if spec.default and "inspect" in spec.graphs):
        if name not in marker.runtimes:
            yield f"it has no runtime {name}"
    for name, gaps in marker.runtimes.items():
        if gaps.error is not None:
            yield f"{name} failed: {gaps.error}"
        elif "logits" not in gaps.largest:
            yield f"{name} has no gap of its logits"


def _of_functions(marker: Marker) -> Iterator[str]:
    now = [f"compare.{name}" for name in public_functions]
    yield from (f"there is no function {name}" for name in marker.functions if name not in now)
    yield from (f"it does not name {name}" for name in now if name not in marker.functions)


def _of_versions(marker: Marker) -> Iterator[str]:
    """Yield differences in versions: the public version of packages, and major and minor version of Python."""
    now = {"python": platform.python_version(), **machine.package_versions()}
    for name in sorted(marker.versions.keys() | now.keys()):
        then, here = (_comparable(name, versions.get(name, "missing")) for versions in (marker.versions, now))
        if then != here:
            yield f"{name} was {then} and is {here}"


def _comparable(name: str, version: str) -> str:
    """Return the part of a version that is compared.

    >>> _comparable("torch", "2.13.0+cpu"), _comparable("python", "3.11.7")
    ('2.13.0', '3.11')
    """
    return ".".join(version.split(".")[:2]) if name == "python" else version.partition("+")[0]


def _of_graphs(marker: Marker) -> Iterator[str]:
    """Yield differences between the marker's files and those of a current export, for each exporter."""
    written = {graphs.exporter: graphs for graphs in marker.graphs}
    for exporter in sorted(written.keys() | EXPORTERS):
        if exporter not in written:
            yield f"it has no graphs of {exporter}"
        elif exporter not in EXPORTERS:
            yield f"there is no exporter {exporter}"
        else:
            then, now = written[exporter], graphs_of(exported(marker.model.name, exporter=exporter))
            if then.opset != now.opset:
                yield f"{exporter}: the opset was {then.opset} and is {now.opset}"
            for file in sorted(then.files.keys() | now.files.keys()):
                if file not in now.files:
                    yield f"{exporter}: there is no {file} any more"
                elif file not in then.files:
                    yield f"{exporter}: it does not name {file}"
                elif then.files[file] != now.files[file]:
                    yield f"{exporter}: {file} has changed"


if __name__ == "__main__":
    main()
