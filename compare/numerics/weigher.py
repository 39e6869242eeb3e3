"""Scales: golden and what rounding does to each of its tensors, made once; then one trace after another is weighed."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from compare.numerics import golden_cache
from compare.numerics.controls import CONTROLS, control_runs
from compare.numerics.diagnostics.bounds import longest_sum
from compare.numerics.diagnostics.softmax import softmax_gap
from compare.numerics.errors import Error, error_of, ulps_of
from compare.numerics.first_calls import warm_up
from compare.numerics.floors import Floor, floor_of, multiples_of, read_floors, write_floors
from compare.numerics.gaps import gap_of
from compare.numerics.golden import float64_runs, ruler_of
from compare.numerics.replay import FORWARDED, profile_of, replay
from compare.numerics.tensors import Tensor
from compare.results.circumstances import Ruler
from compare.results.gaps import Gap, TensorEvidence
from compare.traces import Trace, write_trace
from export.models import read_weights


class NotRepeatable(Exception):
    """Two passes of one control on the same input differ, so nothing made in this process can be relied on."""


class Scales:
    """Golden, and floors by profile: runs that expose the same inputs are parted into the same segments."""

    def __init__(
        self, model: Path, inputs: Path, out: Path, *, kept: Path | None = None, double: Any | None = None
    ) -> None:
        """kept: where golden and floors are kept between runs, if they are. double: the model in float64, if loaded."""
        warm_up()
        self.model_folder, self.out = model, out
        self.double = read_weights(model).double() if double is None else double
        given = Trace(inputs)
        self.mask = given["attention_mask"].copy()
        self.tensors = torch.from_numpy(given["input_ids"].copy()), torch.from_numpy(self.mask)
        self.floors: dict[frozenset[str], dict[str, tuple[Floor, Floor]]] = {}
        self.shelf = kept
        self.key = golden_cache.key_of(model, given.values(), torch.get_num_threads()) if kept else None

    def make_golden(self) -> Ruler:
        """The golden trace, made or taken from where it was kept, and how well it agrees with transformers' eager."""
        if self.shelf and self.key and (noted := golden_cache.take(self.shelf, self.key, self.out)):
            return Ruler(**noted)
        golden, eager = ({n: t.numpy() for n, t in run.items()} for run in float64_runs(self.double, *self.tensors))
        ruler = ruler_of(golden, eager, self.mask)
        write_trace(self.out, golden)
        if self.shelf and self.key and ruler.holds:
            golden_cache.put(self.shelf, self.key, self.out, asdict(ruler))
        return ruler

    def make_floors(self, profile: frozenset[str]) -> tuple[list[str], int]:
        """Run the controls for the floors of a profile, or take what was kept; names, and how many were distinct.

        Raises `NotRepeatable` if two passes of the first control differ in a bit.
        """
        key = f"{self.key}-{hashlib.sha256(' '.join(sorted(profile)).encode()).hexdigest()[:8]}"
        folder = self.out.with_name(f"floors-{key}")
        if self.shelf and self.key and (noted := golden_cache.take(self.shelf, key, folder)):
            self.floors[profile] = read_floors(folder)
            return noted["names"], noted["distinct"]
        errors: dict[str, list[tuple[Error, Error]]] = {}
        names: list[str] = []
        outputs = set()
        runs = control_runs(read_weights(self.model_folder), *self.tensors, (CONTROLS[0], *CONTROLS))
        _, twin = next(runs)  # the first control's first pass
        for name, run in runs:
            found = {n: t.numpy() for n, t in run.items()}
            if not names:
                check_repeatable(name, {n: t.numpy() for n, t in twin.items()}, found)
                twin.clear()  # its memory
            names.append(name)
            outputs.add(found["logits"].tobytes())
            exposed = {n: t for n, t in found.items() if n in profile or n.partition(".")[0] not in FORWARDED}
            local, accumulated = self._errors(exposed, profile)
            for tensor in accumulated:
                errors.setdefault(tensor, []).append((local[tensor], accumulated[tensor]))
        self.floors[profile] = {
            tensor: (floor_of([local for local, _ in pairs]), floor_of([accumulated for _, accumulated in pairs]))
            for tensor, pairs in errors.items()
        }
        if self.shelf and self.key:
            write_floors(folder, self.floors[profile])
            golden_cache.put(self.shelf, key, folder, {"names": names, "distinct": len(outputs)})
        return names, len(outputs)

    def weigh(self, trace: Trace) -> dict[str, Gap]:
        """Each tensor's gap to golden, with the evidence that a verdict can rest on, in the order of execution."""
        golden = Trace(self.out)
        shown = {name: trace[name] for name in golden if name in trace}
        profile = profile_of(shown)
        self._find_floors(profile)
        local, accumulated = self._errors(shown, profile)
        found = {}
        for name, tensor in shown.items():
            floors = self.floors[profile][name]
            gap = gap_of(name, accumulated[name])
            ulps = ulps_of(name, tensor, golden[name], self.mask)
            rows = softmax_gap(tensor, golden[name], self.mask, rounding=floors[1].max) if gap.heads else None
            evidence = self._evidence(name, tensor, (local[name], accumulated[name]), floors)
            found[name] = replace(gap, ulps=ulps, softmax=rows, evidence=evidence)
        return found

    def reread(
        self, trace: Trace, names: Iterable[str], mask: Tensor, positions: Tensor, queries: Tensor | None = None
    ) -> dict[str, TensorEvidence]:
        """The local evidence on some tensors of a trace that was weighed, had the model been given another mask.

        mask, positions: int64 (batch, sequence), for those of the input. queries: the positions that count, those that
        are no padding by default; of them those that see no key under the other mask, where nothing is defined, do not.
        """
        profile = profile_of(trace)
        given = {name: trace[name] for name in profile}
        other = replay(self.double, self.tensors[0], torch.from_numpy(mask), given, torch.from_numpy(positions))
        counted = (self.mask if queries is None else queries) * (mask.cumsum(1) > 0)
        found = {}
        for name in names:
            error = error_of(name, trace[name], other[name].numpy(), counted, keys=mask)
            found[name] = self._evidence(name, trace[name], (error, error), self.floors[profile][name])
        return found

    def _evidence(
        self, name: str, tensor: Tensor, errors: tuple[Error, Error], floors: tuple[Floor, Floor]
    ) -> TensorEvidence:
        """What a verdict can rest on of one tensor; errors, floors: local and accumulated."""
        local, accumulated = errors
        with np.errstate(over="ignore"):
            half = bool(np.array_equal(tensor.astype(np.float16), tensor))
        relative = np.divide(local.rms, local.size, where=local.size > 0, out=np.zeros_like(local.size))
        return TensorEvidence(
            local=multiples_of(local, floors[0]),
            accumulated=multiples_of(accumulated, floors[1]),
            relative=float(relative.max()),
            half=half,
            nan=accumulated.nan,
            above=accumulated.above,
            padding=accumulated.padding,
            place=local.place,
            terms=longest_sum(name, self.double.config, self.mask.shape[1]),
        )

    def _find_floors(self, profile: frozenset[str]) -> None:
        """See to it that a profile has floors: those of an empty one are there with any other's, as accumulated."""
        if profile in self.floors:
            return
        if profile or not self.floors:
            self.make_floors(profile)
            return
        known = next(iter(self.floors.values()))
        whole = {name: floor for name, (_, floor) in known.items() if name.partition(".")[0] not in FORWARDED}
        self.floors[profile] = {name: (floor, floor) for name, floor in whole.items()}

    def _errors(self, run: Mapping[str, Any], profile: frozenset[str]) -> tuple[dict[str, Error], dict[str, Error]]:
        """Local and accumulated errors of every tensor of a run; the same where it is one segment, as golden is."""
        golden = Trace(self.out)
        accumulated = {name: error_of(name, run[name], golden[name], self.mask) for name in run}
        if not profile:
            return accumulated, accumulated
        replayed = replay(self.double, *self.tensors, {name: run[name] for name in profile})
        local = {name: error_of(name, run[name], replayed[name].numpy(), self.mask) for name in run}
        return local, accumulated


def check_repeatable(control: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
    """Raises `NotRepeatable` if two passes of a control differ in a bit."""
    for name, tensor in first.items():
        if not np.array_equal(tensor, second[name], equal_nan=True):
            gap = np.abs(np.subtract(tensor, second[name], dtype=np.float64)).max()
            raise NotRepeatable(
                f"two passes of the control {control!r} differ, first in {name}, by up to {gap:.1e}; no floors are "
                "made from them. Run it again; if it happens again, please report the model's name and the processor"
            )
