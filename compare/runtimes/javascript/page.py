"""The runtime onnxruntime-web: ONNX Runtime's WebAssembly in a page of a headless Chromium."""

import asyncio
from collections.abc import Coroutine
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from playwright.async_api import async_playwright

from compare.runtimes import npm_packages
from compare.runtimes.javascript.runtime import Host, JavaScriptError, WasmRuntime


class OnnxRuntimeWeb(WasmRuntime):
    """onnxruntime-web: in a page, as for the visitors of a web site that has turned threads on."""

    host: "Page"

    def started(self, folder: Path) -> "Page":
        return Page(folder)

    def engine(self) -> dict[str, str]:
        return {"chromium": self.host.version}


class Page(Host):
    """A page in a headless Chromium of its own, and the server that it is loaded from.

    model: the folder of the model.

    The browser is driven by a thread, because Playwright needs an event loop that runs.
    """

    def __init__(self, model: Path) -> None:
        self._server = _Server({"model": model, "node_modules": npm_packages.folder() / "node_modules"})
        self._loop = asyncio.new_event_loop()
        works = (self._server.serve_forever, self._loop.run_forever)
        self._threads = [Thread(target=work, daemon=True) for work in works]
        for thread in self._threads:
            thread.start()
        self._wait(self._open())

    def place(self, name: str) -> str:
        return f"/model/{name}"

    def exchange(self, line: str) -> str:
        found: str = self._wait(self._page.evaluate("line => answer(line)", line))
        return found

    def receive(self, size: int) -> bytearray:
        if len(self._server.received) != size:
            raise JavaScriptError(f"the page sent {len(self._server.received):,} of {size:,} bytes")
        return self._server.received

    @property
    def version(self) -> str:
        """The version of the browser."""
        found: str = self._browser.version
        return found

    def close(self) -> None:
        self._wait(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._server.shutdown()
        for thread in self._threads:
            thread.join()
        self._loop.close()
        self._server.server_close()

    async def _open(self) -> None:
        self._playwright = await async_playwright().start()
        # The limits of Playwright are off, because the process that waits for this one has a limit.
        executable = npm_packages.chromium() or None
        self._browser = await self._playwright.chromium.launch(executable_path=executable, timeout=0)
        self._page = await self._browser.new_page()
        self._page.set_default_timeout(0)
        await self._page.goto(f"http://127.0.0.1:{self._server.server_port}/page.html")

    async def _end(self) -> None:
        await self._browser.close()
        await self._playwright.stop()

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


class _Server(ThreadingHTTPServer):
    """A server on the loopback interface, at a port that is free.

    folders: first part of a URL -> the folder that it stands for. All other files are those of this package.
    """

    daemon_threads = True

    def __init__(self, folders: dict[str, Path]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folders = folders
        #: The tensors that the page sent last.
        self.received = bytearray()


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def translate_path(self, path: str) -> str:
        first, _, rest = path.lstrip("/").partition("/")
        self.directory = str(self.server.folders.get(first, npm_packages.HERE))
        return super().translate_path(rest if first in self.server.folders else path)

    def end_headers(self) -> None:
        # A page has threads and a clock of 5 microseconds only if it is isolated from other origins.
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def do_POST(self) -> None:  # the name that http.server calls
        self.server.received = bytearray(int(self.headers["Content-Length"]))
        self.rfile.readinto(self.server.received)
        self.send_response(HTTPStatus.NO_CONTENT)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Print nothing."""
