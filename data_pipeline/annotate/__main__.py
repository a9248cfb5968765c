"""Serves the annotation page: ``python -m data_pipeline.annotate --workspace=W``.

On this machine only, unless ``--host`` names an address; then whoever opens the page needs the token of the link that
is printed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import secrets
import socket
from pathlib import Path

from data_pipeline.annotate.loopback import is_loopback
from data_pipeline.annotations import DIMENSIONS
from data_pipeline.manifest import read_manifest
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import Workspace

MOST_CONNECTIONS = 1000  # at once; a page has a few


@dataclasses.dataclass(frozen=True)
class AnnotateOptions:
    """What `python -m data_pipeline.annotate` takes."""

    workspace: str = option("", "workspace folder with clips")
    port: int = option(8770, "port of the page; 0: a free one", at_least=0, at_most=65535)
    host: str = option("", "address to serve other machines on, e.g. 0.0.0.0; by default this machine only")
    token: str = option("", "what other machines must know, 16 letters at least; by default one is made up and printed")
    certificate: str = option("", "with --host: PEM file of a TLS certificate; browsers give gamepads to https only")
    key: str = option("", "PEM file of its key")
    order: str = option("fixed", "order of the clips; random: an annotator's own", choices=("fixed", "random"))
    seed: int = option(0, "of the random order")
    dimensions: tuple[str, ...] = option(DIMENSIONS, "what is annotated, in order")
    watch_first: bool = option(True, "a clip is annotated once it was watched as a whole; --nowatch_first: at once")


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises `InputError` where the address cannot be had."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(1024)
    except OSError as error:
        what = f"{host}:{port} cannot be served on ({error.strerror})"
        raise InputError("--host and --port", what, "name another port, or an address of this machine") from None
    return listening


def main(argv: list[str]) -> int:
    chosen = options.from_flags(AnnotateOptions)
    if not chosen.workspace:
        raise InputError("--workspace", "no workspace is named", "give the folder that holds manifest.csv")
    workspace = Workspace(Path(chosen.workspace))
    rows = read_manifest(workspace)
    try:
        import uvicorn

        from data_pipeline.annotate.app import Site, make_app
        from data_pipeline.annotate.journal import Journal
    except ImportError as error:
        raise InputError(error.name or "", "it is not installed", "pip install 'affwildnet[annotate]'") from None
    token = _token(chosen)
    if bool(chosen.certificate) != bool(chosen.key):
        raise InputError("--certificate and --key", "one of them is missing", "give both")
    bad = [name for name in chosen.dimensions if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name)]
    if bad or not chosen.dimensions:
        raise InputError("--dimensions", f"{bad[:1]} is no dimension's name", "use small letters, digits and '_'")
    host = chosen.host or "127.0.0.1"
    listening = listen(host, chosen.port)
    journal = Journal(workspace, {entry for row in rows for entry in row.entries()})
    app = make_app(Site(workspace, chosen.dimensions, chosen.order, chosen.seed, token, chosen.watch_first), journal)
    scheme = "https" if chosen.certificate else "http"
    shown = socket.gethostname() if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    address = f"{scheme}://{shown}:{listening.getsockname()[1]}/" + (f"#token={token}" if token else "")
    print(f"annotate at {address}\ntraces go to {workspace.annotations}; stop with Ctrl-C", flush=True)
    if token and scheme == "http":
        print(
            "anyone on the way can read what http carries: use a trusted network, or --certificate and --key",
            flush=True,
        )
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_keep_alive=30,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=3,
        ssl_certfile=chosen.certificate or None,
        ssl_keyfile=chosen.key or None,
    )
    server = uvicorn.Server(config)
    # It raises the signal that stopped it again.
    with contextlib.closing(journal), contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listening])
    return 0 if server.started else 1


def _token(chosen: AnnotateOptions) -> str:
    """What a request must know: nothing, unless it is wanted, where only this machine asks."""
    if chosen.token and not re.fullmatch(r"[A-Za-z0-9_-]{16,200}", chosen.token):
        raise InputError(
            "--token", "it is too short or holds other signs", "use 16 letters, digits, '-' or '_' at least"
        )
    alone = not chosen.host or is_loopback(chosen.host)
    return chosen.token or ("" if alone else secrets.token_urlsafe(24))


if __name__ == "__main__":
    options.run_main(main, AnnotateOptions)
