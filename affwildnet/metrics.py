"""CCC and MSE over a stream of sequences, the same to the last bit however the stream is batched."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from affwildnet.exact_sums import SCALE, exact_product_sum, exact_sum

# What is summed of each dimension: predictions, labels, their squares, and their product.
_SUMS = 5


class StreamingCCC:
    """Accumulates the moments of predictions and labels, for each dimension apart.

    The sums are exact (`exact_sums`), so batching, order and merging change nothing, and every metric is the true one
    of the frames that were added, rounded once to float64. A label that is NaN is missing: its frame does not count for
    its dimension. Any other value that is not finite makes its dimension's metrics NaN.

    Attributes: `count`, the frames that were added; `counts`, those with a label, of each dimension.
    """

    def __init__(self, dimensions: int = 2) -> None:
        self.dimensions = dimensions
        self.count = 0
        self.counts = [0] * dimensions
        self._sums = [[0] * _SUMS for _ in range(dimensions)]
        self._finite = [True] * dimensions

    def update(self, predictions: npt.ArrayLike, labels: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> None:
        """Adds frames.

        Args:
          predictions, labels: (..., dimensions), e.g. (B, T, 2).
          weights: (...), 1 for a frame that counts and 0 for padding; None counts all.

        Raises:
          ValueError: shapes do not fit, or a weight is neither 0 nor 1.
        """
        pairs = self._frames(predictions, labels, weights)
        self.count += pairs.shape[1]
        for index in range(self.dimensions):
            labelled = ~np.isnan(pairs[1, :, index])
            x, y = pairs[0, labelled, index], pairs[1, labelled, index]
            self.counts[index] += len(y)
            if not (np.isfinite(x).all() and np.isfinite(y).all()):
                self._finite[index] = False
                continue
            new = (
                exact_sum(x),
                exact_sum(y),
                exact_product_sum(x, x),
                exact_product_sum(y, y),
                exact_product_sum(x, y),
            )
            self._sums[index] = [old + more for old, more in zip(self._sums[index], new, strict=True)]

    def merge(self, other: StreamingCCC) -> None:
        """Adds the frames that `other` was given; ValueError where it has other dimensions."""
        if other.dimensions != self.dimensions:
            raise ValueError(f"streams of {self.dimensions} and {other.dimensions} dimensions cannot be merged")
        self.count += other.count
        self.counts = [own + more for own, more in zip(self.counts, other.counts, strict=True)]
        for index, more in enumerate(other._sums):
            self._sums[index] = [old + new for old, new in zip(self._sums[index], more, strict=True)]
            self._finite[index] = self._finite[index] and other._finite[index]

    def ccc(self, ddof: int = 1) -> np.ndarray:
        """The CCC of each dimension, (dimensions,) float64.

        Args:
          ddof: 1 divides the (co)variances by N - 1, as the thesis's recorded runs did; 0 by N, as its last test
            script and the loss do (SPEC.md, "Loss and metrics").

        Returns:
          Constant input as in `affwildnet.losses`: 0, or NaN where both are constant and equal; NaN too where
          fewer than ddof + 1 labelled frames were added.
        """
        values = np.full(self.dimensions, np.nan)
        for index, count in enumerate(self.counts):
            if count <= ddof:
                continue
            var_x, var_y, covariance = self._centred(index)
            gap = self._sums[index][0] - self._sums[index][1]
            # 2 s_xy / (s_x² + s_y² + gap²), every term times N² (N - ddof) and free of fractions.
            denominator = (var_x + var_y) * count + gap * gap * (count - ddof)
            if denominator and self._finite[index]:
                values[index] = (2 * covariance * count) / denominator
        return values

    def correlation(self) -> np.ndarray:
        """Pearson's correlation of each dimension, (dimensions,) float64; NaN where either side is constant."""
        values = np.full(self.dimensions, np.nan)
        for index in range(self.dimensions):
            var_x, var_y, covariance = self._centred(index)
            if var_x * var_y and self._finite[index]:
                values[index] = math.sqrt(covariance * covariance / (var_x * var_y)) * (1 if covariance > 0 else -1)
        return values

    def mse(self) -> np.ndarray:
        """The mean squared error of each dimension, (dimensions,) float64; NaN before the first label."""
        values = np.full(self.dimensions, np.nan)
        for index, count in enumerate(self.counts):
            if count and self._finite[index]:
                _, _, xx, yy, xy = self._sums[index]
                values[index] = (xx - 2 * xy + yy) / (count << SCALE)
        return values

    def means(self) -> np.ndarray:
        """The means of predictions and labels, (dimensions, 2) float64; NaN before the first label."""
        means = np.full((self.dimensions, 2), np.nan)
        for index, count in enumerate(self.counts):
            if count:
                means[index] = [total / (count << SCALE) for total in self._sums[index][:2]]
        return means

    def moments_about(self, origin: np.ndarray) -> np.ndarray:
        """Sums of deviations from `origin` (dimensions, 2), as `means` gives it: (dimensions, 6) float64.

        N, Σdx, Σdy, Σdx², Σdy², Σdxdy, each rounded once: what further sums are made of. NaN where not finite.
        """
        rows = np.full((self.dimensions, 6), np.nan)
        for index, (a, b) in enumerate(origin):
            if not (self._finite[index] and math.isfinite(a) and math.isfinite(b)):
                continue
            a, b = Fraction(a), Fraction(b)
            x, y, xx, yy, xy = (Fraction(total, 1 << SCALE) for total in self._sums[index])
            n = self.counts[index]
            exact = (x - n * a, y - n * b, xx - 2 * a * x + n * a * a, yy - 2 * b * y + n * b * b)
            rows[index] = [n, *map(float, exact), float(xy - a * y - b * x + n * a * b)]
        return rows

    def _centred(self, index: int) -> tuple[int, int, int]:
        """N² times the population variances and covariance of a dimension, in units of ``2 ** (-2 * SCALE)``."""
        x, y, xx, yy, xy = self._sums[index]
        n = self.counts[index]
        return (n * xx << SCALE) - x * x, (n * yy << SCALE) - y * y, (n * xy << SCALE) - x * y

    def _frames(
        self, predictions: npt.ArrayLike, labels: npt.ArrayLike, weights: npt.ArrayLike | None
    ) -> npt.NDArray[np.float64]:
        """The frames that count, (2, N, dimensions): predictions, labels."""
        p, y = np.asarray(predictions, np.float64), np.asarray(labels, np.float64)
        if p.shape != y.shape or p.shape[-1:] != (self.dimensions,):
            raise ValueError(f"predictions {p.shape} and labels {y.shape} are not both (..., {self.dimensions})")
        frames = math.prod(p.shape[:-1])
        pairs = np.stack([p.reshape(frames, self.dimensions), y.reshape(frames, self.dimensions)])
        if weights is None:
            return pairs
        w = np.asarray(weights)
        if w.shape != p.shape[:-1] or not np.isin(w, (0, 1)).all():
            raise ValueError(f"weights {w.shape} must be 0 or 1 for each frame of {p.shape[:-1]}")
        return pairs[:, w.reshape(-1) == 1]
