"""The golden run: the whole model in float64, its attention replaced by the reference attention.

The ruler is checked before it measures anything: golden against transformers' own eager attention, in float64 too. What
they differ by is what two orders of summation make of float64, some 1e-15 of each tensor's size; beyond `RULER_LIMIT`
one of them computes something else, and nothing is judged. `python -m compare.numerics.golden JOB`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from compare.child import main_of_child, run_child
from compare.numerics.gaps import query_rows, rms
from compare.traces import Trace, write_trace

RULER_LIMIT = 1e-12


@dataclass(frozen=True)
class Ruler:
    """How well golden agrees with transformers' eager attention in float64.

    worst: the root mean square of the difference over that of the tensor, of the worst tensor. tensor: which that is.

    Not the largest difference over the tensor's size: the size of attention shrinks with the length of the sequence and
    its largest element does not, so that float64 itself passes 1e-12 by that measure at 512 tokens (docs/method.md).
    """

    worst: float
    tensor: str

    @property
    def holds(self) -> bool:
        return self.worst <= RULER_LIMIT

    def __str__(self) -> str:
        return f"golden agrees with transformers eager in float64: {self.worst:.1g}"


def golden(
    model_folder: Path, inputs: Path, out: Path, *, threads: int, log: Path, timeout: float
) -> tuple[Trace, Ruler]:
    """Make the golden trace of a model on the inputs of a trace folder, in a process of its own, and check the ruler.

    `timeout` in seconds. Raises `compare.child.ChildFailed`. A ruler that does not hold is for the caller to refuse.
    """
    job = {"model": model_folder, "inputs": inputs, "out": out, "threads": threads}
    run_child("compare.numerics.golden", job, threads=threads, log=log, timeout=timeout)
    trace = Trace(out)
    return trace, Ruler(**trace.facts["ruler"])


def ruler_of(
    golden_run: Mapping[str, NDArray[Any]], eager_run: Mapping[str, NDArray[Any]], attention_mask: NDArray[Any]
) -> Ruler:
    """Compare two float64 runs tensor by tensor; padding positions, as queries, are left out."""
    rulers = []
    for name, tensor in golden_run.items():
        kept = query_rows(name, tensor, attention_mask)
        difference = rms(kept - query_rows(name, eager_run[name], attention_mask))
        rulers.append(Ruler(difference / (rms(kept) or 1.0), name))
    return max(rulers, key=lambda ruler: (isnan(ruler.worst), ruler.worst))


def float64_runs(model: Any, input_ids: Any, attention_mask: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The golden run and the eager run of a float64 model, all taps as torch tensors; ids, mask: (batch, sequence)."""
    from compare.reference_attention import reference_attention
    from export.taps import run_tapped

    def reference(query: Any, key: Any, value: Any, mask: Any, scale: float) -> Any:
        return reference_attention(query, key, value, mask=mask, scale=scale)

    with _float64_throughout():
        return (
            run_tapped(model, input_ids, attention_mask, reference),
            run_tapped(model, input_ids, attention_mask, "eager"),
        )


def _float64_throughout() -> Any:
    """A mode under which casts to float32 keep float64: root-mean-square norms and rotary angles are full of them."""
    import torch
    from torch.overrides import TorchFunctionMode

    class Float64Throughout(TorchFunctionMode):
        def __torch_function__(
            self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
        ) -> Any:
            if func is torch.Tensor.float:
                func = torch.Tensor.double
            widened = [torch.float64 if x is torch.float32 else x for x in args]
            named = {k: torch.float64 if v is torch.float32 else v for k, v in (kwargs or {}).items()}
            return func(*widened, **named)

    return Float64Throughout()


def _work(job: dict[str, Any]) -> None:
    import torch

    from export.models import read_weights

    torch.set_num_threads(job["threads"])
    inputs = Trace(Path(job["inputs"]))
    model = read_weights(Path(job["model"])).double()
    mask = inputs["attention_mask"].copy()
    runs = float64_runs(model, torch.from_numpy(inputs["input_ids"].copy()), torch.from_numpy(mask))
    golden_run, eager_run = ({name: tensor.numpy() for name, tensor in run.items()} for run in runs)
    ruler = ruler_of(golden_run, eager_run, mask)
    write_trace(Path(job["out"]), golden_run, {"ruler": {"worst": ruler.worst, "tensor": ruler.tensor}})


if __name__ == "__main__":
    main_of_child(_work)
