"""The limits of verdicts. `numerics` judges by them, and reports contain them, so that figures can show them."""

from dataclasses import asdict, dataclass, replace
from math import inf

from compare.results.base import Result
from compare.results.gaps import Multiples


@dataclass(frozen=True)
class Limits(Result):
    """The multiples of floors up to which an error is called rounding (docs/verdicts.md says how they were chosen)."""

    local: Multiples  # for local errors
    accumulated: Multiples  # for accumulated errors
    weak: Multiples  # for the accumulated error of a run that exposes only the model's output
    # errors in this range indicate a precision: local error over the tensor's size, in unit roundoffs of that precision
    precision_range: tuple[float, float]
    # quantized operators explain errors in this range (local error over the tensor's size); at least two kinds of
    # segments must reach the lower end, and an error above the upper end is a fault
    quantized_range: tuple[float, float]

    def scaled(self, factor: float) -> "Limits":
        """Return these limits with all multiples of floors scaled by a factor; the ranges do not change.

        >>> LIMITS.scaled(2.0).local
        Multiples(rms=4.0, max=8.0, channel=12.0, slope=16.0)
        """

        def times(limits: Multiples) -> Multiples:
            return Multiples(**{name: factor * limit for name, limit in asdict(limits).items()})

        return replace(self, local=times(self.local), accumulated=times(self.accumulated), weak=times(self.weak))


LIMITS = Limits(
    local=Multiples(rms=2.0, max=4.0, channel=6.0, slope=8.0),
    accumulated=Multiples(rms=4.0, max=8.0, channel=inf, slope=inf),
    weak=Multiples(rms=4.0, max=4.0, channel=inf, slope=inf),
    precision_range=(0.2, 1.3),
    quantized_range=(2.0**-11, 0.25),
)
