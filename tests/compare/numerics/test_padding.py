"""Test that the cause of wrong tensors on the padded input is found in a run of a lower precision too."""

from pathlib import Path

import numpy as np
import pytest
import torch

from compare.numerics.padding import IGNORED, cause_of
from compare.numerics.verdicts import beyond_limits, judge, own_evidence
from compare.numerics.weigher import Scales
from compare.results.gaps import evidence_of
from compare.traces import Trace, write_trace
from export.cache import Entry
from export.models import read_weights
from export.taps import run_tapped


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_an_ignored_mask_is_found_in_floors_of_the_runs_precision(
    entry: Entry, ids_and_mask, tmp_path: Path, precision: str, dtype: torch.dtype
) -> None:
    ids, mask = ids_and_mask[0], np.ones_like(ids_and_mask[1])
    mask[1, :4] = 0
    write_trace(tmp_path / "inputs", {"input_ids": ids, "attention_mask": mask})
    scales = Scales(entry.folder, tmp_path / "inputs", tmp_path / "golden")
    assert scales.make_golden().holds
    model = read_weights(entry.folder).to(dtype)
    run = run_tapped(model, torch.from_numpy(ids), torch.ones(ids.shape, dtype=torch.int64), "eager")
    write_trace(tmp_path / "run", {name: tensor.float().numpy() for name, tensor in run.items()})
    trace = Trace(tmp_path / "run")
    evidence = evidence_of(scales.weigh(trace, precision).values())
    verdict = judge(evidence, bitwise=False)
    assert (verdict.kind, verdict.own) == ("different", True)
    wrong = beyond_limits(own_evidence(evidence), weak=False)
    found = cause_of(scales, trace, wrong, precision)
    assert (found.words, found.sides) == (IGNORED, ["left"])
    assert cause_of(scales, trace, wrong).words == ""  # the errors of the precision are no float32 rounding
