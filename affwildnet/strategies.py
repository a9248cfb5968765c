"""How a training is spread over devices and processes, by name: ``--strategy``."""

from __future__ import annotations

import os
from collections.abc import Callable

import tensorflow as tf

from affwildnet.cluster import config_from_slurm
from affwildnet.devices import use_device
from affwildnet.peers import worker_of
from tfrecords.errors import InputError

# (--gpu, --cpu_devices) -> the strategy (None: one device, nothing is spread), and its devices in words.
Strategy = tuple[tf.distribute.Strategy | None, str]


def _one_device(gpu: int, cpu_devices: int) -> Strategy:
    return None, use_device(gpu)


def _mirrored(gpu: int, cpu_devices: int) -> Strategy:
    devices = _local_devices(gpu, cpu_devices)
    return tf.distribute.MirroredStrategy(devices), f"{len(devices)} devices ({', '.join(devices)})"


def _multiworker(gpu: int, cpu_devices: int) -> Strategy:
    if "TF_CONFIG" not in os.environ:
        config = config_from_slurm(os.environ)
        if config is None:
            what = "neither TF_CONFIG nor the variables of a SLURM step say who the workers are"
            remedy = "start it with python -m affwildnet.supervise --workers=N -- FLAGS, or as several tasks by srun"
            raise InputError("--strategy=multiworker", what, remedy)
        os.environ["TF_CONFIG"] = config
    _local_devices(gpu, cpu_devices)
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    place, workers = worker_of(strategy)
    return strategy, f"{strategy.num_replicas_in_sync} devices of {workers} workers, of which this is {place}"


STRATEGIES: dict[str, Callable[[int, int], Strategy]] = {
    "none": _one_device,
    "mirrored": _mirrored,
    "multiworker": _multiworker,
}


def check_strategy(strategy: tf.distribute.Strategy | None, batch: int, xla: bool) -> None:
    """Raises `InputError` where steps over the strategy's devices cannot be those of one device."""
    if strategy is None:
        return
    replicas = strategy.num_replicas_in_sync
    if batch % replicas:
        what = f"a batch of {batch} cannot be dealt out to {replicas} devices evenly"
        raise InputError("--batch", what, f"give a multiple of {replicas}")
    if xla:
        raise InputError("--xla", "XLA compiles no sums over devices", "leave it out, or use --strategy=none")


def _local_devices(gpu: int, cpu_devices: int) -> list[str]:
    """All GPUs that this process sees, or with `gpu` -1 its CPU as so many devices."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpu < 0 or not gpus:
        use_device(-1)
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * cpu_devices)
        return [f"CPU:{number}" for number in range(cpu_devices)]
    for one in gpus:
        tf.config.experimental.set_memory_growth(one, True)
    return [f"GPU:{number}" for number in range(len(gpus))]
