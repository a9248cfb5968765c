"""How many operations a second a device does in training: timed steps of the plan's own networks."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import tensorflow as tf

from affwildnet.cases import CASES, trained_variables
from affwildnet.devices import use_device
from affwildnet.input_spec import InputSpec
from affwildnet.losses import affect_loss
from affwildnet.models import build_model
from experiments.estimate import network_kind
from experiments.flops import frame_flops, model_options
from experiments.plan import Plan

# A kind is timed until it has taken this long, or one step if that takes longer.
SECONDS = 3.0


def measure_rates(
    plan: Plan, gpu: int, progress: Callable[[str], None] = print
) -> dict[tuple[tuple[str, str], ...], float]:
    """Operations a second by `network_kind`, each measured on batches as its run has them, without reading data."""
    device = use_device(gpu)
    rates: dict[tuple[tuple[str, str], ...], float] = {}
    for run in plan.runs.values():
        kind = network_kind(run)
        if kind not in rates:
            rates[kind] = _rate(run.flags)
            progress(f"{rates[kind] / 1e12:8.3f} TFLOP/s on {device}: {' '.join(value for _, value in kind)}")
    return rates


def seconds_to_start() -> float:
    """How long a process of a run takes to load its libraries."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "import affwildnet.train"], check=True, stderr=subprocess.DEVNULL)
    return time.monotonic() - began


def _rate(flags: dict[str, str]) -> float:
    spec = InputSpec()
    model = build_model(model_options(flags), spec)
    variables = trained_variables(model, CASES[flags["case"]])
    cached = flags.get("cache_features") == "true"
    shape = (int(flags["batch"]), int(flags["sequence_length"]))
    optimizer = tf.keras.optimizers.Adam(1e-5)
    optimizer.build(variables)
    labels = tf.random.uniform([*shape, len(model.options.outputs)], -1, 1)
    faces = tf.cast(tf.random.uniform([*shape, spec.size, spec.size, 3], 0, 256), tf.uint8)
    landmarks = tf.zeros([*shape, 136]) if model.options.landmarks_68 else None
    width = int(model.backbone.output_shape[-1]) + (136 if landmarks is not None else 0)
    features = tf.random.uniform([*shape, width])

    @tf.function
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            if cached:
                values = model.predict_features(features, model.zero_state(shape[0]), training=True)[0]
            else:
                values = model(faces, training=True, landmarks_68=landmarks)
            loss = affect_loss(labels, values, outputs=model.options.outputs)["total"]
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    float(step())  # compiles
    began, steps = time.monotonic(), 0
    while not steps or time.monotonic() - began < SECONDS:
        float(step())
        steps += 1
    seconds = (time.monotonic() - began) / steps
    flops = frame_flops(flags)
    a_frame = flops.rest_training + (0 if cached else flops.cnn_training)
    return shape[0] * shape[1] * a_frame / seconds
