"""What a replica of a `tf.distribute` strategy knows of the others, seen from within `Strategy.run`."""

from __future__ import annotations

import tensorflow as tf


def replica_count() -> int:
    """How many replicas share the batch; 1 outside of a strategy's `run`."""
    context = tf.distribute.get_replica_context()
    return context.num_replicas_in_sync if context is not None else 1


def replica_index() -> int | tf.Tensor:
    """Which of them this is, from 0."""
    return tf.distribute.get_replica_context().replica_id_in_sync_group if replica_count() > 1 else 0


def of_all_replicas(own: tf.Tensor) -> tf.Tensor:
    """Every replica's float tensor, (R, ...), in each; differentiable.

    Each adds its own, in its row, to zeros, so that nothing is rounded.
    """
    if replica_count() == 1:
        return own[None]
    place = tf.one_hot(replica_index(), replica_count(), dtype=own.dtype)
    context = tf.distribute.get_replica_context()
    return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.tensordot(place, own, axes=0))
