"""Compute golden and floors of a model on one input once, and compare traces with them."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from compare.numerics import golden_cache
from compare.numerics.blocks import SIZE
from compare.numerics.controls import CONTROLS, control_runs
from compare.numerics.diagnostics.bounds import longest_sum
from compare.numerics.diagnostics.softmax import softmax_gap
from compare.numerics.errors import Error, error_of, ulps_of
from compare.numerics.first_calls import warm_up
from compare.numerics.floors import Floor, floor_of, larger, multiples_of, read_floors, write_floors
from compare.numerics.gaps import gap_of
from compare.numerics.golden import float64_runs, ruler_of
from compare.numerics.low_precision import low_runs
from compare.numerics.replay import FORWARDED, profile_of, replay
from compare.numerics.tensors import Tensor
from compare.results.circumstances import Ruler
from compare.results.gaps import Gap, OwnEvidence, TensorEvidence
from compare.results.precisions import FLOAT32, ROUNDOFFS, UNIT_ROUNDOFF
from compare.traces import Trace, write_trace
from export.experts import plain_experts
from export.kinds import is_encoder, output_of
from export.models import read_weights


class NotRepeatable(Exception):
    """Two passes of one control on the same input differ, so no result of this process is reliable."""


class Scales:
    """Golden and floors of a model on one input.

    Floors are kept by profile (`profile_of`), because runs with the same profile have the same segments, and by the
    precision of the controls that they come from.
    """

    def __init__(
        self, model: Path, inputs: Path, out: Path, *, kept: Path | None = None, double: Any | None = None
    ) -> None:
        """Load the model and the input.

        model: the model's folder. inputs: the input's trace folder. out: the folder for the golden trace. kept: the
        folder of the cache of golden and floors; None for no cache. double: the model in float64; loaded by default.
        """
        warm_up()
        self.model_folder, self.out = model, out
        self.double = plain_experts(read_weights(model)).double() if double is None else double
        self.causal = not is_encoder(self.double.config)
        self.output = output_of(self.double.config)
        given = Trace(inputs)
        self.mask = given["attention_mask"].copy()
        self.tensors = torch.from_numpy(given["input_ids"].copy()), torch.from_numpy(self.mask)
        self.floors: dict[tuple[frozenset[str], str], dict[str, tuple[Floor, Floor]]] = {}
        self.shelf = kept
        self.key = golden_cache.key_of(model, given.values(), torch.get_num_threads()) if kept else None

    def make_golden(self) -> Ruler:
        """Compute golden or take it from the cache, write its trace, and return its agreement with transformers."""
        if self.shelf and self.key and (noted := golden_cache.take(self.shelf, self.key, self.out)):
            return Ruler(**noted)
        golden, eager = ({n: t.numpy() for n, t in run.items()} for run in float64_runs(self.double, *self.tensors))
        ruler = ruler_of(golden, eager, self.mask)
        write_trace(self.out, golden)
        if self.shelf and self.key and ruler.holds:
            golden_cache.put(self.shelf, self.key, self.out, asdict(ruler))
        return ruler

    def make_floors(self, profile: frozenset[str], precision: str = FLOAT32) -> tuple[list[str], int]:
        """Make the floors of a profile with the controls of a precision, or take them from the cache.

        Returns the names of the controls, and how many of them have distinct outputs. Raises `NotRepeatable` if two
        passes of the first control differ in a bit.
        """
        named = " ".join(sorted(profile)) + (precision if precision != FLOAT32 else "")
        key = f"{self.key}-{hashlib.sha256(named.encode()).hexdigest()[:8]}"
        folder = self.out.with_name(f"floors-{key}")
        if self.shelf and self.key and (noted := golden_cache.take(self.shelf, key, folder)):
            self.floors[profile, precision] = read_floors(folder)
            return noted["names"], noted["distinct"]
        errors: dict[str, list[tuple[Error, Error]]] = {}
        names: list[str] = []
        outputs = set()
        golden = dict(Trace(self.out))
        runs, twin = self._controls(precision)
        for name, run in runs:
            found = {n: t.numpy() for n, t in run.items()}
            if twin:
                check_repeatable(name, {n: t.numpy() for n, t in twin.items()}, found)
                twin.clear()  # frees its memory
            names.append(name)
            outputs.add(hashlib.sha256(found[self.output].tobytes()).digest())
            exposed = {n: t for n, t in found.items() if n in profile or n.partition(".")[0] not in FORWARDED}
            local, accumulated = self._errors(exposed, golden, profile)
            for tensor in accumulated:
                errors.setdefault(tensor, []).append((local[tensor], accumulated[tensor]))
        roundoff = ROUNDOFFS.get(precision, UNIT_ROUNDOFF)
        self.floors[profile, precision] = {
            tensor: (floor_of([pair[0] for pair in pairs], roundoff), floor_of([pair[1] for pair in pairs], roundoff))
            for tensor, pairs in errors.items()
        }
        if self.shelf and self.key:
            write_floors(folder, self.floors[profile, precision])
            golden_cache.put(self.shelf, key, folder, {"names": names, "distinct": len(outputs)})
        return names, len(outputs)

    def _controls(self, precision: str) -> tuple[Iterator[tuple[str, dict[str, Any]]], dict[str, Any]]:
        """Return the runs of a precision's controls, and in float32 a further pass of the first one."""
        if precision != FLOAT32:
            return low_runs(self.model_folder, precision, *self.tensors), {}
        runs = control_runs(plain_experts(read_weights(self.model_folder)), *self.tensors, (CONTROLS[0], *CONTROLS))
        return runs, next(runs)[1]

    def weigh(self, trace: Trace, precision: str = FLOAT32) -> dict[str, Gap]:
        """Return each tensor's gap to golden, with the evidence for a verdict, in the order of execution.

        precision: one of `OWN_CONTROLS`; then the evidence also has errors in floors of that precision.
        """
        whole = Trace(self.out)
        golden = {name: whole[name] for name in whole if name in trace}
        shown = {name: trace[name] for name in golden}
        profile = profile_of(shown)
        self._find_floors(profile)
        if precision != FLOAT32:
            self._find_floors(profile, precision)
        local, accumulated = self._errors(shown, golden, profile)
        found = {}
        for name, tensor in shown.items():
            floors = self._floors_of(name, profile, FLOAT32)
            gap = gap_of(name, accumulated[name], causal=self.causal)
            ulps = ulps_of(name, tensor, golden[name], self.mask, causal=self.causal)
            rows = None
            if gap.heads:
                rows = softmax_gap(tensor, golden[name], self.mask, rounding=floors[1].max, causal=self.causal)
            evidence = self._evidence(name, tensor, (local[name], accumulated[name]), floors)
            if precision != FLOAT32:
                own = self._floors_of(name, profile, precision)
                pair = multiples_of(local[name], own[0]), multiples_of(accumulated[name], own[1])
                evidence = replace(evidence, own=OwnEvidence(precision=precision, local=pair[0], accumulated=pair[1]))
            found[name] = replace(gap, ulps=ulps, softmax=rows, evidence=evidence)
        return found

    def reread(
        self,
        trace: Trace,
        names: Iterable[str],
        mask: Tensor,
        positions: Tensor,
        *,
        queries: Tensor | None = None,
        precision: str = FLOAT32,
    ) -> dict[str, TensorEvidence]:
        """Return the local evidence on some tensors of a weighed trace, replayed with another mask and positions.

        mask, positions: int64 (batch, sequence), instead of the input's; an encoder takes no positions. queries: the
        positions to compare, int64 (batch, sequence); those that are not padding by default. Positions that see no key
        under the other mask are left out, because attention is undefined there. precision: that of the floors.
        """
        profile = profile_of(trace)
        given = {name: trace[name] for name in profile}
        other = replay(self.double, self.tensors[0], torch.from_numpy(mask), given, torch.from_numpy(positions))
        seeing = mask.cumsum(1) > 0 if self.causal else mask.any(axis=1, keepdims=True)
        counted = (self.mask if queries is None else queries) * seeing
        found = {}
        for name in names:
            error = error_of(name, trace[name], other[name].numpy(), counted, keys=mask, causal=self.causal)
            found[name] = self._evidence(name, trace[name], (error, error), self._floors_of(name, profile, precision))
        return found

    def _floors_of(self, name: str, profile: frozenset[str], precision: str) -> tuple[Floor, Floor]:
        """Return the local and accumulated floor of a tensor in a precision.

        A segment that its controls do not round, such as the attention in 8 bits, has the floors of float32.
        """
        local, accumulated = self.floors[profile, FLOAT32][name]
        if precision == FLOAT32:
            return local, accumulated
        own = self.floors[profile, precision][name]
        return larger(local, own[0]), larger(accumulated, own[1])

    def _evidence(
        self, name: str, tensor: Tensor, errors: tuple[Error, Error], floors: tuple[Floor, Floor]
    ) -> TensorEvidence:
        """Return the evidence on one tensor. errors, floors: local and accumulated."""
        local, accumulated = errors
        relative = np.divide(local.rms, local.size, where=local.size > 0, out=np.zeros_like(local.size))
        return TensorEvidence(
            local=multiples_of(local, floors[0]),
            accumulated=multiples_of(accumulated, floors[1]),
            relative=float(relative.max()),
            half=_fits_half(tensor),
            nan=accumulated.nan,
            above=accumulated.above,
            padding=accumulated.padding,
            place=local.place,
            terms=longest_sum(name, self.double.config, self.mask.shape[1]),
        )

    def _find_floors(self, profile: frozenset[str], precision: str = FLOAT32) -> None:
        """Make the floors of a profile if they are missing.

        A run with an empty profile is one segment. Its floors are the accumulated floors of any other profile.
        """
        if (profile, precision) in self.floors:
            return
        known = next((floors for (_, of), floors in self.floors.items() if of == precision), None)
        if profile or known is None:
            self.make_floors(profile, precision)
            return
        whole = {name: floor for name, (_, floor) in known.items() if name.partition(".")[0] not in FORWARDED}
        self.floors[profile, precision] = {name: (floor, floor) for name, floor in whole.items()}

    def _errors(
        self, run: Mapping[str, Any], golden: Mapping[str, Any], profile: frozenset[str]
    ) -> tuple[dict[str, Error], dict[str, Error]]:
        """Return the local and accumulated errors of every tensor of a run; they are equal if the profile is empty.

        golden: opened once by the caller, because every page of a file that is opened anew must be mapped anew.
        """
        mask, causal = self.mask, self.causal
        accumulated = {name: error_of(name, run[name], golden[name], mask, causal=causal) for name in run}
        if not profile:
            return accumulated, accumulated
        replayed = replay(self.double, *self.tensors, {name: run[name] for name in profile})
        local = {name: error_of(name, run[name], replayed[name].numpy(), mask, causal=causal) for name in run}
        return local, accumulated


def _fits_half(tensor: Tensor) -> bool:
    """Return whether every value can be written in float16. Most tensors are decided by their first block."""
    values = tensor.reshape(-1)
    parts = (values[start : start + SIZE] for start in range(0, values.size, SIZE))
    with np.errstate(over="ignore"):
        return all(np.array_equal(part.astype(np.float16), part) for part in parts)


def check_repeatable(control: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
    """Raise `NotRepeatable` if two passes of a control differ in a bit."""
    for name, tensor in first.items():
        if not np.array_equal(tensor, second[name], equal_nan=True):
            gap = np.abs(np.subtract(tensor, second[name], dtype=np.float64)).max()
            raise NotRepeatable(
                f"two passes of the control {control!r} differ, first in {name}, by up to {gap:.1e}; no floors are "
                "made from them. Run it again; if it happens again, please report the model's name and the processor"
            )
