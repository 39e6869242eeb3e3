"""How numbers are written in every table and sentence."""

from compare.report.latency_parts import RatioPart

NOTHING = "–"

#: What stands where an interval is so wide that its numbers would say nothing.
NOT_MEASURABLE = "not measurable"


def give_or_take(ratio: RatioPart) -> str:
    """How closely a ratio is known, as half the width of its interval.

    >>> give_or_take(RatioPart(estimate=1.0, low=0.97, high=1.02))
    '+-2.5 %'
    >>> give_or_take(RatioPart(estimate=0.5, low=0, high="inf"))
    'not measurable'
    """
    return f"+-{100 * ratio.half_width:.2g} %" if ratio.measurable else NOT_MEASURABLE


def interval(ratio: RatioPart) -> str:
    """A ratio with its interval, where that is narrower than a factor of two.

    >>> interval(RatioPart(estimate=0.5, low=0.48, high=0.53)), interval(RatioPart(estimate=0.2, low=0.001, high=28.5))
    ('0.500 [0.480, 0.530]', 'not measurable')
    """
    return f"{ratio.estimate:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]" if ratio.measurable else NOT_MEASURABLE


def share(part: RatioPart | None) -> str:
    """A part of a whole with its interval, in per cent.

    >>> share(RatioPart(estimate=0.623, low=0.58, high=0.65))
    '62 % [58, 65]'
    """
    if part is None:
        return NOTHING
    if not part.measurable:
        return NOT_MEASURABLE
    return f"{100 * part.estimate:.0f} % [{100 * part.low:.0f}, {100 * part.high:.0f}]"


def rate(per_second: float, unit: str = "FLOP/s") -> str:
    """FLOP/s or B/s in thousands of millions.

    >>> rate(187.3e9), rate(33e9, "B/s")
    ('187 GFLOP/s', '33 GB/s')
    """
    return f"{number(per_second / 1e9)} G{unit}"


def spread(value: float | None) -> str:
    """The interquartile range over the median, flagged from 10 % and from 25 % on."""
    if value is None:
        return NOTHING
    flag = " !!" if value > 0.25 else " !" if value > 0.10 else ""
    return f"{100 * value:.1f} %{flag}"


def percent(share: float | None) -> str:
    """A change in percent with its sign.

    >>> percent(0.0613), percent(None)
    ('+6.1 %', '–')
    """
    return NOTHING if share is None else f"{100 * share:+.2g} %"


def number(value: float | None) -> str:
    """A few significant digits; exact zero is said as such.

    >>> number(None), number(0.0), number(3.14159e-6), number(147.26), number(1574.3), number(float("nan"))
    ('–', '0', '3.1e-06', '147', '1,574', 'NaN')
    """
    if value is None:
        return NOTHING
    if value != value:
        return "NaN"
    if value == 0:
        return "0"
    if abs(value) < 0.01 or abs(value) >= 1e6:
        return f"{value:.1e}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
