"""Who the worker processes of a training are: ``TF_CONFIG``, made from addresses or from SLURM's variables."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from collections.abc import Mapping, Sequence

from tfrecords.errors import InputError

# Below what Linux hands out to clients.
_FIRST_PORT, _PORTS = 15000, 17000


def tf_config(addresses: Sequence[str], index: int) -> str:
    """``TF_CONFIG`` of worker `index` of those at `addresses` (``host:port``); worker 0 is the chief."""
    return json.dumps({"cluster": {"worker": list(addresses)}, "task": {"type": "worker", "index": index}})


def free_addresses(host: str, count: int) -> list[str]:
    """`count` addresses of this machine, by its name `host`, at which nothing listens now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("", 0))
        return [f"{host}:{one.getsockname()[1]}" for one in sockets]
    finally:
        for one in sockets:
            one.close()


def config_from_slurm(environment: Mapping[str, str]) -> str | None:
    """``TF_CONFIG`` of a task that ``srun`` started, a worker a task; None outside of a step of several tasks.

    TensorFlow's own resolver sorts the hosts by their letters and so takes node10 for the first before node2. Ports
    follow from the job's number, for the tasks cannot agree on free ones.

    Raises:
      InputError: the tasks are not dealt out a node after the other, or SLURM's ``scontrol`` is missing.
    """
    if int(environment.get("SLURM_STEP_NUM_TASKS", "1")) < 2:
        return None
    distribution = environment.get("SLURM_DISTRIBUTION", "block")
    if not distribution.startswith("block"):
        what = f"tasks are dealt out as {distribution!r}, so that their numbers do not follow the nodes"
        raise InputError("srun --distribution", what, "use srun --distribution=block")
    listed = ["scontrol", "show", "hostnames", environment["SLURM_STEP_NODELIST"]]
    try:
        hosts = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split()
    except (OSError, subprocess.CalledProcessError) as error:
        raise InputError(listed[-1], f"SLURM does not expand this list of nodes ({error})", "set TF_CONFIG") from None
    job, step = int(environment["SLURM_JOB_ID"]), int(environment.get("SLURM_STEP_ID", "0"))
    tasks = _tasks_per_node(environment["SLURM_STEP_TASKS_PER_NODE"])
    first = _FIRST_PORT + (101 * job + 31 * step) % (_PORTS - max(tasks))
    pairs = zip(hosts, tasks, strict=True)
    return tf_config([f"{host}:{first + i}" for host, count in pairs for i in range(count)], _rank(environment))


def _rank(environment: Mapping[str, str]) -> int:
    return int(environment["SLURM_PROCID"])


def _tasks_per_node(text: str) -> list[int]:
    """``2(x3),1`` -> 2, 2, 2, 1."""
    counts = []
    for part in text.split(","):
        found = re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", part)
        if found is None:
            raise InputError("SLURM_STEP_TASKS_PER_NODE", f"{text!r} is not understood", "set TF_CONFIG")
        counts += [int(found[1])] * int(found[2] or 1)
    return counts
