"""A process in which TensorFlow has two CPUs: how many there are is settled when a process first computes."""

from __future__ import annotations

import functools
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import tensorflow as tf


def start(eagerly: bool = False) -> ProcessPoolExecutor:
    """A pool of one such process; `mirrored_strategy` there spans both CPUs. `eagerly` runs functions uncompiled."""
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _split_the_cpu, (eagerly,))


def _split_the_cpu(eagerly: bool) -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    tf.config.run_functions_eagerly(eagerly)


@functools.cache
def mirrored_strategy() -> tf.distribute.Strategy:
    # One for the process: a second would number its sums from the start again, and the runtime remembers their shapes.
    return tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"])
