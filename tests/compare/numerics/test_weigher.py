"""Tests of scales, with which runs are measured, for runs that expose different tensors."""

from pathlib import Path

import numpy as np
import pytest

from compare.numerics import weigher as scales_module
from compare.numerics.replay import profile_of
from compare.numerics.weigher import Scales, _fits_half
from compare.results.precisions import FLOAT32
from compare.traces import Trace, write_trace
from export.taps import tap_names


def test_logits_alone_are_weighed_by_the_floors_that_are_there(entry, tmp_path: Path, monkeypatch) -> None:
    """Floors made for a run that exposes everything also serve a run that exposes only logits, with the same result."""
    ids = np.arange(20)[None]
    write_trace(tmp_path / "inputs", {"input_ids": ids, "attention_mask": np.ones_like(ids)})

    def scales_in(name: str, profile: frozenset[str]) -> Scales:
        made = Scales(entry.folder, tmp_path / "inputs", tmp_path / name)
        made.make_golden()
        made.make_floors(profile)
        return made

    serving = scales_in("serving", profile_of(tap_names(2)))
    own = scales_in("own", frozenset())
    logits = Trace(own.out)["logits"].astype(np.float32)
    logits[0, 3, 5] += 1e-4
    write_trace(tmp_path / "run", {"logits": logits})
    monkeypatch.setattr(scales_module, "control_runs", lambda *_: pytest.fail("the controls were run again"))
    gap, same = (scales.weigh(Trace(tmp_path / "run"))["logits"] for scales in (serving, own))
    assert gap == same
    evidence = gap.evidence
    assert evidence.local == evidence.accumulated
    assert evidence.accumulated.max > 10
    assert evidence.place == (0, 3, 5)
    assert list(serving.floors[frozenset(), FLOAT32]) == list(own.floors[frozenset(), FLOAT32])


@pytest.mark.parametrize("size", [1, 7, 2**18])
def test_a_tensor_fits_half_precision_if_all_of_its_blocks_do(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(scales_module, "SIZE", size)
    values = np.random.default_rng(0).standard_normal((2, 3, 5)).astype(np.float16).astype(np.float32)
    assert _fits_half(values)
    for place in ((0, 0, 0), (1, 2, 4)):
        for other in (1 + 2.0**-12, 1e9, np.nan):
            changed = values.copy()
            changed[place] = other
            assert not _fits_half(changed)
