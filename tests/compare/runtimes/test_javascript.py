"""Test runtimes in a browser and under Node: threads, times, suspension, errors, and that no process remains."""

import http.client
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from compare.runtimes.javascript.runtime import JavaScriptError, JavaScriptRuntime
from compare.runtimes.registry import BUILT_IN, spec_of
from compare.runtimes.spec import SelfTimed, SelfTimedDecoder
from tests.helpers.processes import comes_true, gone, stopped

JAVASCRIPT = [spec.name for spec in BUILT_IN if spec.npm is not None]

each_of_them = pytest.mark.parametrize("name", JAVASCRIPT)


@pytest.fixture
def started(spec, entry) -> Iterator[JavaScriptRuntime]:
    """The runtime with two threads and the graph that decodes; closed after the test."""
    runtime = spec.load_class()(entry.folder, threads=2, graph="decode")
    yield runtime
    runtime.close()


def below() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


@each_of_them
def test_closing_ends_every_process(name: str, spec, entry) -> None:
    before = below()
    runtime = spec.load_class()(entry.folder, threads=1, graph="deploy")
    own = [process for process in below() if process not in before]
    assert own
    runtime.close()
    assert comes_true(lambda: gone(own))


@each_of_them
def test_calls_are_timed_where_they_run(name: str, started, ids_and_mask) -> None:
    """The package has the threads that were asked for: the page is isolated from other origins."""
    assert started.facts()["threads"] == "2"
    assert isinstance(started, SelfTimed) and isinstance(started, SelfTimedDecoder)
    ids, mask = ids_and_mask
    times = started.timed(ids, mask, 3)
    assert len(times) == 3 and min(times) > 0
    started.run(ids[:, :5].copy(), mask[:, :5].copy())
    prefill = started.last_ns
    started.step(ids[:, 5:6].copy(), mask[:, :6].copy())
    assert started.last_ns > 0 and prefill > 0
    assert started.last_ns != prefill


@each_of_them
def test_answers_of_megabytes_arrive_whole(name: str, spec, entry, ids_and_mask) -> None:
    """With two threads, because those of WebAssembly share the pipe to Python under Node."""
    runtime = spec.load_class()(entry.folder, threads=2, graph="inspect")
    ids, mask = (np.repeat(x, 32, axis=0) for x in ids_and_mask)
    found = runtime.run(ids, mask)
    runtime.close()
    assert sum(tensor.nbytes for tensor in found.values()) > 2**21
    for tensor in found.values():
        assert tensor.flags.writeable
        for same in np.split(tensor, 2):
            np.testing.assert_allclose(same, np.broadcast_to(same[:1], same.shape), atol=1e-5)


@each_of_them
def test_a_suspended_worker_goes_on(name: str, spec, make) -> None:
    """Browser and Node are suspended with the worker, count as its memory, and end with it."""
    series = make(name)
    series.import_libraries()
    series.load()
    own = psutil.Process(series.process.pid).children(recursive=True)
    assert own
    series.turn(0)
    assert stopped(series)
    assert comes_true(lambda: all(p.status() == psutil.STATUS_STOPPED for p in own if not gone([p])))
    series.turn(1)
    assert series.error is None
    assert min(series.turns[0] + series.turns[1]) > 0
    assert series.settled_bytes > psutil.Process(series.process.pid).memory_info().rss
    series.process.end()
    assert comes_true(lambda: gone(own))


@each_of_them
def test_an_error_of_the_package_is_one_line(name: str, spec, tmp_path: Path, entry) -> None:
    shutil.copy(entry.folder / "deploy.onnx", tmp_path)
    with pytest.raises(JavaScriptError, match=r"model\.safetensors"):
        spec.load_class()(tmp_path, threads=1, graph="deploy")


def test_a_node_process_that_ended_is_named(entry, ids_and_mask) -> None:
    spec = spec_of("onnxruntime-node")
    if missing := spec.missing():
        pytest.skip(f"{', '.join(missing)} not installed")
    runtime = spec.load_class()(entry.folder, threads=1, graph="deploy")
    runtime.host._process.kill()
    with pytest.raises(JavaScriptError, match="Node ended with exit code -9"):
        runtime.run(*ids_and_mask)
    runtime.close()


def test_the_server_gives_the_model_and_the_page_alone(tmp_path: Path) -> None:
    pytest.importorskip("playwright")
    from threading import Thread

    from compare.runtimes.javascript.page import _Server

    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "deploy.onnx").write_bytes(b"graph")
    (tmp_path / "secret").write_text("secret")
    server = _Server({"model": tmp_path / "model"})
    Thread(target=server.serve_forever, daemon=True).start()
    found = {}
    for path in ("/model/deploy.onnx", "/session.mjs", "/secret", "/model/../secret", "/model/%2e%2e/secret"):
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
        connection.request("GET", path)
        answer = connection.getresponse()
        found[path] = answer.status
        assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        connection.close()
    server.shutdown()
    server.server_close()
    assert list(found.values()) == [200, 200, 404, 404, 404]
