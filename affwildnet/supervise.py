"""Trains on several worker processes and outlives the loss of any: ``python -m affwildnet.supervise --workers=2 -- …``.

Behind the ``--`` stand the flags of `affwildnet.train`, which every worker gets. If one ends with an error, all are
ended and started again from the last checkpoint: a survivor cannot go on in its process, nor can a newcomer join it.
SIGTERM, SIGINT and SIGUSR1 ask the workers to save and end; the exit code is then 85, for requeueing. On several
nodes start one supervisor each, with a shared folder for the model.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from affwildnet.cluster import free_addresses
from affwildnet.rendezvous import Ended, Round
from affwildnet.signal_handling import handled_by
from affwildnet.worker_processes import SAVED, Patience, kill_workers, start_workers, watch_workers
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import write_json


@dataclasses.dataclass(frozen=True)
class SuperviseOptions:
    workers: int = option(1, "worker processes on this node; its GPUs are dealt out among them", at_least=1)
    nodes: int = option(0, "nodes, each with a supervisor and as many workers; 0 takes SLURM's number, else 1")
    node: int = option(-1, "which of them this is, from 0; -1 takes SLURM's number, else 0")
    launch: str = option("", "of several nodes: a name of this start, new each time; empty takes SLURM's job number")
    host: str = option("", "name by which the other nodes reach this one; empty takes the machine's own")
    max_restarts: int = option(3, "restarts in a row that reach no further step, before giving up", at_least=0)
    start_seconds: float = option(1800.0, "how long workers may take to their first step; a missing peer is silent")
    stall_seconds: float = option(900.0, "how long workers may take from a step to the next, checkpoints included")
    grace_seconds: float = option(120.0, "how long workers may take to save and end")


def supervise(
    chosen: SuperviseOptions, flags: Sequence[str], program: Sequence[str] = (sys.executable, "-m", "affwildnet.train")
) -> int:
    """Runs training to its end over as many starts as it takes.

    Args:
      flags: those of `affwildnet.train`; ``--strategy=multiworker`` is added where there is more than one worker.
      program: what is run with the flags.

    Returns:
      0 when it has finished, 85 when it has saved on request, 1 when it was given up.

    Raises:
      InputError: the nodes do not meet, or there are fewer GPUs than workers.
    """
    nodes, node = _place(chosen, os.environ)
    # Not by `ModelFolder`: a supervisor needs no TensorFlow.
    folder = Path(_model(flags))
    launch = folder / "supervision" / _launch(chosen, nodes, os.environ)
    if (launch / "round-001" / f"node-{node}.json").exists():
        # The other nodes would meet those of that start.
        raise InputError("--launch", f"{launch.name} was the name of an earlier start", "give a new one on every node")
    command = [*program, *flags]
    if nodes * chosen.workers > 1 and not any(flag.lstrip("-").startswith("strategy") for flag in flags):
        command.append("--strategy=multiworker")
    furthest, in_vain, number = -1, 0, 0
    with _signals() as asked, tempfile.TemporaryDirectory(prefix="affwildnet-") as private:
        while True:
            number += 1
            this = Round(launch / f"round-{number:03d}", node, nodes)
            ended = _run_round(this, chosen, command, Path(private), asked)
            if ended.code != 1:
                return ended.code
            print(f"\nsupervisor: {ended.reason}", file=sys.stderr, flush=True)
            in_vain = 0 if ended.step > furthest else in_vain + 1
            furthest = max(furthest, ended.step)
            if ended.hopeless or asked.number or in_vain > chosen.max_restarts:
                why = "" if ended.hopeless or asked.number else f" after {in_vain} starts without a further step"
                print(f"supervisor: given up{why}", file=sys.stderr, flush=True)
                if node == 0:
                    write_json(folder / "training.json", {"state": "failed"})
                return 1
            print("supervisor: all workers start again from the last checkpoint", file=sys.stderr, flush=True)
            if node == 0:
                # The first worker may have said that it failed; the evaluator need not wait and end for that.
                write_json(folder / "training.json", {"state": "running"})


def _run_round(this: Round, chosen: SuperviseOptions, command: list[str], private: Path, asked: Asked) -> Ended:
    """One start of all workers and how it ended, on all nodes."""
    host = (chosen.host or socket.gethostname()) if this.nodes > 1 else "127.0.0.1"
    this.folder.mkdir(parents=True, exist_ok=True)
    own = free_addresses(host, chosen.workers)
    addresses = this.meet(own, chosen.start_seconds, lambda: bool(asked.number))
    workers = start_workers(command, addresses, this.node * chosen.workers, chosen.workers, this.folder, private)
    patience = Patience(chosen.start_seconds, chosen.stall_seconds, chosen.grace_seconds)
    try:
        ended = watch_workers(workers, patience, lambda: asked.number, this.failed_elsewhere)
    finally:
        kill_workers(workers)
    return this.settle(ended, chosen.grace_seconds + chosen.stall_seconds)


@dataclasses.dataclass
class Asked:
    """The signal that asked for the end; 0 for none."""

    number: int = 0


@contextlib.contextmanager
def _signals() -> Iterator[Asked]:
    asked = Asked()

    def note(number: int, frame: object) -> None:
        # From a terminal as from a cluster: save what there is.
        asked.number = signal.SIGTERM if number == signal.SIGINT else number

    with handled_by(note, (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)):
        yield asked


def _place(chosen: SuperviseOptions, environment: Mapping[str, str]) -> tuple[int, int]:
    """The number of nodes, and which this is."""
    in_step = "SLURM_STEP_NUM_TASKS" in environment and "SLURM_PROCID" in environment
    nodes = chosen.nodes or (int(environment["SLURM_STEP_NUM_TASKS"]) if in_step else 1)
    node = chosen.node if chosen.node >= 0 else (int(environment["SLURM_PROCID"]) if in_step else 0)
    if not 0 <= node < nodes:
        raise InputError(f"--node={node}", f"there are {nodes} nodes", f"use --node=0 to --node={nodes - 1}")
    return nodes, node


def _launch(chosen: SuperviseOptions, nodes: int, environment: Mapping[str, str]) -> str:
    if chosen.launch:
        return chosen.launch
    if "SLURM_JOB_ID" in environment:
        parts = ("SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_RESTART_COUNT")
        return "slurm-" + "-".join(environment.get(part, "0") for part in parts)
    if nodes > 1:
        raise InputError("--launch", "the nodes cannot find each other", "give each the same new name of this start")
    return time.strftime("%Y%m%d-%H%M%S-") + str(os.getpid())


def _model(flags: Sequence[str]) -> str:
    """The value of ``--model`` among train's flags."""
    for i, flag in enumerate(flags):
        name, equals, value = flag.lstrip("-").partition("=")
        if name == "model" and flag.startswith("-") and (equals or i + 1 < len(flags)):
            return value if equals else flags[i + 1]
    raise InputError("--model", "it is missing behind the --", "write … -- --workspace=W --model=M and train's flags")


def main(argv: list[str]) -> int:
    code = supervise(options.from_flags(SuperviseOptions), argv[1:])
    if code == SAVED:
        print("supervisor: the training has saved and can go on", file=sys.stderr)
    return code


def run() -> None:
    options.run_main(main, SuperviseOptions, takes_arguments=True)


if __name__ == "__main__":
    run()
