"""A local hub that fails: it is late, answers with a status, redirects in circles, or sends other bytes."""

import hashlib
import threading
import time
from dataclasses import dataclass
from http.server import ThreadingHTTPServer

from tests.helpers.local_hub import Content, Fault, LocalHub, _Handler, commit_of


@dataclass
class Failure(Fault):
    """A fault in serving one file, or in every answer if its name is empty.

    always: `drop` breaks every connection, not only the first. late: answer so many seconds later. status: answer with
    this status. circle: redirect to the same address. elsewhere: redirect to this address.
    """

    always: bool = False
    late: float = 0.0
    status: int | None = None
    circle: bool = False
    elsewhere: str = ""


class BadHub(LocalHub):
    """A server of `content` that runs until `stop`. The faults of its content are `Failure`."""

    def __init__(self) -> None:
        self.content = Content()
        handler = type("Handler", (_BadHandler,), {"content": self.content})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()


class _BadHandler(_Handler):
    def _route(self) -> None:
        path = self.path.split("?")[0].strip("/")
        large = path.startswith("cdn/")
        name = self.content.large(path.removeprefix("cdn/"))[0] if large else path.rpartition("/")[2]
        fault = self.content.faults.get("") or self.content.faults.get(name)
        redirected = name.endswith(".safetensors") and not large and "" not in self.content.faults
        if not isinstance(fault, Failure) or redirected:
            return super()._route()
        drop = fault.drop
        time.sleep(fault.late)
        if fault.status is not None:
            self._answer(fault.status)
        elif fault.circle or fault.elsewhere:
            self._answer(302, headers={"Location": fault.elsewhere or self.path})
        elif fault.swap is not None and not large:
            self._swapped(path, name, fault.swap)
        else:
            super()._route()
        fault.drop = drop if fault.always else fault.drop
        return None

    def _swapped(self, path: str, name: str, body: bytes) -> None:
        """Send other bytes than those of a small file, with its own tag."""
        repository, _, rest = path.partition("/resolve/")
        tag = hashlib.sha1(self.content.repositories[repository][name]).hexdigest()
        headers = {"X-Repo-Commit": commit_of(rest.partition("/")[0]), "ETag": f'"{tag}"'}
        self._answer(200, body, headers)
