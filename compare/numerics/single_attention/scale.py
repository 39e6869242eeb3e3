"""Golden and floors of a single attention, computed from its inputs alone.

With them, any kernel can be judged without a model. `compare.testing` uses this module.
"""

from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compare.attention.reference import causal_mask, masked, spread_groups
from compare.numerics.errors import Error, error_of
from compare.numerics.first_calls import warm_up
from compare.numerics.floors import Floor, floor_of, multiples_of
from compare.numerics.gaps import WrongShape, check_shapes, gap_of
from compare.numerics.places import place_of
from compare.numerics.single_attention.controls import ORDERS, Problem, control_contexts
from compare.numerics.verdicts import judge
from compare.results.gaps import Gap, TensorEvidence, evidence_of
from compare.results.verdict_limits import LIMITS, Limits
from compare.results.verdicts import Verdict

Array = NDArray[Any]

#: The name of the context, which is the only tensor here.
NAME = "context.0"

#: The number of standard deviations that a normal variable exceeds once in a thousand cases.
_ONE_IN_A_THOUSAND = NormalDist().inv_cdf(0.999)

#: The precisions that torch computes in and that are lower than golden's.
PRECISIONS = (torch.float32, torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class AttentionScale:
    """Golden and the floor of one attention, with which contexts are judged.

    golden: the context in float64, (batch, heads, sequence, head_dim). floor: its floor. controls: the names of the
    controls that the floor was made from. distinct: the number of bitwise distinct contexts among them.
    """

    golden: Array
    floor: Floor
    controls: tuple[str, ...]
    distinct: int

    def weigh(self, context: Any) -> Gap:
        """Return a context's gap to golden with its evidence; local and accumulated errors are the same here.

        context: an array of golden's shape, of any precision. Raises `WrongShape` if it has another shape.
        """
        found = numbers(context)
        check_shapes({NAME: found}, {NAME: self.golden})
        error = _error(found, self.golden)
        multiples = multiples_of(error, self.floor)
        with np.errstate(over="ignore", invalid="ignore"):
            half = bool(np.array_equal(found.astype(np.float16), found))
        evidence = TensorEvidence(
            local=multiples,
            accumulated=multiples,
            relative=float(error.rms[0] / error.size[0]) if error.size[0] else 0.0,
            half=half,
            nan=error.nan,
            place=error.place,
        )
        return replace(gap_of(NAME, error), evidence=evidence)

    def judge(self, context: Any, *, limits: Limits = LIMITS) -> Verdict:
        """Return the verdict on a context; "broken" if it does not have golden's shape, or if it has a NaN.

        context: an array of any precision. limits: `LIMITS` by default.
        """
        try:
            gap = self.weigh(context)
        except WrongShape as wrong:
            return Verdict(kind="broken", tensor=NAME, place=place_of(NAME), note=str(wrong))
        return judge(evidence_of([gap]), bitwise=False, limits=limits)


def attention_scale(
    query: Any,
    key: Any,
    value: Any,
    *,
    mask: Any = None,
    causal: bool = False,
    scale: float | None = None,
    softcap: float = 0.0,
) -> AttentionScale:
    """Return golden and the floor of an attention, from the arguments of `reference_attention`.

    query, key, value: NumPy or Torch arrays, all float32, all float16 or all (Torch) bfloat16. The controls run in that
    precision, and golden in float64 on the same numbers. An additive mask is converted to that precision too. Rows that
    see no key are zeros.

    Raises `ValueError` if inputs are float64 or not finite, if shapes do not fit, or if every control overflows.

    >>> query, key, value = np.random.default_rng(0).standard_normal((3, 1, 2, 20, 8), dtype=np.float32)
    >>> made = attention_scale(query, key, value, causal=True)
    >>> made.judge(made.golden.astype(np.float32)).kind
    'rounding'
    >>> made.judge(made.golden * 1.001).kind
    'different'
    """
    warm_up()
    problem = _problem(query, key, value, mask, causal, scale, softcap)
    golden, attention = (x.numpy() for x in problem.double().solve())
    errors, exact, bits = {}, True, set()
    for name, run in control_contexts(problem):
        if not bool(torch.isfinite(run).all()):
            continue  # an overflow in one order of summation alone is not rounding
        errors[name] = _error(numbers(run), golden)
        exact = exact and (name not in ORDERS or not errors[name].max.any())
        bits.add(run.contiguous().view(torch.uint8).numpy().tobytes())
    if not set(errors) & set(ORDERS):
        raise ValueError(
            f"every control overflows {_name(problem.query.dtype)}; golden's largest value is "
            f"{np.abs(golden).max():.3g}; use smaller inputs, or a precision with a wider range"
        )
    # A model needs five distinct controls. Here fewer are allowed: an attention of one token, or to one key alone, is
    # exact in every order, and then the context must be exact.
    roundoff = torch.finfo(problem.query.dtype).eps / 2
    floor = _spread(floor_of(list(errors.values()), roundoff), [error.rms for error in errors.values()], golden.size)
    copied = bool(np.isin(attention, (0.0, 1.0)).all())  # golden copies rows of values, so it is not exact by chance
    exactly = exact and (copied or floor.max.max() == 0)
    return AttentionScale(golden, replace(floor, exact=np.array([exactly])), tuple(errors), len(bits))


def _spread(floor: Floor, rms: list[Array], count: int) -> Floor:
    """Return the floor, raised to the error that one run in a thousand would have.

    The errors of that run are assumed to be normal, with the mean square of the controls' errors. rms: the root mean
    square error of each control. count: the number of elements that it is taken over. Over many elements all controls
    have nearly the same root mean square, and their largest is enough. Over four elements, the error of a correct
    kernel can be twice the largest among a few controls. The quantile of the chi-square distribution is that of Wilson
    and Hilferty (1931), exact to within 4 % in the square.
    """
    part = 2 / (9 * count)
    quantile: float = (1 - part + _ONE_IN_A_THOUSAND * part**0.5) ** 1.5
    least = np.maximum(floor.rms, quantile * np.sqrt(np.mean(np.square(rms), axis=0)))
    return replace(floor, rms=least, max=np.maximum(floor.max, least))  # the largest is at least the root mean square


def numbers(x: Any) -> Array:
    """Convert an array of any library to a NumPy array of float64, which can hold all values exactly."""
    return _tensor(x).double().numpy()


def _error(found: Array, golden: Array) -> Error:
    with np.errstate(invalid="ignore", over="ignore"):  # the verdict reports infinities
        return error_of(NAME, found, golden, np.ones((golden.shape[0], golden.shape[2]), dtype=np.int64))


def _problem(query: Any, key: Any, value: Any, mask: Any, causal: bool, scale: float | None, softcap: float) -> Problem:
    """Check the inputs and return them as a `Problem`. Raises `ValueError` if they are not valid."""
    arrays = {"query": _tensor(query), "key": _tensor(key), "value": _tensor(value)}
    _check(arrays)
    precision = arrays["query"].dtype
    key, value = spread_groups(*arrays.values())
    scores = torch.zeros((*arrays["query"].shape[:-1], key.shape[2]), dtype=precision)
    sees = None if mask is None else _mask(_tensor(mask), scores)
    if causal:  # becomes part of the mask, because a control that permutes the keys has no diagonal
        seen = causal_mask(scores)
        sees = (
            seen if sees is None else seen & sees if sees.dtype == torch.bool else masked(sees.expand_as(scores), seen)
        )
    chosen = arrays["query"].shape[-1] ** -0.5 if scale is None else float(scale)
    return Problem(arrays["query"], key, value, sees, chosen, softcap)


def _mask(mask: Tensor, scores: Tensor) -> Tensor:
    """Return the mask, in the scores' precision if it is added. Raises `ValueError` if it is not valid."""
    try:
        mask.expand_as(scores)
    except RuntimeError:
        shapes = f"{tuple(mask.shape)}, which does not broadcast to {tuple(scores.shape)}"
        raise ValueError(f"mask has shape {shapes}") from None
    if mask.dtype == torch.bool:
        return mask
    count = int((~(mask < torch.inf)).sum())
    if count:
        raise ValueError(
            f"mask has {count} values that are NaN or +inf; its values must be finite, or -inf for hidden keys"
        )
    return mask.to(scores.dtype)


def _check(arrays: dict[str, Tensor]) -> None:
    for name, x in arrays.items():
        if x.ndim != 4 or not x.numel():
            raise ValueError(
                f"{name} has shape {tuple(x.shape)}; it must be (batch, heads, sequence, head_dim), with no dimension 0"
            )
    precisions = {name: x.dtype for name, x in arrays.items()}
    if torch.float64 in precisions.values():
        raise ValueError(
            f"{_listed(precisions)}: golden is in float64 too, so it is not more exact; give float32, float16 or "
            "bfloat16 inputs, or compare two float64 results with numpy.testing.assert_allclose"
        )
    if len(set(precisions.values())) > 1 or arrays["query"].dtype not in PRECISIONS:
        raise ValueError(f"{_listed(precisions)}; all three must be float32, all float16 or all bfloat16")
    for name, x in arrays.items():
        count = int((~torch.isfinite(x)).sum())
        if count:
            raise ValueError(
                f"{name} has {count} values that are not finite; floors can only be made for finite values"
            )


def _tensor(x: Any) -> Tensor:
    """Convert an array to a CPU tensor; NumPy's is copied, because it may be read-only or have negative strides."""
    if isinstance(x, torch.Tensor):
        return x.detach().cpu()
    return torch.from_numpy(np.array(x))


def _listed(precisions: dict[str, torch.dtype]) -> str:
    return ", ".join(f"{name} is {_name(precision)}" for name, precision in precisions.items())


def _name(precision: torch.dtype) -> str:
    return str(precision).removeprefix("torch.")
