"""A process of a tf.data service, which reads and decodes for trainings: ``python -m tfrecords.data_service``.

Start one dispatcher, then as many workers as there are cores to spare, on machines that see the records under the same
paths: ``python -m tfrecords.data_service --dispatcher=HOST:PORT``. Trainings take ``--data_service=HOST:PORT``. Whoever
reaches these ports can have any graph run as you, files read included: keep them on a trusted network.
"""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import time
from typing import NoReturn

import tensorflow as tf

from tfrecords import options
from tfrecords.options import option
from tfrecords.service_loader import check_service


@dataclasses.dataclass(frozen=True)
class ServiceOptions:
    """Which process of the service this is."""

    dispatcher: str = option("", "HOST:PORT of the dispatcher that this worker works for; empty: be the dispatcher")
    port: int = option(0, "port to listen at, on all interfaces; 0 takes a free one", at_least=0, at_most=65535)
    host: str = option("", "name by which others reach this machine; empty takes its own")


def serve(chosen: ServiceOptions) -> NoReturn:
    """Serves until the process is ended.

    Raises:
      InputError: no dispatcher answers at ``chosen.dispatcher``.
    """
    service = tf.data.experimental.service
    _server: object  # serves as long as it lives
    host = chosen.host or socket.gethostname()
    port = chosen.port or _free_port()
    if chosen.dispatcher:
        check_service(chosen.dispatcher)
        _server = service.WorkerServer(
            service.WorkerConfig(dispatcher_address=chosen.dispatcher, worker_address=f"{host}:{port}", port=port)
        )
        print(f"worker at {host}:{port} for the dispatcher at {chosen.dispatcher}", flush=True)
    else:
        _server = service.DispatchServer(service.DispatcherConfig(port=port))
        print(f"dispatcher at {host}:{port}", flush=True)
    # The server's own join() would hear no Ctrl-C. There is nothing to tidy up: SIGTERM ends the process as it stands.
    while True:
        time.sleep(3600)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("", 0))
        return int(one.getsockname()[1])


def main(argv: list[str]) -> int:
    tf.config.set_visible_devices([], "GPU")
    with contextlib.suppress(KeyboardInterrupt):
        serve(options.from_flags(ServiceOptions))
    return 0


def run() -> None:
    options.run_main(main, ServiceOptions)


if __name__ == "__main__":
    run()
