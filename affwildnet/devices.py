"""Which device a process computes on."""

from __future__ import annotations

import tensorflow as tf

from tfrecords.errors import InputError


def use_device(gpu: int, required: bool = True) -> str:
    """Shows TensorFlow only GPU `gpu` (-1: the CPU); returns the device's name. Call it before anything computes.

    Without any GPU the CPU is used, so that the default flags work on every machine; where the GPU is not `required`,
    also if there are too few.

    Raises:
      InputError: there are GPUs, but not this one, and it is required.
    """
    found = tf.config.list_physical_devices("GPU")
    if gpu < 0 or not found or (gpu >= len(found) and not required):
        tf.config.set_visible_devices([], "GPU")
        return "CPU"
    if gpu >= len(found):
        what = f"there is no GPU {gpu}, only {len(found)}"
        raise InputError("--gpu", what, f"use 0 to {len(found) - 1}, or -1 for the CPU")
    tf.config.set_visible_devices(found[gpu], "GPU")
    # Otherwise one process takes the whole card and the evaluator beside it finds none left.
    tf.config.experimental.set_memory_growth(found[gpu], True)
    return f"GPU {gpu}"
