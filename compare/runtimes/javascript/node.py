"""Runtimes under Node: ONNX Runtime's native addon, and its WebAssembly."""

import subprocess
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

from compare.runtimes import npm_packages
from compare.runtimes.javascript.runtime import Host, JavaScriptError, JavaScriptRuntime, WasmRuntime, described
from compare.runtimes.onnx_inputs import feed
from compare.runtimes.onnx_profile import nodes_of


class NodeProcess(Host):
    """A Node process that runs `node.mjs`.

    package: the npm package of ONNX Runtime that it loads.
    model: the folder of the model.
    """

    def __init__(self, package: str, model: Path) -> None:
        self._model = model
        node = npm_packages.executable("node") or "node"
        command = [node, str(npm_packages.HERE / "node.mjs"), str(npm_packages.folder()), package]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin is not None and process.stdout is not None
        self._process, self._questions, self._answers = process, process.stdin, process.stdout

    def place(self, name: str) -> str:
        return str(self._model / name)

    def exchange(self, line: str) -> str:
        with suppress(BrokenPipeError):  # it has ended, so there is no answer
            self._questions.write(f"{line}\n".encode())
            self._questions.flush()
        if answer := self._answers.readline():
            return answer.decode()
        raise JavaScriptError(f"Node ended with exit code {self._process.wait()}")

    def receive(self, size: int) -> bytearray:
        content = bytearray(size)
        if (read := self._answers.readinto(content)) != size:  # type: ignore[attr-defined]
            raise JavaScriptError(f"Node ended after {read:,} of {size:,} bytes of an answer")
        return content

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._answers.close()
        with suppress(BrokenPipeError):
            self._questions.close()


class _UnderNode(JavaScriptRuntime):
    #: The npm package that is loaded.
    package: ClassVar[str]

    def started(self, folder: Path) -> Host:
        return NodeProcess(self.package, folder)

    def engine(self) -> dict[str, str]:
        return {"node": self.loaded["node"]}


class OnnxRuntimeNode(_UnderNode):
    """onnxruntime-node: the CPU kernels of ONNX Runtime, as in the runtime onnxruntime."""

    package = "onnxruntime-node"

    def session_options(self, _: Path) -> dict[str, Any]:
        return {"executionProviders": ["cpu"], "intraOpNumThreads": self.threads}

    def operators(self, input_ids: NDArray[Any], attention_mask: NDArray[Any]) -> dict[str, int]:
        """Count the operators of one pass with the profiler of a new session."""
        feeds = described(feed(self.inputs, input_ids, attention_mask))
        with tempfile.TemporaryDirectory() as folder:
            self.host.ask(
                "profile", **self.session, feeds=feeds, names=self.names, prefix=str(Path(folder) / "profile")
            )
            ran = [nodes_of(profile) for profile in Path(folder).iterdir()]
        return dict(Counter(operator for nodes in ran for operator, _ in nodes))


class OnnxRuntimeWebNode(_UnderNode, WasmRuntime):
    """onnxruntime-web-node: the WebAssembly of onnxruntime-web."""

    package = "onnxruntime-web"
