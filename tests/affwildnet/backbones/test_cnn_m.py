"""CNN-M against a NumPy restatement of SPEC.md."""

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.backbones.cnn_m import LocalResponseNormalization, cnn_m


def restated_convolution(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray, stride: int, pad: int) -> np.ndarray:
    x = np.pad(x, ((pad, pad), (pad, pad), (0, 0)))
    size = kernel.shape[0]
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), (0, 1))[::stride, ::stride]
    return np.maximum(np.einsum("hwcij,ijco->hwo", windows, kernel, optimize=True) + bias, 0)


def restated_norm(x: np.ndarray) -> np.ndarray:
    squares = np.pad(x**2, ((0, 0), (0, 0), (2, 2)))
    total = sum(squares[..., i : i + x.shape[-1]] for i in range(5))
    return x / (2 + 5e-4 / 5 * total) ** 0.75


def restated_batch_norm(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, mean: np.ndarray, variance: np.ndarray
) -> np.ndarray:
    """A channel at a time over the moving averages; ε 1e-3 is Keras's, none is published."""
    return gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta


def restated_pool(x: np.ndarray) -> np.ndarray:
    """Caffe: as many windows as touch the input, cut off at its edge."""
    count = int(np.ceil((x.shape[0] - 3) / 2)) + 1
    rows = [[x[2 * i : 2 * i + 3, 2 * j : 2 * j + 3].max(axis=(0, 1)) for j in range(count)] for i in range(count)]
    return np.array(rows)


def test_features_equal_the_restatement() -> None:
    tf.keras.utils.set_random_seed(4)
    model = cnn_m(96)
    for weight in model.weights:
        if len(weight.shape) == 1:
            weight.assign(np.random.default_rng(5).uniform(-0.1, 0.1, weight.shape))
    face = np.random.default_rng(6).uniform(-100, 100, (96, 96, 3)).astype(np.float32)
    w = [layer.get_weights() for layer in model.layers if layer.get_weights()]
    x = restated_pool(restated_norm(restated_convolution(face, *w[0], stride=2, pad=0)))
    x = restated_pool(restated_norm(restated_convolution(x, *w[1], stride=2, pad=1)))
    for kernel, bias in w[2:]:
        x = restated_convolution(x, kernel, bias, stride=1, pad=1)
    x = restated_pool(x)
    assert x.shape == (2, 2, 512)
    np.testing.assert_allclose(model(face[np.newaxis])[0], x.ravel(), rtol=1e-3, atol=1e-4 * x.max())


def test_features_with_batch_norm_equal_the_restatement() -> None:
    tf.keras.utils.set_random_seed(4)
    model, rng = cnn_m(96, batch_norm=True), np.random.default_rng(7)
    for weight in model.weights:
        if len(weight.shape) == 1:
            low, high = (0.5, 2.0) if "variance" in weight.name or "gamma" in weight.name else (-0.1, 0.1)
            weight.assign(rng.uniform(low, high, weight.shape))
    face = np.random.default_rng(6).uniform(-100, 100, (96, 96, 3)).astype(np.float32)
    w = {layer.name: layer.get_weights() for layer in model.layers if layer.get_weights()}
    assert list(w) == ["conv1", "norm1", "conv2", "norm2", "conv3", "conv4", "conv5"]
    x = restated_pool(restated_batch_norm(restated_convolution(face, *w["conv1"], stride=2, pad=0), *w["norm1"]))
    x = restated_pool(restated_batch_norm(restated_convolution(x, *w["conv2"], stride=2, pad=1), *w["norm2"]))
    for name in ("conv3", "conv4", "conv5"):
        x = restated_convolution(x, *w[name], stride=1, pad=1)
    x = restated_pool(x)
    np.testing.assert_allclose(model(face[np.newaxis])[0], x.ravel(), rtol=1e-3, atol=1e-4 * x.max())


@pytest.mark.parametrize(("size", "side"), [(96, 2), (224, 6)])
def test_last_pool_has_caffes_size(size: int, side: int) -> None:
    assert cnn_m(size).output_shape == (None, side * side * 512)


def test_normalisation_keeps_16_bit_types() -> None:
    values = tf.constant(np.full((1, 2, 2, 8), 300.0), tf.float16)
    normal = LocalResponseNormalization(dtype="float16")(values)
    assert normal.dtype == tf.float16 and np.isfinite(normal.numpy()).all()
