"""Runs a runtime in its own environment, so that the contract tests can call it as they call any other."""

import os
import tempfile
import weakref
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from compare.processes.child import Dialogue, Launch
from compare.processes.child_side import main_of_child, questions
from compare.runtimes.registry import spec_of
from compare.runtimes.spec import Graph, Spec
from compare.traces import Trace, write_trace

ROOT = Path(__file__).parents[2]


class RemoteRuntime:
    """A runtime that a child holds, in the interpreter of its environment. Arrays are passed in trace folders."""

    def __init__(self, spec: Spec, folder: Path, *, threads: int, graph: Graph, **more: Any) -> None:
        self._scratch = tempfile.TemporaryDirectory()
        scratch = Path(self._scratch.name)
        self._inputs, self._outputs = scratch / "inputs", scratch / "outputs"
        job = {"runtime": spec.name, "folder": folder, "threads": threads, "graph": graph, "more": more}
        job |= {"inputs": self._inputs, "outputs": self._outputs}
        with patch.dict(os.environ, PYTHONPATH=str(ROOT)):
            launch = Launch(__name__, job, threads=threads, log=scratch / "log", python=spec.python)
            self._child = Dialogue(launch, timeout=300)
        self._end = weakref.finalize(self, self._child.end)

    def run(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> dict[str, np.ndarray]:
        return self._passed("run", input_ids, attention_mask)

    def step(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> dict[str, np.ndarray]:
        return self._passed("step", input_ids, attention_mask)

    def facts(self) -> dict[str, str]:
        return self._child.ask("facts")

    def operators(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> dict[str, int]:
        self._give(input_ids, attention_mask)
        return self._child.ask("operators")

    def close(self) -> None:
        self._end()

    def _passed(self, method: str, input_ids: np.ndarray, attention_mask: np.ndarray) -> dict[str, np.ndarray]:
        self._give(input_ids, attention_mask)
        self._child.ask(method)
        return {name: np.array(tensor) for name, tensor in Trace(self._outputs).items()}

    def _give(self, input_ids: np.ndarray, attention_mask: np.ndarray) -> None:
        write_trace(self._inputs, {"input_ids": input_ids, "attention_mask": attention_mask})


def _work(job: dict[str, Any]) -> None:
    asked = questions()
    kind = spec_of(job["runtime"]).load_class()
    runtime: Any = kind(Path(job["folder"]), threads=job["threads"], graph=job["graph"], **job["more"])
    for method, answer in asked:
        if method == "facts":
            answer(runtime.facts())
            continue
        given = Trace(Path(job["inputs"]))
        found = getattr(runtime, method)(given["input_ids"].copy(), given["attention_mask"].copy())
        if method == "operators":
            answer(found)
        else:
            write_trace(Path(job["outputs"]), found)
            answer({})


if __name__ == "__main__":
    main_of_child(_work)
