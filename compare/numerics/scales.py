"""Scales: golden and what rounding does to each of its tensors, made once; then one trace after another is weighed."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from compare.numerics.controls import control_runs
from compare.numerics.errors import Error, Floor, error_of, floor_of, multiples_of, ulps_of
from compare.numerics.gaps import Gap, gap_of
from compare.numerics.golden import Ruler, float64_runs, ruler_of
from compare.numerics.replay import FORWARDED, profile_of, replay
from compare.numerics.softmax import softmax_gap
from compare.numerics.verdicts import TensorEvidence
from compare.traces import Trace, write_trace
from export.models import read_weights


class Scales:
    """Golden, and floors by profile: runs that expose the same inputs are parted into the same segments."""

    def __init__(self, model: Path, inputs: Path, out: Path) -> None:
        self.model_folder, self.out = model, out
        self.double = read_weights(model).double()
        given = Trace(inputs)
        self.mask = given["attention_mask"].copy()
        self.tensors = torch.from_numpy(given["input_ids"].copy()), torch.from_numpy(self.mask)
        self.floors: dict[frozenset[str], dict[str, tuple[Floor, Floor]]] = {}

    def make_golden(self) -> Ruler:
        golden, eager = ({n: t.numpy() for n, t in run.items()} for run in float64_runs(self.double, *self.tensors))
        ruler = ruler_of(golden, eager, self.mask)
        write_trace(self.out, golden)
        return ruler

    def make_floors(self, profile: frozenset[str]) -> tuple[list[str], int]:
        """Run the controls and keep the floors of a profile; their names, and how many were distinct."""
        errors: dict[str, list[tuple[Error, Error]]] = {}
        names, outputs = [], set()
        for name, run in control_runs(read_weights(self.model_folder), *self.tensors):
            found = {n: t.numpy() for n, t in run.items()}
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
        return names, len(outputs)

    def weigh(self, trace: Trace) -> dict[str, tuple[Gap, TensorEvidence]]:
        """Each tensor's gap to golden and what a verdict can rest on, in the order of execution."""
        golden = Trace(self.out)
        shown = {name: trace[name] for name in golden if name in trace}
        profile = profile_of(shown)
        if profile not in self.floors:
            self.make_floors(profile)
        local, accumulated = self._errors(shown, profile)
        found = {}
        for name, tensor in shown.items():
            local_floor, floor = self.floors[profile][name]
            with np.errstate(over="ignore"):
                half = bool(np.array_equal(tensor.astype(np.float16), tensor))
            sizes = local[name].size
            relative = np.divide(local[name].rms, sizes, where=sizes > 0, out=np.zeros_like(sizes))
            evidence = TensorEvidence(
                local=multiples_of(local[name], local_floor),
                accumulated=multiples_of(accumulated[name], floor),
                relative=float(relative.max()),
                half=half,
                nan=accumulated[name].nan,
                above=accumulated[name].above,
                place=local[name].place,
            )
            gap = gap_of(name, accumulated[name])
            ulps = ulps_of(name, tensor, golden[name], self.mask)
            rows = softmax_gap(tensor, golden[name], self.mask, rounding=floor.max) if gap.heads else None
            found[name] = replace(gap, ulps=ulps, softmax=rows), evidence
        return found

    def _errors(self, run: Mapping[str, Any], profile: frozenset[str]) -> tuple[dict[str, Error], dict[str, Error]]:
        """Local and accumulated errors of every tensor of a run."""
        golden = Trace(self.out)
        replayed = replay(self.double, *self.tensors, {name: run[name] for name in profile})
        local = {name: error_of(name, run[name], replayed[name].numpy(), self.mask) for name in run}
        return local, {name: error_of(name, run[name], golden[name], self.mask) for name in run}
