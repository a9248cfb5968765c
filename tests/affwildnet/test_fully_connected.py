"""Fully connected layers between CNN and what follows: the CNN-only, the released and VA-CRNN's networks."""

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.cases import CASES, trained_variables
from affwildnet.input_spec import InputSpec
from affwildnet.models import AffWildNet, ModelOptions, build_model

SPEC = InputSpec(size=32)


def network(**options: object) -> AffWildNet:
    tf.keras.utils.set_random_seed(1)
    return build_model(ModelOptions(**{"units": 8, "attention_length": 0, **options}), SPEC)  # type: ignore[arg-type]


def random_faces() -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (2, 6, 32, 32, 3), np.uint8)


def test_cnn_only_network_has_relu_layers_before_its_linear_head() -> None:
    model, faces = network(cell="none", fc=("40", "20")), random_faces()
    x = model.features(faces).numpy()
    first, second = (layer for layer in model.fc.layers if layer.weights)
    for layer in (first, second):
        kernel, bias = layer.get_weights()
        x = np.maximum(x @ kernel + bias, 0)
    kernel, bias = model.head.get_weights()
    assert first.units == 40 and second.units == 20 and kernel.shape == (20, 2)
    np.testing.assert_allclose(model(faces), x @ kernel + bias, rtol=1e-4, atol=1e-5)


def test_recurrent_block_reads_the_fully_connected_layer() -> None:
    model = network(fc=("40",))
    assert model.block.stack.cells[0].gates_kernel.shape == (40 + 8, 16)


def test_without_widths_there_is_no_such_part() -> None:
    assert network().fc is None


def test_dropout_falls_in_training_only_and_on_layers_and_block() -> None:
    model, faces = network(fc=("40",), dropout=0.5), random_faces()
    exact = network(fc=("40",))
    exact.set_weights(model.get_weights())
    np.testing.assert_array_equal(model(faces), exact(faces))
    assert not np.allclose(model(faces, training=True), exact(faces, training=True))
    features = model.features(faces)
    dropped = model.fully_connected(features, 0.5, tf.constant([1, 2])).numpy()
    kept = model.fc(features).numpy()
    where = dropped != 0
    np.testing.assert_allclose(dropped[where], 2 * kept[where], rtol=1e-5)
    assert 0.3 < where[kept != 0].mean() < 0.7


@pytest.mark.parametrize("case", ["0", "2"])
def test_fully_connected_layers_are_trained_with_the_recurrent_block(case: str) -> None:
    model = network(fc=("40",))
    trained = {variable.ref() for variable in trained_variables(model, CASES[case])}
    assert {weight.ref() for weight in model.fc.weights} <= trained


@pytest.mark.parametrize("width", ["0", "-4", "wide", "4.5", ""])
def test_width_that_cannot_be_is_refused(width: str) -> None:
    with pytest.raises(ValueError, match=f"cannot have '{width}' units"):
        network(fc=(width,))


@pytest.mark.parametrize("dropout", [-0.1, 1.0, 2.0])
def test_dropout_that_cannot_be_is_refused(dropout: float) -> None:
    with pytest.raises(ValueError, match="dropout of"):
        network(dropout=dropout)
