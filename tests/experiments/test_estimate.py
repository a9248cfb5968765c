"""Counted operations, against arithmetic by hand, and what is made of them."""

import math

import pytest
import tensorflow as tf

from experiments.configs import load_table
from experiments.estimate import Frames, count_work, format_estimate, hours, longest_chain
from experiments.flops import count_flops, frame_flops
from experiments.plan import PlanOptions, make_plan

FRAMES = Frames(1000, 200, 300)
SMALL = ("attention_length=0", "layers=1", "units=8")
# The small CNN's convolutions: side, kernel, channels in and out.
CONVOLUTIONS = [(48, 5, 3, 16), (24, 3, 16, 32), (12, 3, 32, 64), (6, 3, 64, 96)]
PRODUCTS = [2 * side**2 * kernel**2 * into * out for side, kernel, into, out in CONVOLUTIONS]
DENSE = 2 * 6 * 6 * 96 * 64


def test_a_products_gradients_are_counted_where_they_are_asked_for():
    x, w = tf.TensorSpec([4, 10]), tf.TensorSpec([10, 6])
    product = 2 * 4 * 10 * 6
    assert count_flops(tf.matmul, x, w) == product

    def with_gradients(x, w):
        with tf.GradientTape() as tape:
            tape.watch([x, w])
            y = tf.matmul(x, w)
        gradients = tape.gradient(y, [x, w])
        return y, gradients[1]

    assert count_flops(with_gradients, x, w) == 2 * product  # the gradient to x is in the graph, and not needed


def test_a_padded_convolutions_gradient_costs_as_much_as_itself():
    x, k = tf.TensorSpec([1, 7, 7, 8]), tf.TensorSpec([3, 3, 8, 5])
    product = 2 * 5 * 5 * 9 * 8 * 5

    def gradients(x, k):
        with tf.GradientTape() as tape:
            tape.watch([x, k])
            y = tf.nn.conv2d(x, k, 1, "VALID")
        return tape.gradient(y, [x, k])

    assert count_flops(gradients, x, k) == pytest.approx(2 * product, abs=7 * 7 * 8)


@pytest.mark.parametrize("case", ["0", "1", "2"])
def test_the_small_cnn_costs_what_its_layers_multiply(case):
    flags = {"backbone": "small_cnn", "cell": "gru", "attention_length": "0", "layers": "1", "units": "8", "case": case}
    flops = frame_flops(flags)
    forward = sum(PRODUCTS) + DENSE
    more = {
        "0": 0,
        "1": PRODUCTS[-1] + DENSE,  # conv4's weights, through the layer above
        "2": 2 * sum(PRODUCTS) - PRODUCTS[0] + 2 * DENSE,  # nothing below conv1
    }
    assert flops.cnn_forward == pytest.approx(forward, rel=0.02)
    assert flops.cnn_training == pytest.approx(forward + more[case], rel=0.02)
    assert flops.rest_forward == pytest.approx(2 * (64 + 8) * 24 + 2 * 8 * 2, rel=0.1)


@pytest.fixture(scope="module")
def works():
    config = load_table("6.4")
    chosen = PlanOptions(
        variants=("small_cnn_case0", "small_cnn_case3"), seeds=("1", "2"), steps=100, checkpoints=5, set=SMALL
    )
    plan = make_plan([config], chosen)
    return count_work(plan, [config], FRAMES, progress=lambda text: None)


def test_a_frozen_cnns_features_are_counted_once_for_all_that_share_them(works):
    by_run = {(work.run.flags["case"], work.run.flags["seed"], work.run.tested): work for work in works}
    first, second = by_run["0", "1", True], by_run["0", "2", True]
    assert first.features == pytest.approx(FRAMES.train * (sum(PRODUCTS) + DENSE), rel=0.02)
    assert second.features == 0 and second.training == first.training
    assert by_run["2", "1", True].training > 100 * 160 * 2 * sum(PRODUCTS)


def test_hours_are_operations_by_speed_and_case_3_waits_for_case_2(works):
    own = {work.run.name: hours(work, 1e9) for work in works}
    assert sum(own.values()) == pytest.approx(sum(work.total for work in works) / 1e9 / 3600)
    case = {work.run.flags["case"]: work for work in works if work.run.flags["seed"] == "1" and work.run.tested}
    pretraining = next(work for work in works if not work.run.tested)
    chain = sum(own[work.run.name] for work in (pretraining, case["2"], case["3"]))
    assert longest_chain(works, own) == pytest.approx(chain)
    text = format_estimate(works, FRAMES, 1e9, 2)
    assert f"on 2 at once {max(chain, sum(own.values()) / 2):,.2f} hours" in text
    assert "tell how fast" in format_estimate(works, FRAMES, None, 1)


def test_evaluation_runs_the_network_on_every_validation_frame_a_checkpoint(works):
    tested = next(work for work in works if work.run.tested)
    assert tested.evaluation / tested.test == pytest.approx(5 * FRAMES.validation / (3 * FRAMES.test))
    assert math.isclose(tested.evaluation / 5 / FRAMES.validation, sum(PRODUCTS) + DENSE, rel_tol=0.1)
