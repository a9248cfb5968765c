"""One crash a clip: part of a Dask scheduler that gives a task of ours up when the first worker dies with it.

Dask's own setting (``distributed.scheduler.allowed-failures``, 3) is the whole scheduler's, and a running cluster is
other people's too. This counts for our tasks only; the engine tries those again, one alone at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from distributed import SchedulerPlugin

if TYPE_CHECKING:
    from distributed import Client

# What the names of our tasks' groups begin with.
PREFIX = "affwildnet_"


class CrashLimit(SchedulerPlugin):
    """Makes each task of ours, as it goes to a worker, one worker's death short of being given up."""

    name = "affwildnet-crash-limit"
    idempotent = True

    async def start(self, scheduler: Any) -> None:
        self.scheduler = scheduler

    def transition(self, key: Any, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
        if finish == "processing" and isinstance(key, tuple) and str(key[0]).startswith(PREFIX):
            task = self.scheduler.tasks[key]
            task.suspicious = max(task.suspicious, self.scheduler.allowed_failures)


def limit_crashes(client: Client) -> None:
    """Puts the limit into the client's scheduler, where it stays for later builds."""
    client.register_plugin(CrashLimit())
