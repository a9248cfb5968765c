"""What the attention cell does with a frame's features, for all frames at once: ``projected = (x W1 + b1) G + b``.

W1 (D + A, D) is the attention cell's input kernel, its last A rows read the attention vector; G (D, P) is the first
cell's input kernel and b its bias. The attention part needs the frames in order, so the loop adds ``attention (W1a G)``
with W1a G (A, P) folded once. Of three matrices the cheaper pair goes first, by the number of rows N = B * T:

| rows | forward | gradient of W1 |
| --- | --- | --- |
| N < P | ``(x W1) G`` | ``[x, attention]ᵀ (dZ Gᵀ)`` |
| P <= N < 2 P | ``(x W1) G`` | ``([x, attention]ᵀ dZ) Gᵀ`` |
| 2 P <= N | ``x (W1 G)`` | ``([x, attention]ᵀ dZ) Gᵀ`` |

(With D = 4608 and two GRUs of 128, P = 384. A step of training at B = 8 and 32, T = 80: 457 -> 267 and 847 -> 267 ms
against one order for all, `attention_trials.md`.) x W1 is kept for the gradient of G, so its order is the better one up
to 2 P although the forward product alone would turn at P.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from affwildnet.cells.fused.cell import transposed_product


class InputWeights(NamedTuple):
    """The weights between a frame's features and the first cell's state."""

    kernel: tf.Tensor  # W1 (D + A, D)
    bias: tf.Tensor  # b1 (D,)
    cell_kernel: tf.Tensor  # G (D, P)
    cell_bias: tf.Tensor  # b (P,)

    @property
    def width(self) -> int:
        """D, of the features."""
        return int(self.kernel.shape[1])


class Projection(NamedTuple):
    """Products that the gradient needs again; the one that the row's order does not make has no rows."""

    features: tf.Tensor  # x W1 (N, D) or (0, D)
    folded: tf.Tensor  # W1 G (D, P) or (0, P)


def fold_attention(weights: InputWeights) -> tuple[tf.Tensor, tf.Tensor]:
    """``(W1a G, b1 G + b)``: (A, P), (P,). Small, so made in every call."""
    rows = tf.concat([weights.kernel[weights.width :], weights.bias[tf.newaxis, :]], axis=0)
    product = tf.matmul(rows, weights.cell_kernel)
    return product[:-1], product[-1] + weights.cell_bias


def project_input(rows: tf.Tensor, weights: InputWeights) -> tuple[tf.Tensor, Projection]:
    """x (N, D) -> ``x W1 G`` (N, P) without biases and attention, and what the gradient needs."""
    kernel = weights.kernel[: weights.width]

    def features_first() -> tuple[tf.Tensor, ...]:
        features = tf.matmul(rows, kernel)
        return tf.matmul(features, weights.cell_kernel), features, weights.cell_kernel[:0]

    def weights_first() -> tuple[tf.Tensor, ...]:
        folded = tf.matmul(kernel, weights.cell_kernel)
        return tf.matmul(rows, folded), kernel[:0], folded

    projected, features, folded = _by_rows(rows, weights, features_first, features_first, weights_first)
    return projected, Projection(features, folded)


def input_weight_gradients(
    d_projected: tf.Tensor, rows: tf.Tensor, attention: tf.Tensor, weights: InputWeights, projection: Projection
) -> InputWeights:
    """Gradients of the four weights from dZ (N, P), x (N, D) and the attention vectors (N, A) that went in."""
    joined = tf.concat([rows, attention], axis=1)
    d_sum = tf.reduce_sum(d_projected, axis=0)
    cell_kernel = weights.cell_kernel

    def cell_kernel_from_features() -> tf.Tensor:
        features = projection.features + tf.matmul(attention, weights.kernel[weights.width :]) + weights.bias
        return transposed_product(features, d_projected)

    def few() -> tuple[tf.Tensor, tf.Tensor]:
        return transposed_product(joined, _back(d_projected, cell_kernel)), cell_kernel_from_features()

    def some() -> tuple[tf.Tensor, tf.Tensor]:
        return _back(transposed_product(joined, d_projected), cell_kernel), cell_kernel_from_features()

    def many() -> tuple[tf.Tensor, tf.Tensor]:
        small = transposed_product(joined, d_projected)
        d_cell_kernel = transposed_product(weights.kernel, small) + weights.bias[:, tf.newaxis] * d_sum
        return _back(small, cell_kernel), d_cell_kernel

    d_kernel, d_cell_kernel = _by_rows(rows, weights, few, some, many)
    d_bias = tf.linalg.matvec(cell_kernel, d_sum)
    return InputWeights(d_kernel, d_bias, d_cell_kernel, d_sum)


def input_gradient(d_projected: tf.Tensor, rows: tf.Tensor, weights: InputWeights, projection: Projection) -> tf.Tensor:
    """The gradient of x (N, D) from dZ (N, P); a graph that does not ask for it does not compute it."""

    def features_first() -> tf.Tensor:
        return _back(_back(d_projected, weights.cell_kernel), weights.kernel[: weights.width])

    def weights_first() -> tf.Tensor:
        return _back(d_projected, projection.folded)

    return _by_rows(rows, weights, features_first, features_first, weights_first)


def _back(gradient: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """``gradient kernelᵀ``: what a product's gradient (N, P) leaves to its inputs (N, D)."""
    return tf.matmul(gradient, kernel, transpose_b=True)


def _by_rows(rows: tf.Tensor, weights: InputWeights, few: Callable, some: Callable, many: Callable) -> Any:
    """The branch for N rows (see the table above), chosen while tracing where N is known by then."""
    width = int(weights.cell_kernel.shape[1])
    count = rows.shape[0]
    if count is not None:
        return few() if count < width else some() if count < 2 * width else many()
    found = tf.shape(rows)[0]
    index = tf.cast(found >= width, tf.int32) + tf.cast(found >= 2 * width, tf.int32)
    return tf.switch_case(index, [few, some, many])
