"""Test execution providers, plug-ins and options of ONNX Runtime, as far as a build for the CPU shows them."""

import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from compare.runtimes.onnx_providers import CPU, CUDA, Sessions, entry_of, fell_back, library_of
from compare.runtimes.onnx_runtime import OnnxRuntime
from export.cache import Entry
from export.errors import CannotRun

LEVEL = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL

SPINNING = "session.intra_op.allow_spinning"


@pytest.mark.parametrize(
    "key",
    [
        SPINNING,
        "session.set_denormal_as_zero",
        "session.disable_prepacking",
        "optimization.enable_gelu_approximation",
        "optimization.minimal_build_optimizations",
        "ep.some_provider.some_entry",
    ],
)
def test_an_entry_that_onnx_runtime_reads_is_taken(key: str) -> None:
    assert entry_of(key) == key
    assert entry_of(key.removeprefix("session.")) == key


@pytest.mark.parametrize("key", ["session.intra_op.allow_spining", "allow_spinning", "spinning", "session", "MatMul"])
def test_an_entry_that_onnx_runtime_would_ignore_is_refused(key: str) -> None:
    with pytest.raises(CannotRun, match=f"has no entry '{key}' of a session's configuration"):
        entry_of(key)


def test_an_entry_reaches_the_session(entry: Entry) -> None:
    runtime = OnnxRuntime(entry.folder, threads=1, graph="deploy", options={"intra_op.allow_spinning": "0"})
    assert runtime.session.get_session_options().get_session_config_entry(SPINNING) == "0"
    assert runtime.facts()[SPINNING] == "0"
    usual = OnnxRuntime(entry.folder, threads=1, graph="deploy")
    assert SPINNING not in usual.facts()


def test_a_provider_that_the_build_lacks_is_named_with_those_it_has() -> None:
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this build has CUDA")
    with pytest.raises(CannotRun, match=f"has no CUDAExecutionProvider; it has .*{CPU}"):
        Sessions(1, LEVEL, "cuda", {})
    with pytest.raises(CannotRun, match=f"has no MadeUpExecutionProvider; it has .*{CPU}"):
        Sessions(1, LEVEL, "cpu", {"provider": "MadeUpExecutionProvider"})


def test_a_plug_in_that_is_not_there_is_named(entry: Entry) -> None:
    with pytest.raises(
        CannotRun, match="no_such_package_9 is no file and no installed package of a plug-in: No module"
    ):
        Sessions(1, LEVEL, "cpu", {"plugin": "no_such_package_9"}).start(entry.folder / "deploy.onnx")
    with pytest.raises(CannotRun, match=r"json is no file and no .* of a plug-in: .* 'get_library_path'"):
        Sessions(1, LEVEL, "cpu", {"plugin": "json"}).start(entry.folder / "deploy.onnx")


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (
            "def get_library_path(): return '/x/liba.so'\ndef get_ep_name(): return 'AExecutionProvider'",
            "AExecutionProvider",
        ),
        ("EP_NAME = 'b'\ndef library_path(): return '/x/liba.so'", "b"),
        ("def get_library_path(): return '/x/liba.so'", "made-up-plugin"),
    ],
)
def test_a_package_tells_its_library_and_its_provider(module: str, name: str, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "made_up_plugin.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "made_up_plugin", raising=False)
    assert library_of("made-up-plugin") == (Path("/x/liba.so"), name)


def test_a_library_that_is_no_plug_in_is_named(entry: Entry, tmp_path: Path) -> None:
    library = tmp_path / "libmade_up.so"
    library.write_bytes(b"not a library")
    with pytest.raises(CannotRun, match=f"the plug-in {library} could not be loaded: .*libmade_up"):
        Sessions(1, LEVEL, "cpu", {"plugin": str(library)}).start(entry.folder / "deploy.onnx")


def test_options_of_a_provider_are_its_own() -> None:
    sessions = Sessions(1, LEVEL, "cpu", {"plugin": "a", "provider.device": "NPU", SPINNING: "0"})
    assert (sessions.provider_options, sessions.entries) == ({"device": "NPU"}, {SPINNING: "0"})
    with pytest.raises(
        CannotRun, match="CPUExecutionProvider takes no options, and ONNX Runtime would ignore use_arena"
    ):
        Sessions(1, LEVEL, "cpu", {"provider.use_arena": "0"})


def test_nodes_are_counted_by_provider(entry: Entry, ids_and_mask) -> None:
    runtime = OnnxRuntime(entry.folder, threads=1, graph="deploy")
    ids, mask = ids_and_mask
    nodes = runtime.sessions.nodes(runtime.graph, ["logits"], {"input_ids": ids, "attention_mask": mask})
    assert len(nodes) == sum(runtime.operators(ids, mask).values())
    assert fell_back(nodes) == f"{len(nodes)} {CPU}"


def test_a_bound_step_gives_the_same_as_one_that_is_not(entry: Entry, ids_and_mask) -> None:
    """With a device, keys and values are bound to its memory; here to the CPU's."""
    ids, mask = (np.ascontiguousarray(array[:, :8]) for array in ids_and_mask)
    plain, bound = (OnnxRuntime(entry.folder, threads=1, graph="decode") for _ in range(2))
    bound.sessions.memory = "device"
    real = bound.bound
    bound.bound = lambda values, memory: real(values, "cpu")
    for past in (4, 5, 6):
        new = slice(0, 4) if past == 4 else slice(past - 1, past)
        outputs = [each.step(ids[:, new].copy(), mask[:, :past].copy())["logits"] for each in (plain, bound)]
        np.testing.assert_array_equal(*outputs)


def test_cudas_libraries_are_loaded_before_a_session_in_its_provider(entry: Entry, monkeypatch) -> None:
    """Those of Python packages, such as nvidia-cudnn-cu13, are not in the search path of the loader."""
    calls: list[str] = []

    class Session:
        def __init__(self, *_, providers, **__) -> None:
            calls.append("session")
            self.providers = [name for name, _ in providers[:1]] + providers[1:]

        def get_providers(self) -> list[str]:
            return self.providers

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: calls.append("libraries"))
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    assert Sessions(1, LEVEL, "cuda", {}).start(entry.folder / "deploy.onnx").get_providers() == [CUDA, CPU]
    assert calls == ["libraries", "session"]
