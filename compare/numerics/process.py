"""The numerics process, which computes golden and floors of one model and the gaps of traces.

It holds the float64 model and runs no runtime. It reads questions from stdin, one on a line, and answers each with a
line of JSON on stdout:

    golden           write the golden trace                the fields of `Ruler`
    controls         run the controls, keep the floors     {"names": [...], "distinct": ...}
    weigh PRECISION TRACE                                  {tensor: the fields of `Gap`, ...}
                     weigh a trace folder, also in floors of a precision unless that is float32
    work             count the work of a pass              the fields of `Work`, or {"error": ...}

Questions about the padded input begin with the word `padded`:

    padded golden    write its golden trace                the fields of `Ruler`
    padded weigh PRECISION TRACE                           {tensor: the fields of `Gap`, ...}
    padded cause TENSOR,TENSOR,... TRACE                   the fields of `compare.numerics.padding.Cause`

`python -m compare.numerics.process JOB`.
"""

from collections.abc import Collection
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compare.lazy import TORCH_LIBRARIES
from compare.numerics.diagnostics.model_work import work_of
from compare.numerics.padding import Cause, cause_of
from compare.processes.child import Dialogue
from compare.processes.child_side import in_a_line, main_of_child, questions
from compare.results.circumstances import Ruler
from compare.results.gaps import Gap
from compare.results.machine_limits import Work
from compare.results.precisions import FLOAT32
from compare.traces import Trace

if TYPE_CHECKING:
    from compare.numerics.weigher import Scales


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
        self._child = Dialogue(
            "compare.numerics.process", job, threads=threads, log=log, timeout=timeout, libraries=TORCH_LIBRARIES
        )
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

    def cause(self, trace: Path, tensors: Collection[str]) -> Cause:
        """Return why these tensors of a trace of the padded input are beyond their limits."""
        return Cause(**self._ask(f"padded cause {','.join(tensors)} {trace}"))

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
    from pydantic import TypeAdapter  # here, because the child does not need pydantic

    return TypeAdapter(dict[str, Gap]).validate_python(answer)


def _work(job: dict[str, Any]) -> None:
    import torch  # here, because the parent imports this module too and must not load torch

    from compare.numerics.replay import profile_of
    from compare.numerics.weigher import Scales
    from export.probe import layout_of

    torch.set_num_threads(job["threads"])
    model, kept = Path(job["model"]), Path(job["kept"])
    scales = Scales(model, Path(job["inputs"]), Path(job["out"]), kept=kept)
    padded = cache(lambda: Scales(model, *map(Path, job["padded"]), kept=kept, double=scales.double))
    for line, answer in questions():
        match line.split(maxsplit=2 if line.startswith("weigh") else 1):
            case ["golden"]:
                answer(asdict(scales.make_golden()))
            case ["controls"]:
                profile = profile_of(layout_of(scales.double).names())
                names, distinct = scales.make_floors(profile)
                answer({"names": names, "distinct": distinct})
            case ["weigh", precision, folder]:
                answer(weighed(scales, precision, Path(folder)))
            case ["padded", question]:
                answer(of_padded(padded(), question))
            case ["work"]:
                answer(work(model, *scales.tensors[0].shape))
            case _:
                raise ValueError(f"unknown question {line!r}; expected golden, controls, weigh PRECISION TRACE or work")


def weighed(scales: "Scales", precision: str, folder: Path) -> dict[str, Any]:
    """Weigh a trace; return the fields of each tensor's gap."""
    return {name: asdict(gap) for name, gap in scales.weigh(Trace(folder), precision).items()}


def of_padded(scales: "Scales", question: str) -> dict[str, Any]:
    """Answer a question about the padded input."""
    match question.split(maxsplit=2 if question.startswith("weigh") else 1):
        case ["golden"]:
            return asdict(scales.make_golden())
        case ["weigh", precision, folder]:
            return weighed(scales, precision, Path(folder))
        case ["cause", rest]:
            names, folder = rest.split(maxsplit=1)
            return asdict(cause_of(scales, Trace(Path(folder)), names.split(",")))
        case _:
            raise ValueError(
                f"unknown question {question!r} about the padded input; expected golden, weigh PRECISION TRACE or "
                "cause TENSORS TRACE"
            )


def work(folder: Path, batch: int, sequence: int) -> dict[str, Any]:
    """Return the fields of the model's work, or an error if it cannot be counted."""
    try:
        return asdict(work_of(folder, batch, sequence))
    except Exception as error:  # a model of any architecture may raise anything, which becomes the answer
        return {"error": in_a_line(error, most=200).replace(str(folder), folder.name)}  # a report holds no paths


if __name__ == "__main__":
    main_of_child(_work)
