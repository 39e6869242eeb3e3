"""Time two identical ONNX Runtime workers in several ways: the true ratio is 1, so each difference from 1 is an error.

The input is 64 tokens on the distilgpt2 architecture, with as many threads as cores. There are four ways: ours, with at
most 20 s of rounds for each trial and the usual stopping rule; ours with a brake that slows one worker by a twentieth
of a call; and two ways in a single process: one session after the other, and both in turns. All are repeated with a
busy loop that uses one core. In these trials every turn counts, even if it is disturbed, because they test the
interval. The ways alternate, trial by trial.
"""

import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.brake import SLOWDOWN, install_brake, make_brake
from benchmarks.load import busy
from benchmarks.progress import PROGRESS, one_by_one
from benchmarks.record import RESULTS, Aim, arguments, finish
from benchmarks.stand import Stand, ask, loaded, make_stand
from compare.latency.disturbance import MAX_LOAD
from compare.latency.rounds import precise, run_rounds
from compare.latency.series import Role
from compare.latency.statistics import log_ratios, paired_ratio
from compare.results.latency import Ratio

TOKENS, SECONDS, PRECISION = 64, 20.0, 0.02

OURS, BRAKED, SEQUENTIAL, INTERLEAVED = "ours", "ours, a twentieth slower", "sequential", "interleaved"

#: The number of trials of each way, without added load and with a load on one core.
TRIALS = {OURS: 40, BRAKED: 40, SEQUENTIAL: 20, INTERLEAVED: 20}
LOADED = {OURS: 20, BRAKED: 20, SEQUENTIAL: 10, INTERLEAVED: 10}


@dataclass(frozen=True)
class Trial:
    """One measurement of a ratio whose true value is known.

    estimate, low, high: the ratio and its interval. rounds: the ratio in each round, in order; empty for a way without
    rounds. seconds: duration of the trial.
    """

    estimate: float
    low: float
    high: float
    rounds: list[float]
    seconds: float

    @property
    def distance(self) -> float:
        return abs(self.estimate - 1)


def main() -> None:
    options = arguments(__doc__)
    with tempfile.TemporaryDirectory() as scratch:
        stand = make_stand(Path(scratch), TOKENS)
        install_brake(stand)
        PROGRESS.stage("measuring the brake")
        brake = make_brake(stand)
        print(f"the brake: {brake['rows']} rows, measured separately as {brake['ratio']}", flush=True)
        quiet = take_trials(stand, shortened(TRIALS) if options.quick else TRIALS)
        with busy(1):
            loaded = take_trials(stand, shortened(LOADED) if options.quick else LOADED, max_load=1.0)
    show("the machine as it is", quiet)
    show("a load on one core", loaded)
    plot(quiet, loaded, quick=options.quick)
    figures = {
        "brake": brake,
        "quiet": {way: [asdict(trial) for trial in trials] for way, trials in quiet.items()},
        "loaded": {way: [asdict(trial) for trial in trials] for way, trials in loaded.items()},
    }
    finish("aa", figures, aims(quiet, loaded), quick=options.quick)


