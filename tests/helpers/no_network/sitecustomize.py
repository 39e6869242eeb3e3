"""Python imports this when it starts, if its folder is on PYTHONPATH: only this machine can be reached.

The file that NETWORK_NOTES names gets a line for each other address that a process resolves, connects to or listens on.
"""

import os
import sys
from typing import Any

_ASKS = {"socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"}


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in _ASKS:
        return
    place = next((each for each in arguments if isinstance(each, (tuple, str, bytes))), None)
    host = place[0] if isinstance(place, tuple) and place else place
    if isinstance(host, bytes):
        host = host.decode(errors="replace")
    if place is None or (isinstance(place, (str, bytes)) and event in ("socket.connect", "socket.bind")):
        return  # a socket that has a path
    if host in ("127.0.0.1", "::1", "localhost"):
        return
    notes = os.open(os.environ["NETWORK_NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(notes, f"{event} {host}\n".encode())
    os.close(notes)
    raise OSError(f"the network is blocked: {event} {host}")


sys.addaudithook(_note)
