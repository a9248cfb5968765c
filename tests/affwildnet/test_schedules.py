"""Schedules of the learning rate, against their closed forms."""

import math

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.optimizer import OptimizerOptions, check_optimizer_options
from affwildnet.schedules import SCHEDULES, make_schedule
from tfrecords.errors import InputError

FORMS = {
    "constant": lambda step: 0.5,
    "cosine": lambda step: 0.5 * (0.1 + 0.9 * (1 + math.cos(math.pi * min(step / 20, 1))) / 2),
    "exponential": lambda step: 0.5 * 0.1 ** (step / 20),
    "step": lambda step: 0.5 * 0.1 ** (step // 20),
}


def _rates(schedule, steps):
    return [float(schedule(tf.constant(step, tf.int64))) for step in steps]


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_schedule_has_its_closed_form(name):
    steps = (0, 1, 7, 19, 20, 21, 40, 55)
    rates = _rates(make_schedule(name, 0.5, 20, 0.1), steps)
    np.testing.assert_allclose(rates, [FORMS[name](step) for step in steps], rtol=1e-5)


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_warm_up_rises_in_a_line_and_the_schedule_begins_after_it(name):
    rates = _rates(make_schedule(name, 0.5, 20, 0.1, warmup_steps=4), range(10))
    np.testing.assert_allclose(rates[:4], [0.125, 0.25, 0.375, 0.5], rtol=1e-6)
    np.testing.assert_allclose(rates[4:], [FORMS[name](step) for step in range(6)], rtol=1e-5)


def test_schedule_without_its_length_or_of_no_known_name_is_refused():
    with pytest.raises(InputError, match=r"--schedule=cosine: it needs the steps that it takes; give --schedule_steps"):
        check_optimizer_options(OptimizerOptions(schedule="cosine"))
    check_optimizer_options(OptimizerOptions(schedule="cosine", schedule_steps=1))
    with pytest.raises(ValueError, match="needs the steps"):
        make_schedule("step", 0.1, 0, 0.1)
    with pytest.raises(ValueError, match="no schedule 'linear'"):
        make_schedule("linear", 0.1, 1, 0.1)
