"""A local server that imitates the hub: model information, files, and large files behind a redirect."""

import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"

#: A model that tests download.
MODEL = "someone/tiny"

#: Code that downloads a model without loading it and prints its folder.
DOWNLOAD = (
    "from export.command import finish; from export.hub import download; from export.sources import find;"
    "finish(lambda: print(download(find({!r}), offline=False)))"
)


@dataclass
class Fault:
    """A fault in serving one large file.

    cut: serve only this number of bytes. drop: break the connection once, after this number of bytes. swap: serve other
    bytes. status: answer with this HTTP status. stall: after this number of bytes, send no more until `LocalHub.stop`.
    """

    cut: int | None = None
    drop: int | None = None
    swap: bytes | None = None
    status: int | None = None
    stall: int | None = None


@dataclass
class Content:
    """The content of the server, and its log.

    repositories: id -> file -> bytes. aliases: short id -> canonical id. faults: by file name. requests: all requests,
    as "GET /path". answer: in place of information on any model, a status, headers and a body. ended: set by `stop`.
    """

    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    answer: tuple[int, dict[str, str], bytes] | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    def large(self, digest: str) -> tuple[str, bytes]:
        files = (item for files in self.repositories.values() for item in files.items())
        return next((name, data) for name, data in files if sha256(data) == digest)


class LocalHub:
    """A server of `content` that runs until `stop`."""

    def __init__(self) -> None:
        self.content = Content()
        handler = type("Handler", (_Handler,), {"content": self.content})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.content.ended.set()
        self._server.shutdown()
        self._server.server_close()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def commit_of(revision: str) -> str:
    """Return the commit of a revision: itself if it is a commit; every branch has the same commit."""
    return revision if len(revision) == 40 else COMMIT


def _is_large(name: str) -> bool:
    return name.endswith((".safetensors", ".bin"))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    content: Content

    def do_HEAD(self) -> None:
        self._route()

    def do_GET(self) -> None:
        self._route()

    def log_message(self, *_) -> None:
        """Do nothing, so that requests do not appear in the output of tests."""

    def _route(self) -> None:
        self.content.requests.append(f"{self.command} {self.path}")
        path = self.path.split("?")[0].strip("/")
        if path.startswith("cdn/"):
            self._large_file(path.removeprefix("cdn/"))
        elif path.startswith("api/models/"):
            repository, _, _ = path.removeprefix("api/models/").partition("/tree/")
            if path.endswith(repository):
                name, _, revision = repository.partition("/revision/")
                self._information(name, revision)
            else:
                self._tree(repository)
        else:
            repository, _, file = path.partition("/resolve/")
            revision, _, name = file.partition("/")
            self._file(repository, revision, name)

    def _information(self, repository: str, revision: str) -> None:
        if self.content.answer is not None:
            status, headers, body = self.content.answer
            return self._answer(status, body, headers)
        if repository in self.content.aliases:
            location = self.path.replace(repository, self.content.aliases[repository], 1)
            return self._answer(307, headers={"Location": location})
        if repository not in self.content.repositories:
            return self._answer(404, headers={"X-Error-Code": "RepoNotFound"})
        files = [{"rfilename": name} for name in self.content.repositories[repository]]
        information = {
            "_id": "0",
            "id": repository,
            "modelId": repository,
            "sha": commit_of(revision),
            "siblings": files,
        }
        return self._answer(200, json.dumps(information).encode(), {"Content-Type": "application/json"})

    def _tree(self, repository: str) -> None:
        """Send the list of files, which newer versions of Hugging Face's library request."""
        files = [
            {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
            | ({"lfs": {"oid": sha256(data), "size": len(data), "pointerSize": 1}} if _is_large(name) else {})
            for name, data in self.content.repositories.get(repository, {}).items()
        ]
        self._answer(200, json.dumps(files).encode(), {"Content-Type": "application/json"})

    def _file(self, repository: str, revision: str, name: str) -> None:
        data = self.content.repositories.get(repository, {}).get(name)
        if data is None:
            return self._answer(404, headers={"X-Error-Code": "EntryNotFound"})
        headers = {"X-Repo-Commit": commit_of(revision)}
        if not _is_large(name):
            return self._answer(200, data, headers | {"ETag": f'"{hashlib.sha1(data).hexdigest()}"'})
        digest = sha256(data)
        headers |= {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(data))}
        port = self.headers["Host"].rpartition(":")[2]
        elsewhere = f"http://localhost:{port}/cdn/{digest}"  # not 127.0.0.1: the hub's store is another host, too
        return self._answer(302, headers=headers | {"Location": elsewhere})

    def _large_file(self, digest: str) -> None:
        name, data = self.content.large(digest)
        fault = self.content.faults.get(name, Fault())
        if fault.status is not None:
            return self._answer(fault.status)
        data = (fault.swap or data)[: fault.cut]
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        status, headers = 200, {}
        if start:
            status, headers = 206, {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
        sent = None
        if fault.drop is not None:
            sent, fault.drop = fault.drop, None
        return self._answer(status, data[start:], headers, sent=sent, stall=fault.stall)

    def _answer(
        self, status: int, body: bytes = b"", headers: dict[str, str] | None = None, *, sent=None, stall=None
    ) -> None:
        """Send a response. sent: break the connection after this number of bytes of the body. stall: as in `Fault`."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[: sent if stall is None else stall])
            if stall is not None:
                self.content.ended.wait()
        if sent is not None:
            self.close_connection = True
