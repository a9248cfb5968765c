"""The optimizer of a training: Adam, its rate over time, weight decay, and how far a gradient may reach."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from affwildnet.adam import FusedAdam
from affwildnet.schedules import SCHEDULES, make_schedule
from tfrecords.errors import InputError
from tfrecords.options import option


@dataclasses.dataclass(frozen=True)
class OptimizerOptions:
    """How weights move; the defaults are the thesis's. A resumed run must have the same."""

    schedule: str = option("constant", "how the learning rate goes on after the warm-up", list(SCHEDULES))
    schedule_steps: int = option(0, "steps that the schedule takes; of step and exponential, to one factor", at_least=0)
    schedule_factor: float = option(
        0.1, "cosine: what is left of the rate in the end; exponential, step: the factor", at_least=0, at_most=1
    )
    warmup_steps: int = option(0, "steps in which the rate rises to its height in a straight line", at_least=0)
    clip_norm: float = option(0.0, "shortens a longer gradient, of all weights together, to this; 0: no", at_least=0)
    weight_decay: float = option(
        0.0,
        "decoupled: takes rate * weight_decay of every kernel a step (AdamW); the CNN's own decay, in the loss, stays",
        at_least=0,
    )


def check_optimizer_options(chosen: OptimizerOptions) -> None:
    """Raises `InputError` where a schedule lacks its length."""
    if chosen.schedule != "constant" and not chosen.schedule_steps:
        what = "it needs the steps that it takes"
        raise InputError(f"--schedule={chosen.schedule}", what, "give --schedule_steps, for cosine as many as --steps")


def make_optimizer(rate: float, variables: Sequence[tf.Variable], chosen: OptimizerOptions | None = None) -> FusedAdam:
    """The thesis's Adam (β 0.9 and 0.999, ε 1e-8) with `chosen`'s schedule and decay, built for `variables`.

    `clip_norm` is the training step's: it looks at all gradients at once.
    """
    chosen = chosen or OptimizerOptions()
    schedule = make_schedule(chosen.schedule, rate, chosen.schedule_steps, chosen.schedule_factor, chosen.warmup_steps)
    optimizer = FusedAdam(schedule, weight_decay=chosen.weight_decay)
    optimizer.build(variables)
    return optimizer
