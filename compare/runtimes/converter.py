"""The conversion process: make the folder that a runtime loads from the folder of a cache entry, and exit.

    python -m compare.runtimes.converter JOB

Some runtimes cannot load the exported graphs as they are: they have another file format, quantized weights or fused
operators. Their `Spec` names a function that writes these files once, before the runtime is traced and timed.
"""

import json
import time
from pathlib import Path
from typing import Any, Protocol

from compare.lazy import imported
from compare.processes.child import Launch, run_child
from compare.processes.child_side import main_of_child
from compare.runtimes.registry import spec_of
from compare.runtimes.spec import Graph

#: The file that holds what the function returned.
_FACTS = "conversion.json"


class Converter(Protocol):
    """A function that makes the folder that a runtime loads."""

    def __call__(self, folder: Path, out: Path, graphs: tuple[Graph, ...]) -> dict[str, str]:
        """Write the converted files, and return facts to keep with the result.

        folder: the folder of the cache entry.
        out: an empty folder.
        graphs: the graphs that the runtime can load, without "decode" if the model does not decode.
        """


def convert(runtime: str, folder: Path, out: Path, *, threads: int, log: Path, timeout: float) -> dict[str, str]:
    """Convert a model for a runtime in a process of its own, and return facts about it, with the seconds it took.

    runtime: its name.
    folder: the folder of the model's cache entry.
    out: the folder that is made.
    threads: the number of threads that the process may compute with.
    log: the file for what the process prints.
    timeout: the most time that the process may take, in seconds.

    Raises `compare.processes.child.ChildFailed` if the process crashes, hangs or raises.
    """
    spec = spec_of(runtime)
    job = {"runtime": runtime, "folder": folder, "out": out}
    launch = Launch(
        "compare.runtimes.converter", job, threads=threads, log=log, libraries=spec.libraries, python=spec.python
    )
    start = time.monotonic()
    run_child(launch, timeout=timeout)
    facts: dict[str, str] = json.loads((out / _FACTS).read_text())
    return facts | {"conversion": f"{time.monotonic() - start:.1f} s"}


def _work(job: dict[str, Any]) -> None:
    spec = spec_of(job["runtime"])
    out = Path(job["out"])
    out.mkdir(parents=True)
    function: Converter = imported(spec.converter)
    folder = Path(job["folder"])
    decodes = (folder / "decode.onnx").is_file()
    facts = function(folder, out, tuple(graph for graph in spec.graphs if decodes or graph != "decode"))
    (out / _FACTS).write_text(json.dumps(facts))


if __name__ == "__main__":
    main_of_child(_work)
