"""The processes that train together: which of them this is, and what they have to do at the same step.

A process that alone saved or ended would leave the others waiting for its part of the next sum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import tensorflow as tf

from affwildnet.replicas import of_all_replicas

Result = TypeVar("Result")
Agreement = Callable[[Sequence[float]], list[float]]


def worker_of(strategy: tf.distribute.Strategy | None) -> tuple[int, int]:
    """Which process this is of those that train together, and how many they are; the first writes for all."""
    resolver = strategy.cluster_resolver if strategy is not None else None
    if resolver is None or not resolver.cluster_spec():
        return 0, 1
    return resolver.task_id, resolver.cluster_spec().num_tasks("worker")


def make_agreement(strategy: tf.distribute.Strategy | None) -> Agreement:
    """A function of some numbers that gives, in every process alike, the greatest that any process has of each.

    All processes have to call it equally often. In a training of one process it gives back what it got.
    """
    if strategy is None or worker_of(strategy)[1] == 1:
        return list

    @tf.function
    def greatest(own: tf.Tensor) -> tf.Tensor:
        per_replica = strategy.run(lambda value: tf.reduce_max(of_all_replicas(value), axis=0), args=(own,))
        return strategy.experimental_local_results(per_replica)[0]

    return lambda numbers: greatest(tf.constant(numbers, tf.float32)).numpy().tolist()


def check_same_step(agree: Agreement, step: int) -> None:
    """Raises `RuntimeError` where the processes have not resumed from the same checkpoint."""
    greatest, least = agree([step, -step])
    if greatest != -least:
        raise RuntimeError(f"one process is at step {greatest:g}, another at {-least:g}: their folders differ")


def first_worker_first(strategy: tf.distribute.Strategy | None, work: Callable[[], Result]) -> Result:
    """Does `work`, which finds the next time what files it has left, in the first process, and then in the others."""
    place, workers = worker_of(strategy)
    if workers == 1:
        return work()
    wait = make_agreement(strategy)
    if place:
        wait([0])
        return work()
    result = work()
    wait([0])
    return result
