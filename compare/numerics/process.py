"""The handle of the numerics process (`compare.numerics.worker`) in the parent, which must not import torch."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from compare.lazy import TORCH_LIBRARIES
from compare.numerics.padding import Cause
from compare.processes.child import Dialogue, Launch
from compare.results.circumstances import Ruler
from compare.results.gaps import Gap
from compare.results.machine_limits import Work
from compare.results.precisions import FLOAT32
from compare.traces import Trace


class Numerics:
    """The parent's handle of the numerics process. Create it in the main thread.

    Every method raises `compare.processes.child.ChildFailed` if the process crashes, hangs or raises.
    """

    def __init__(
        self,
        model: Path,
        inputs: Path,
        out: Path,
        *,
        padded: tuple[Path, Path],
        kept: Path,
        threads: int,
        log: Path,
        timeout: float,
    ) -> None:
        """Start the process.

        model: the model's folder. inputs: the input's trace folder. out: the folder for the golden trace. padded: the
        padded input's trace folder, and the folder for its golden trace. kept: the folder of the cache of golden and
        floors. threads: the number of threads. log: the process's log file. timeout: the time limit of an answer, in
        seconds.
        """
        job = {"model": model, "inputs": inputs, "out": out, "padded": padded, "kept": kept, "threads": threads}
        self._out, self._padded_out = out, padded[1]
        self._padded_ruler: Ruler | None = None
        launch = Launch("compare.numerics.worker", job, threads=threads, log=log, libraries=TORCH_LIBRARIES)
        self._child = Dialogue(launch, timeout=timeout)
        self.failed = False

    def golden(self) -> tuple[Trace, Ruler]:
        """Return the golden trace and the ruler. The caller must check that the ruler holds."""
        ruler = Ruler(**self._ask("golden"))
        return Trace(self._out), ruler

    def controls(self) -> tuple[list[str], int]:
        """Run the controls. Return their names, and how many of them have distinct outputs."""
        answer = self._ask("controls")
        return answer["names"], answer["distinct"]

    def weigh(self, trace: Path, precision: str = FLOAT32) -> dict[str, Gap]:
        """Return each tensor's gap to golden, with the evidence for a verdict, in the order of execution.

        precision: one of `compare.results.precisions.OWN_CONTROLS`; then the evidence also has errors in its floors.
        Every tensor of the trace must have golden's shape (`compare.numerics.gaps.check_shapes`).
        """
        return _weighed_from(self._ask(f"weigh {precision} {trace}"))

    def golden_padded(self) -> tuple[Trace, Ruler]:
        """Do the same as `golden` for the padded input. Its floors are computed when the first trace is weighed."""
        if self._padded_ruler is None:
            self._padded_ruler = Ruler(**self._ask("padded golden"))
        return Trace(self._padded_out), self._padded_ruler

    def weigh_padded(self, trace: Path, precision: str = FLOAT32) -> dict[str, Gap]:
        """Do the same as `weigh` for a trace of the padded input."""
        return _weighed_from(self._ask(f"padded weigh {precision} {trace}"))

    def cause(self, trace: Path, tensors: Collection[str], precision: str = FLOAT32) -> Cause:
        """Return why these tensors of a trace of the padded input are beyond their limits, in floors of a precision."""
        return Cause(**self._ask(f"padded cause {precision} {','.join(tensors)} {trace}"))

    def work(self) -> Work | str:
        """Return the model's work on the input, or the reason why it cannot be counted."""
        answer = self._ask("work")
        return str(answer["error"]) if "error" in answer else Work(**answer)

    def end(self) -> None:
        """Kill the process. Its log is kept if it failed."""
        self._child.end(keep_log=self.failed)

    def _ask(self, what: str) -> dict[str, Any]:
        """Ask a question. The process is suspended between answers, so that it takes no CPU time from workers."""
        self.failed = True  # until it has answered
        self._child.tree.resume()
        answer = self._child.ask(what)
        self._child.tree.suspend()
        self.failed = False
        return answer


def _weighed_from(answer: dict[str, Any]) -> dict[str, Gap]:
    return TypeAdapter(dict[str, Gap]).validate_python(answer)
