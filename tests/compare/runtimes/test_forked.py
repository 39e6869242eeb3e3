"""A forked process of a runtime computes what a process that was started on its own computes."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import numpy as np
import pytest

from compare.processes import templates
from compare.runtimes.registry import BUILT_IN, spec_of
from compare.runtimes.tracer import trace
from compare.traces import Trace, same_bits, write_trace
from tests.helpers.processes import kept_template

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="templates need Linux")

Tracing = Callable[[str], Trace]

COMPARED = [spec for spec in BUILT_IN if spec.default and "inspect" in spec.graphs]


@pytest.fixture(scope="module")
def tracing(entry, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Tracing]:
    """A function that returns, for a folder's name, a function that traces a runtime."""
    folder = tmp_path_factory.mktemp("forked")
    ids = np.random.default_rng(0).integers(0, 256, (2, 12))
    write_trace(folder / "inputs", {"input_ids": ids, "attention_mask": np.ones_like(ids)})

    def to(way: str) -> Tracing:
        def traced(name: str) -> Trace:
            log = folder / f"{name}.log"
            return trace(name, entry.folder, folder / "inputs", folder / way / name, threads=2, log=log, timeout=120)

        return traced

    return to


@pytest.fixture(scope="module")
def on_their_own(tracing) -> dict[str, Trace]:
    """The trace of every default runtime, made without a template: the session's is for one thread."""
    traced = tracing("on their own")
    return {spec.name: traced(spec.name) for spec in COMPARED if not spec.missing()}


@pytest.fixture(scope="module")
def forked(tracing, on_their_own) -> Iterator[Tracing]:
    """A function that traces a runtime with templates of all default runtimes."""
    with ExitStack() as opened:
        for libraries in {spec.libraries for spec in COMPARED if not spec.missing()}:
            opened.enter_context(kept_template(libraries, threads=2))
        yield tracing("forked")


@pytest.mark.parametrize("name", [spec.name for spec in COMPARED])
def test_traces_are_equal_to_the_bit(name: str, spec, on_their_own, forked, monkeypatch: pytest.MonkeyPatch) -> None:
    forks = []
    plain = templates.Template.fork
    monkeypatch.setattr(templates.Template, "fork", lambda *given, **more: forks.append(0) or plain(*given, **more))
    found = forked(name)
    assert len(forks) == 1
    assert set(found) == set(on_their_own[name])
    assert same_bits(found, on_their_own[name].folder)


def test_built_in_runtimes_of_one_library_have_one_template() -> None:
    torch = spec_of("torch-eager").libraries
    assert [spec.name for spec in COMPARED if spec.libraries == torch] == [
        "torch-eager",
        "torch-sdpa",
        "torch-reference",
        "numpy-reference",
        "optimum",
    ]
    assert not {library for library in spec_of("onnxruntime").libraries if library.startswith(("torch", "transf"))}
