"""Adam against a NumPy restatement of TensorFlow 1's; its moments in a checkpoint; two replicas."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.adam import FusedAdam


def tf1_adam(weight: np.ndarray, gradients: list[np.ndarray], rate: float, epsilon: float = 1e-8) -> np.ndarray:
    """TensorFlow 1's AdamOptimizer, in its own words: ``lr_t = rate * sqrt(1 - beta2^t) / (1 - beta1^t)``, ..."""
    m, v = np.zeros_like(weight), np.zeros_like(weight)
    for t, gradient in enumerate(gradients, start=1):
        rate_t = rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient**2
        weight = weight - rate_t * m / (np.sqrt(v) + epsilon)
    return weight


def random_steps(count: int, scale: float = 1.0) -> tuple[np.ndarray, list[np.ndarray]]:
    random = np.random.default_rng(0)
    return random.standard_normal((3, 4)), [scale * random.standard_normal((3, 4)) for _ in range(count)]


# At 1e-9 the gradients are near ε, so that its place in the formula decides.
@pytest.mark.parametrize("scale", [1.0, 1e-9])
def test_ten_steps_equal_tensorflow_1s(scale: float) -> None:
    start, gradients = random_steps(10, scale)
    variable = tf.Variable(start, dtype=tf.float32)
    adam = FusedAdam(0.01)
    adam.build([variable])
    step = tf.function(lambda gradient: adam.apply_gradients([(gradient, variable)]))
    for gradient in gradients:
        step(tf.constant(gradient, tf.float32))
    expected = tf1_adam(start, gradients, 0.01)
    # float32 holds 1 - 0.999 to 1e-5 of itself.
    np.testing.assert_allclose(variable.numpy() - start, expected - start, rtol=2e-4, atol=1e-6)
    assert int(adam.iterations) == 10


def test_training_goes_on_from_a_checkpoint_as_if_never_stopped(tmp_path) -> None:
    start, gradients = random_steps(6)

    def make() -> tuple[tf.Variable, FusedAdam, tf.train.Checkpoint]:
        variable = tf.Variable(start, dtype=tf.float32)
        adam = FusedAdam(0.01)
        adam.build([variable])
        return variable, adam, tf.train.Checkpoint(variable=variable, optimizer=adam)

    def run(variable: tf.Variable, adam: FusedAdam, some: list[np.ndarray]) -> None:
        for gradient in some:
            adam.apply_gradients([(tf.constant(gradient, tf.float32), variable)])

    whole, adam, _ = make()
    run(whole, adam, gradients)
    variable, adam, checkpoint = make()
    run(variable, adam, gradients[:3])
    path = checkpoint.write(str(tmp_path / "saved"))
    again, adam, checkpoint = make()
    checkpoint.read(path).assert_consumed()
    run(again, adam, gradients[3:])
    np.testing.assert_array_equal(again, whole)


def test_gradient_of_a_gather_is_taken_as_a_dense_one() -> None:
    variable = tf.Variable(tf.ones([3, 2]))
    adam = FusedAdam(0.1)
    adam.build([variable])
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(tf.gather(variable, [1, 1]))
    adam.apply_gradients([(tape.gradient(total, variable), variable)])
    np.testing.assert_allclose(variable, [[1, 1], [0.9, 0.9], [1, 1]], atol=1e-6)


def test_weight_decay_takes_its_part_of_kernels_beside_the_step_and_spares_vectors() -> None:
    gradients = [np.full((3, 2), 0.5), np.full((3, 2), -0.25)]
    plain = tf1_adam(np.ones((3, 2)), gradients[:1], 0.1)
    kernel, bias = tf.Variable(tf.ones([3, 2])), tf.Variable(tf.ones([2]))
    adam = FusedAdam(0.1, weight_decay=0.3)
    adam.build([kernel, bias])
    adam.apply_gradients([(tf.constant(gradients[0], tf.float32), kernel), (tf.zeros([2]), bias)])
    np.testing.assert_allclose(kernel, plain - 0.1 * 0.3, rtol=1e-5)
    np.testing.assert_array_equal(bias, [1, 1])


def test_rate_that_is_a_function_is_asked_with_the_updates_done() -> None:
    variable = tf.Variable([1.0])
    adam = FusedAdam(lambda step: tf.where(step < 1, 0.1, 0.0))
    adam.build([variable])
    adam.apply_gradients([(tf.constant([2.0]), variable)])
    np.testing.assert_allclose(variable, [0.9], atol=1e-6)
    adam.apply_gradients([(tf.constant([2.0]), variable)])
    np.testing.assert_allclose(variable, [0.9], atol=1e-6)


# In a process of its own, because logical devices are set before TensorFlow starts.
TWO_REPLICAS = """
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from affwildnet.adam import FusedAdam
from tests.affwildnet.test_adam import random_steps, tf1_adam

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
start, gradients = random_steps(4)
with strategy.scope():
    variable = tf.Variable(start, dtype=tf.float32)
    adam = FusedAdam(0.01)
    adam.build([variable])

@tf.function
def step(gradient):
    strategy.run(lambda: adam.apply_gradients([(gradient / 2, variable)]))

for gradient in gradients:
    step(tf.constant(gradient, tf.float32))
replicas = strategy.experimental_local_results(variable)
assert len(replicas) == 2 and adam.iterations.numpy() == 4, adam.iterations
for replica in replicas:
    np.testing.assert_allclose(replica, tf1_adam(start, gradients, 0.01), atol=1e-5)
"""


def test_replicas_sum_their_gradients_and_stay_alike() -> None:
    root = Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", TWO_REPLICAS], cwd=root, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_variable_that_it_was_not_built_for_and_missing_gradient_are_named() -> None:
    known, unknown = tf.Variable(1.0, name="known"), tf.Variable(1.0, name="unknown")
    adam = FusedAdam(0.1)
    adam.build([known])
    with pytest.raises(ValueError, match="not built for the variable unknown"):
        adam.apply_gradients([(tf.constant(1.0), unknown)])
    with pytest.raises(ValueError, match="known:0 has no gradient"):
        adam.apply_gradients([(None, known)])
