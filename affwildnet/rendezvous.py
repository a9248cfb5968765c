"""How the supervisors of several nodes meet: by files in the model's folder, which all of them share.

``supervision/LAUNCH/round-003/node-1.json`` holds the addresses of a node's workers in the third start, and
``ended-1.json`` how they ended there. With one node the files are what is left to read of it.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tfrecords.errors import InputError
from tfrecords.workspace import read_json, write_json

_POLL_SECONDS = 0.2


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a round of workers ended on a node, or on all.

    Attributes:
      code: 0 finished, 85 saved on request, 1 failed.
      reason: what failed, in words.
      step: the furthest that a worker showed; -1 for none.
      hopeless: whether another start would end alike.
    """

    code: int
    reason: str = ""
    step: int = -1
    hopeless: bool = False


@dataclasses.dataclass(frozen=True)
class Round:
    """One start of all workers, as node `node` of `nodes` sees it."""

    folder: Path
    node: int
    nodes: int

    def meet(self, addresses: list[str], seconds: float, stopped: Callable[[], bool]) -> list[str]:
        """Tells the workers' addresses on this node and waits for every node's; returns all in the order of nodes.

        Raises:
          InputError: a node has not come after `seconds`, or `stopped` became true.
        """
        write_json(self.folder / f"node-{self.node}.json", {"addresses": addresses})
        found = self._wait("node", seconds, stopped)
        if len(found) < self.nodes:
            missing = sorted(set(range(self.nodes)) - found.keys())
            what = f"no supervisor of node {missing[0]} came" + ("" if stopped() else f" within {seconds:g} s")
            raise InputError(self.folder, what, "start one on each node with the same --launch and --nodes")
        return [address for node in range(self.nodes) for address in found[node]["addresses"]]

    def failed_elsewhere(self) -> str:
        """Why workers failed on another node; '' if none has."""
        for node, ended in self._read("ended").items():
            if node != self.node and ended["code"] not in (0, 85):
                return f"node {node}: {ended['reason']}"
        return ""

    def settle(self, ended: Ended, seconds: float) -> Ended:
        """Tells how this node's workers ended, waits for the others, and returns what holds for all of them."""
        write_json(self.folder / f"ended-{self.node}.json", dataclasses.asdict(ended))
        found = self._wait("ended", seconds, lambda: False)
        all_ended = [Ended(**value) for _, value in sorted(found.items())]
        if len(all_ended) < self.nodes:
            missing = sorted(set(range(self.nodes)) - found.keys())
            all_ended.append(Ended(1, f"node {missing[0]} did not end its workers within {seconds:g} s"))
        failed = [one for one in all_ended if one.code not in (0, 85)]
        return Ended(
            code=1 if failed else max(one.code for one in all_ended),
            reason="; ".join(dict.fromkeys(one.reason for one in failed)),
            step=max(one.step for one in all_ended),
            hopeless=any(one.hopeless for one in all_ended),
        )

    def _wait(self, kind: str, seconds: float, stopped: Callable[[], bool]) -> dict[int, Any]:
        end = time.monotonic() + seconds
        while len(found := self._read(kind)) < self.nodes and time.monotonic() < end and not stopped():
            time.sleep(_POLL_SECONDS)
        return found

    def _read(self, kind: str) -> dict[int, Any]:
        paths = {node: self.folder / f"{kind}-{node}.json" for node in range(self.nodes)}
        return {node: read_json(path) for node, path in paths.items() if path.exists()}
