"""How the learning rate goes over training, by name: ``--schedule``; the thesis's is constant."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

# Updates done so far (int64 scalar) -> learning rate (float32 scalar).
Schedule = Callable[[tf.Tensor], tf.Tensor]


def constant_rate(rate: float) -> Schedule:
    """The schedule that never changes."""
    return lambda step: tf.constant(rate, tf.float32)


_keras = tf.keras.optimizers.schedules

# name -> (highest rate, steps, factor) -> Keras's schedule.
SCHEDULES: dict[str, Callable[[float, int, float], Schedule]] = {
    "constant": lambda rate, steps, factor: constant_rate(rate),
    # Half a cosine, down to `factor` of the rate after `steps`, and constant from there on.
    "cosine": lambda rate, steps, factor: _keras.CosineDecay(rate, steps, alpha=factor),
    # Times `factor` in `steps`, a little in each.
    "exponential": lambda rate, steps, factor: _keras.ExponentialDecay(rate, steps, factor),
    # Times `factor` every `steps`, at once.
    "step": lambda rate, steps, factor: _keras.ExponentialDecay(rate, steps, factor, staircase=True),
}


def make_schedule(name: str, rate: float, steps: int, factor: float, warmup_steps: int = 0) -> Schedule:
    """The schedule `name` of `SCHEDULES`, begun after a rise from ``rate / warmup_steps`` in a straight line.

    Raises:
      ValueError: there is no such schedule, or it needs `steps` and has none.
    """
    if name not in SCHEDULES:
        raise ValueError(f"there is no schedule {name!r}; choose from {', '.join(SCHEDULES)}")
    if name != "constant" and steps < 1:
        raise ValueError(f"the schedule {name} needs the steps that it takes")
    after = SCHEDULES[name](rate, steps, factor)
    if not warmup_steps:
        return after

    def schedule(step: tf.Tensor) -> tf.Tensor:
        rising = rate * tf.cast(step + 1, tf.float32) / warmup_steps
        return tf.where(step < warmup_steps, rising, after(tf.maximum(step - warmup_steps, 0)))

    return schedule
