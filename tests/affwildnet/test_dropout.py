"""What is dropped is a function of the seed alone, wherever in the network."""

import numpy as np
import tensorflow as tf

from affwildnet.dropout import drop, fold_seed, step_seed
from affwildnet.input_spec import InputSpec
from affwildnet.models import ModelOptions, build_model
from affwildnet.recurrent import RecurrentBlock


def test_part_is_dropped_and_the_rest_raised_so_that_the_mean_stays():
    values = drop(tf.ones([400, 50]), 0.25, step_seed(3, 8)).numpy()
    assert set(np.unique(values)) == {0, np.float32(1 / 0.75)}
    assert abs((values == 0).mean() - 0.25) < 0.02


def test_step_seed_and_place_each_change_what_is_dropped():
    ones = tf.ones([100])
    seeds = [step_seed(1, 0), step_seed(1, 1), step_seed(2, 0), fold_seed(step_seed(1, 0), 1)]
    found = {drop(ones, 0.5, seed).numpy().tobytes() for seed in seeds}
    assert len(found) == 4
    np.testing.assert_array_equal(drop(ones, 0.5, step_seed(1, tf.constant(1, tf.int64))), drop(ones, 0.5, seeds[1]))


def test_block_drops_the_same_for_the_same_seed_whatever_was_drawn_before():
    inputs = tf.random.stateless_uniform([2, 5, 4], (1, 2), -1, 1)
    for attention_length in (0, 3):
        block = RecurrentBlock("gru", layers=3, units=8, attention_length=attention_length, dropout=0.5)
        first, _ = block(inputs, training=True, seed=step_seed(1, 4))
        tf.random.uniform([7])
        np.testing.assert_array_equal(block(inputs, training=True, seed=step_seed(1, 4))[0], first)
        assert not np.allclose(block(inputs, training=True, seed=step_seed(1, 5))[0], first)
        assert not np.allclose(block(inputs, training=True)[0], block(inputs, training=True)[0])


def test_whole_network_drops_the_same_for_the_same_seed():
    options = ModelOptions(layers=2, units=8, attention_length=3, fc=("12", "9"), dropout=0.5)
    model = build_model(options, InputSpec())
    features = tf.random.stateless_uniform([2, 5, 64], (1, 2))

    def predict(step):
        return model.predict_features(features, model.zero_state(2), training=True, seed=step_seed(1, step))[0]

    np.testing.assert_array_equal(predict(3), predict(3))
    assert not np.allclose(predict(3), predict(4))
