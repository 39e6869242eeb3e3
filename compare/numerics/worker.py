"""The numerics process, which computes golden and floors of one model and the gaps of traces.

    python -m compare.numerics.worker JOB

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
    padded cause PRECISION TENSOR,TENSOR,... TRACE         the fields of `compare.numerics.padding.Cause`
"""

from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import torch

from compare.numerics.diagnostics.model_work import work_of
from compare.numerics.padding import cause_of
from compare.numerics.replay import profile_of
from compare.numerics.weigher import Scales
from compare.processes.child_side import in_a_line, main_of_child, questions
from compare.traces import Trace
from export.probe import layout_of


def _work(job: dict[str, Any]) -> None:
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
                answer(counted_work(model, *scales.tensors[0].shape))
            case _:
                raise ValueError(
                    f"unknown question {line!r}; expected golden, controls, weigh PRECISION TRACE, work or padded ..."
                )


def weighed(scales: Scales, precision: str, folder: Path) -> dict[str, Any]:
    """Weigh a trace; return the fields of each tensor's gap."""
    return {name: asdict(gap) for name, gap in scales.weigh(Trace(folder), precision).items()}


def of_padded(scales: Scales, question: str) -> dict[str, Any]:
    """Answer a question about the padded input."""
    match question.split(maxsplit=2 if question.startswith("weigh") else 1):
        case ["golden"]:
            return asdict(scales.make_golden())
        case ["weigh", precision, folder]:
            return weighed(scales, precision, Path(folder))
        case ["cause", rest]:
            precision, names, folder = rest.split(maxsplit=2)
            return asdict(cause_of(scales, Trace(Path(folder)), names.split(","), precision))
        case _:
            raise ValueError(
                f"unknown question {question!r} about the padded input; expected golden, weigh PRECISION TRACE or "
                "cause PRECISION TENSORS TRACE"
            )


def counted_work(folder: Path, batch: int, sequence: int) -> dict[str, Any]:
    """Return the fields of the model's work, or an error if it cannot be counted."""
    try:
        return asdict(work_of(folder, batch, sequence))
    except Exception as error:  # a model of any architecture may raise anything, which becomes the answer
        return {"error": in_a_line(error, most=200)}


if __name__ == "__main__":
    main_of_child(_work)