def shortened(trials: dict[str, int]) -> dict[str, int]:
    return {way: max(2, count // 10) for way, count in trials.items()}


def take_trials(stand: Stand, counts: dict[str, int], *, max_load: float = MAX_LOAD) -> dict[str, list[Trial]]:
    """Run all trials and return way -> trials. The ways alternate until each has run its trials."""
    trials: dict[str, list[Trial]] = {way: [] for way in counts}
    for number in one_by_one("trial of each way", range(max(counts.values()))):
        for way, count in counts.items():
            if number < count:
                trials[way].append(trial(stand, way, number, max_load))
                last = trials[way][-1]
                reading = f"{last.estimate:.4f} [{last.low:.4f}, {last.high:.4f}]"
                print(f"{number:>3} {way:<26} {reading}, {len(last.rounds)} rounds, {last.seconds:.0f} s", flush=True)
    return trials


def trial(stand: Stand, way: str, seed: int, max_load: float) -> Trial:
    """Run one trial, which measures the second side's time over the first side's."""
    start = time.monotonic()
    if way in (OURS, BRAKED):
        found, rounds = our_trial(stand, "slowed" if way == BRAKED else "onnxruntime", seed, max_load)
    else:
        first, second = (np.array(taken) for taken in ask("benchmarks.naive_ways", stand, before=(way,)))
        found, rounds = unpaired(second, first, seed), []
    return Trial(found.estimate, found.low, found.high, rounds, time.monotonic() - start)


def our_trial(stand: Stand, runtime: str, seed: int, max_load: float) -> tuple[Ratio, list[float]]:
    with loaded(stand, {Role.BASELINE: "onnxruntime", Role.RUNTIME: runtime}, max_load=max_load) as series:
        present = list(series.values())
        run_rounds(present, seconds=SECONDS, seed=seed, done=lambda: precise(present, PRECISION, seed))
    baseline, other = series[Role.BASELINE], series[Role.RUNTIME]
    found = paired_ratio(other.turns, baseline.turns, seed)
    assert found is not None, [each.error for each in present]
    return found, [round(float(ratio), 5) for ratio in np.exp(log_ratios(other.turns, baseline.turns))]


def unpaired(samples: Any, baseline: Any, seed: int) -> Ratio:
    """Return the ratio of two medians with a percentile bootstrap interval that treats all samples as independent."""
    generator = np.random.default_rng(seed)
    picks = [np.median(generator.choice(side, (2000, side.size)), axis=1) for side in (samples, baseline)]
    low, high = np.quantile(picks[0] / picks[1], [0.025, 0.975])
    return Ratio(estimate=float(np.median(samples) / np.median(baseline)), low=float(low), high=float(high))


def covered(trials: list[Trial]) -> int:
    return sum(trial.low <= 1 <= trial.high for trial in trials)


def called(trials: list[Trial]) -> int:
    """Return the number of trials in which the second side is called slower."""
    return sum(trial.low > 1 for trial in trials)


def half_width(trials: list[Trial]) -> float:
    return statistics.median((trial.high - trial.low) / 2 / trial.estimate for trial in trials)


def show(title: str, trials: dict[str, list[Trial]]) -> None:
    print(f"\n{title}")
    print(f"{'way':<26} trials  median off  most off  lowest  highest  +- %  holds 1  slower  s a trial")
    for way, found in trials.items():
        distances = [100 * trial.distance for trial in found]
        estimates = [trial.estimate for trial in found]
        print(
            f"{way:<26} {len(found):>6}  {statistics.median(distances):>8.2f} %  {max(distances):>6.1f} %  "
            f"{min(estimates):>6.3f}  {max(estimates):>7.3f}  {100 * half_width(found):>4.1f}  {covered(found):>7}  "
            f"{called(found):>6}  {statistics.median(trial.seconds for trial in found):>9.0f}"
        )


def aims(quiet: dict[str, list[Trial]], loaded: dict[str, list[Trial]]) -> list[Aim]:
    ours, braked, under_load = quiet[OURS], quiet[BRAKED], loaded[OURS]
    typical, worst = (100 * f([trial.distance for trial in ours]) for f in (statistics.median, max))
    least = round(0.9 * len(ours))
    slower = round(0.95 * len(braked))
    widened = half_width(under_load) / half_width(ours)
    return [
        Aim("ours off by, median", "<= 1 %", f"{typical:.2f} %", typical <= 1),
        Aim("most", "<= 4 %", f"{worst:.1f} %", worst <= 4),
        Aim("intervals that hold 1", f">= {least}", f"{covered(ours)} of {len(ours)}", covered(ours) >= least),
        Aim("slowdown called", f">= {slower}", f"{called(braked)} of {len(braked)}", called(braked) >= slower),
        Aim(
            "under load, intervals that hold 1",
            f">= {round(0.9 * len(under_load))}",
            f"{covered(under_load)} of {len(under_load)}",
            covered(under_load) >= round(0.9 * len(under_load)),
        ),
        Aim("and are wider by", "> 1", f"{widened:.2f}", widened > 1),
    ]


def plot(quiet: dict[str, list[Trial]], loaded: dict[str, list[Trial]], *, quick: bool) -> None:
    """Draw every trial's ratio with its interval, one column for each way, without added load and under load."""
    figure = Figure(figsize=(11, 5), layout="constrained")
    for axes, title, trials in zip(
        figure.subplots(1, 2, sharey=True), ("the machine as it is", "a load on one core"), (quiet, loaded), strict=True
    ):
        for column, (way, found) in enumerate(trials.items()):
            estimates = np.array([trial.estimate for trial in found])
            reach = [estimates - [trial.low for trial in found], [trial.high for trial in found] - estimates]
            places = column + np.linspace(-0.35, 0.35, len(found))
            colour = "#0072B2" if way in (OURS, BRAKED) else "#D55E00"
            axes.errorbar(places, estimates, yerr=reach, fmt="o", ms=3, lw=0.8, color=colour, label=way)
        axes.axhline(1, color="black", lw=0.8)
        axes.axhline(1 + SLOWDOWN, color="black", lw=0.8, ls=":")
        axes.set_xticks(range(len(trials)), [way.replace(", ", ",\n") for way in trials], fontsize=8)
        axes.set_yscale("log")
        axes.set_yticks([0.8, 0.9, 1, 1.05, 1.2, 1.5, 2], ["0.8", "0.9", "1", "1.05", "1.2", "1.5", "2"])
        axes.minorticks_off()
        axes.set_title(title, loc="left", fontsize=10)
        axes.grid(alpha=0.25, axis="y")
    figure.axes[0].set_ylabel("second side's time / first side's, with 95 % interval")
    figure.suptitle("Two identical ONNX Runtime workers: what each way of timing reads", x=0.01, ha="left", fontsize=12)
    figure.savefig(RESULTS / f"aa{'.quick' if quick else ''}.png", dpi=100)


if __name__ == "__main__":
    main()
