"""Results of a series in the form of the report."""

from compare.pipeline.assemble_samples import process_of
from tests.helpers.series import series_of


def test_memory_is_known_even_if_every_turn_was_disturbed() -> None:
    series = series_of("torch-eager", load_s=0.5, first_call_s=0.1, peak_bytes=700, settled_bytes=600)
    assert process_of(series) == {}
    series.loaded = True
    series.disturbed = {0: [[1]]}
    assert process_of(series) == {"load_s": 0.5, "first_call_s": 0.1, "peak_bytes": 700, "settled_bytes": 600}
    series.error = "killed"
    assert process_of(series) == {}
