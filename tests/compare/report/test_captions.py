"""Test that the headline states the input, the machine and its limits."""

from compare.report import captions
from compare.report.schema import Report
from compare.report.screen_sentences import header


def test_padding_is_counted_where_there_is_some(altered: Report) -> None:
    assert "padding" not in captions.headline(altered)
    altered.input.padding = 7
    assert " · 1 sequence of 20 bytes, 7 of them padding · " in captions.headline(altered)


def test_a_gpu_is_in_the_headline_and_on_the_screen(altered: Report) -> None:
    environment = altered.environment
    environment.device, environment.gpus = "cuda", ["NVIDIA H100 80GB HBM3, 81559 MiB, driver 580.159.04"]
    assert captions.headline(altered).endswith(f"{environment.processor}, on NVIDIA H100 80GB HBM3")
    assert header(altered)[1].endswith(" 1 thread, on NVIDIA H100 80GB HBM3")
    assert "; NVIDIA H100 80GB HBM3, 81559 MiB, driver 580.159.04; commit " in captions.software(altered)
    environment.gpus = []
    assert header(altered)[1].endswith(" 1 thread, on cuda")


def test_the_cpus_that_were_bound_are_in_the_headline(altered: Report) -> None:
    assert "pinned" not in captions.headline(altered)
    altered.environment.cpus = [3]
    assert " · 1 thread pinned to CPU 3 · " in captions.headline(altered)
    altered.environment.cpus = [0, 1]
    assert " pinned to CPUs 0, 1 · " in captions.headline(altered)
