"""Golden: the whole model in float64, with its attention replaced by the reference attention if it can be replaced.

Before any run is judged, golden is compared with transformers' own eager attention in float64. The two differ in the
order of summation, by about 1e-15 of each tensor's size. If the difference is beyond `RULER_LIMIT`, one of the two
computes something else, and nothing is judged.
"""

from collections.abc import Callable, Mapping
from math import isnan
from typing import Any

from numpy.typing import NDArray

from compare.numerics.tensors import query_rows, rms
from compare.results.circumstances import Ruler

RULER_LIMIT = 1e-12


def ruler_of(
    golden_run: Mapping[str, NDArray[Any]], eager_run: Mapping[str, NDArray[Any]], attention_mask: NDArray[Any]
) -> Ruler:
    """Compare two float64 runs tensor by tensor, without padding queries."""
    rulers = []
    for name, tensor in golden_run.items():
        kept = query_rows(name, tensor, attention_mask)
        difference = rms(kept - query_rows(name, eager_run[name], attention_mask))
        rulers.append(Ruler(worst=difference / (rms(kept) or 1.0), tensor=name, limit=RULER_LIMIT))
    return max(rulers, key=lambda ruler: (isnan(ruler.worst), ruler.worst))


def float64_runs(model: Any, input_ids: Any, attention_mask: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run a float64 model with golden's attention and with transformers' eager one; return all taps of both.

    The two are the same if the model's attention cannot be replaced.

    input_ids, attention_mask: (batch, sequence).
    """
    from export.taps import run_tapped

    with float64_throughout():
        return (
            run_tapped(model, input_ids, attention_mask, golden_attention),
            run_tapped(model, input_ids, attention_mask, "eager"),
        )


def golden_attention(query: Any, key: Any, value: Any, mask: Any, scale: float, softcap: float = 0.0) -> Any:
    """The reference attention as an `export.attention.AttentionFunction`."""
    from compare.attention.reference import reference_attention

    return reference_attention(query, key, value, mask=mask, scale=scale, softcap=softcap)


def float64_throughout() -> Any:
    """Return a mode in which casts to float32 keep float64; RMS norms and rotary angles contain such casts."""
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
            if func is torch.full and float in map(
                type, (*widened, *named.values())
            ):  # as the smallest number, in masks
                named.setdefault("dtype", torch.float64)
            return func(*widened, **named)

    return Float64Throughout()
