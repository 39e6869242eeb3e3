"""Runs the battery. Each kernel has its own process, so a crash or a hang affects only one cell."""

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from compare import machine
from compare.battery.cases import CASES, Case, make_inputs
from compare.battery.judging import Weigher
from compare.battery.kernels.registry import BUILT_IN, KernelSpec
from compare.battery.node_cases import load_node_cases, write_node_cases
from compare.battery.result import Battery, CaseSummary, Cell, KernelResult, NodeScore
from compare.processes.child import ChildFailed, Dialogue, Launch
from export.progress import SILENT, Progress

#: The time limit of one answer, in seconds. The first answer includes the import of the kernel's library.
TIMEOUT = 120.0

#: If a kernel has lost this many processes, its remaining cells fail without a run, because each hang costs `TIMEOUT`.
MOST_LOST = 3


def run_battery(
    kernels: Sequence[KernelSpec] = BUILT_IN,
    cases: Sequence[Case] = tuple(CASES.values()),
    *,
    named: bool = False,
    node_cases: bool = True,
    seed: int = 0,
    threads: int | None = None,
    timeout: float = TIMEOUT,
    progress: Progress = SILENT,
) -> Battery:
    """Run every kernel on every case, judge the contexts, and score the kernels on ONNX's node cases.

    named: whether the user named the kernels. seed: the seed of the inputs. threads: the number of threads of each
    kernel, by default the number of cores. timeout: the time limit of a kernel's answer, in seconds. progress: has a
    stage for each kernel, with a step for each case. If a kernel fails, no error is raised; its cell says why.
    """
    started = time.monotonic()
    threads = threads or machine.cores()

    @cache
    def weigher(name: str) -> Weigher:
        progress.waits(f"golden and floors of {name}")
        return Weigher(make_inputs(name, seed))

    with tempfile.TemporaryDirectory() as folder, progress.ticking():
        scratch = Path(folder)
        if node_cases:
            progress.stage("node cases", "making ONNX's node cases")
            write_node_cases(scratch / "nodes", list(load_node_cases().values()))
        parts = []
        for number, spec in enumerate(kernels, start=1):
            if needs := spec.needs():
                parts.append(KernelResult(name=spec.name, summary=spec.summary, named=named, missing=needs))
                continue
            asked = _Asked(spec, scratch, seed, threads, timeout)
            names = list(load_node_cases()) if node_cases else []
            progress.stage(f"kernel {number} of {len(kernels)}", spec.name, of=len(cases) + len(names))
            try:
                cells = [_cell(asked, case.name, weigher, progress) for case in cases]
                nodes = _score(asked, names, progress) if node_cases else None
            finally:
                asked.end()
            parts.append(KernelResult(name=spec.name, summary=spec.summary, named=named, cells=cells, nodes=nodes))
            fine = sum(not cell.is_finding for cell in cells)
            progress.note(f"{spec.name}: {fine} of {len(cells)} without a finding")
    return Battery(
        seed=seed,
        threads=threads,
        commit=machine.commit(),
        processor=machine.processor(),
        versions=machine.package_versions(),
        cases=[_case_part(case, weigher(case.name)) for case in cases],
        kernels=parts,
        seconds=round(time.monotonic() - started, 1),
    )


class _Asked:
    """A kernel's process. If it crashes or times out, the next question starts a new one."""

    def __init__(self, spec: KernelSpec, scratch: Path, seed: int, threads: int, timeout: float) -> None:
        self._threads, self._timeout, self._log = threads, timeout, scratch / f"{spec.name}.log"
        out = scratch / spec.name
        out.mkdir()
        self._job = {
            "kernel": asdict(spec),
            "seed": seed,
            "threads": threads,
            "out": str(out),
            "node_cases": str(scratch / "nodes"),
        }
        self._process: Dialogue | None = None
        self._lost: list[str] = []

    def ask(self, line: str) -> dict[str, Any]:
        """Return the worker's answer, or {"error": ...} if it gave none."""
        if len(self._lost) >= MOST_LOST:
            return {
                "error": f"not run, because {MOST_LOST} earlier cases ended the process, the last with: "
                f"{self._lost[-1]}"
            }
        try:
            if self._process is None:
                launch = Launch("compare.battery.worker", self._job, threads=self._threads, log=self._log)
                self._process = Dialogue(launch, timeout=self._timeout)
            return self._process.ask(line)
        except ChildFailed as error:
            self._lost.append(str(error).replace(f" to {line!r}", ""))
            self.end()
            return {"error": self._lost[-1]}

    def end(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None


def _cell(asked: _Asked, case: str, weigher: Callable[[str], Weigher], progress: Progress) -> Cell:
    progress.waits(f"case {case}")
    answer = asked.ask(f"case {case}")
    progress.step(case)
    if "unsupported" in answer:
        return Cell(case=case, kind="not asked", note=answer["unsupported"])
    if "error" in answer:
        return Cell(case=case, kind="failed", note=answer["error"])
    found = weigher(case).weigh(np.load(answer["saved"]))
    return Cell(case=case, **asdict(found))


def _score(asked: _Asked, names: Sequence[str], progress: Progress) -> NodeScore:
    answers = {}
    for name in names:
        progress.waits(f"node case {name}")
        answers[name] = asked.ask(f"node {name}")
        progress.step(name)
    wrong = {name: why for name, answer in answers.items() if (why := answer.get("wrong") or answer.get("error"))}
    not_asked = Counter(answer["unsupported"] for answer in answers.values() if "unsupported" in answer)
    passed = len(names) - len(wrong) - not_asked.total()
    return NodeScore(passed=passed, wrong=wrong, not_asked=dict(not_asked))


def _case_part(case: Case, weigher: Weigher) -> CaseSummary:
    scale = weigher.scale
    return CaseSummary(name=case.name, summary=case.summary, controls=len(scale.controls), distinct=scale.distinct)
