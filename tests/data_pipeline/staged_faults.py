"""Loaded into Dask workers (`distributed.worker.preload`): clips of certain names meet real faults when probed.

``dies``: the process ends by a segmentation fault, as of a native library. ``waits``: the first attempt waits to be
killed from outside, the second does not. ``slow-*``: half a second. ``hungry``: it takes memory without end. Every
attempt is entered in the workspace's folder ``attempts``, as CLIP.PROCESS.NUMBER.
"""

import dataclasses
import os
import signal
import time
import uuid

from data_pipeline.stages import STAGES

_PROBE = STAGES["probe"].run


def _probe(workspace, row, options):
    attempts = workspace.root / "attempts"
    attempts.mkdir(exist_ok=True)
    earlier = list(attempts.glob(f"{row.clip}.*"))
    (attempts / f"{row.clip}.{os.getpid()}.{uuid.uuid4().hex}").touch()
    if row.clip == "dies":
        signal.raise_signal(signal.SIGSEGV)
    if row.clip == "waits" and not earlier:
        time.sleep(600)
    if row.clip == "hungry":
        held = []
        while True:
            held.append(b"x" * 10_000_000)
            time.sleep(0.01)
    if row.clip.startswith("slow-"):
        time.sleep(0.5)
    _PROBE(workspace, row, options)


def dask_setup(worker):
    STAGES["probe"] = dataclasses.replace(STAGES["probe"], run=_probe)
