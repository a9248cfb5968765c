"""A connection on which a video stops coming: what goes through it is the real server's and the real browser's."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def stalling_proxy(port: int, most: int) -> Iterator[tuple[int, threading.Event]]:
    """Forwards to `port`; of an answer to a video's request the first `most` bytes, the rest once the event is set.

    Yields its own port and the event.
    """
    go_on = threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                client = listening.accept()[0]
                threading.Thread(target=connect, args=(client,), daemon=True).start()

    def connect(client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", port))
        of_video = threading.Event()
        threading.Thread(target=forward, args=(client, server, of_video, True), daemon=True).start()
        forward(server, client, of_video, False)

    def forward(source: socket.socket, target: socket.socket, of_video: threading.Event, asks: bool) -> None:
        sent = 0
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                if asks and data.startswith(b"GET "):
                    (of_video.set if data.startswith(b"GET /video/") else of_video.clear)()
                if not asks and of_video.is_set():
                    sent += len(data)
                    if sent > most:
                        go_on.wait()
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listening.getsockname()[1], go_on
    finally:
        go_on.set()
        listening.close()
