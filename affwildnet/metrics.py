"""CCC and MSE over a stream of sequences, exact however the stream is batched."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


class StreamingCCC:
    """Accumulates the moments of predictions and labels, for each dimension apart, in float64.

    Batches are merged by Chan's update of means and centred sums, which loses no digits over long streams.
    """

    def __init__(self, dimensions: int = 2) -> None:
        self.dimensions = dimensions
        self.count = 0
        self._origin = np.zeros((2, dimensions))  # the first frame: constants become exact zeros, as in losses.ccc
        self._means = np.zeros((2, dimensions))  # of predictions and labels, from the origin
        self._squares = np.zeros((2, dimensions))  # sums of squared deviations from the means
        self._products = np.zeros(dimensions)  # sum of products of the deviations
        self._errors = np.zeros(dimensions)  # sum of squared errors

    def update(self, predictions: npt.ArrayLike, labels: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> None:
        """Adds frames.

        Args:
          predictions, labels: (..., dimensions), e.g. (B, T, 2).
          weights: (...), 1 for a frame that counts and 0 for padding; None counts all.

        Raises:
          ValueError: shapes do not fit, or a weight is neither 0 nor 1.
        """
        pairs = self._frames(predictions, labels, weights)
        new = pairs.shape[1]
        if not new:
            return
        self._errors += np.sum(np.square(pairs[0] - pairs[1]), axis=0)
        if not self.count:
            self._origin = pairs[:, 0].copy()
        pairs = pairs - self._origin[:, np.newaxis]
        means = pairs.mean(axis=1)
        deviations = pairs - means[:, np.newaxis]
        step = means - self._means
        total = self.count + new
        between = self.count * new / total
        self._squares += np.sum(np.square(deviations), axis=1) + between * np.square(step)
        self._products += np.sum(deviations[0] * deviations[1], axis=0) + between * step[0] * step[1]
        self._means += step * (new / total)
        self.count = total

    def ccc(self, ddof: int = 1) -> np.ndarray:
        """The CCC of each dimension, (dimensions,) float64.

        Args:
          ddof: 1 divides the (co)variances by N - 1, as the thesis's recorded runs did; 0 by N, as its last test
            script and the loss do (SPEC.md, "Loss and metrics").

        Returns:
          Constant input as in `affwildnet.losses`: 0, or NaN where both are constant and equal; NaN too where
          fewer than ddof + 1 frames were added.
        """
        nothing = np.full(self.dimensions, np.nan)
        if self.count <= ddof:
            return nothing
        gap = (self._origin[0] - self._origin[1]) + (self._means[0] - self._means[1])
        denominator = self._squares.sum(axis=0) / (self.count - ddof) + np.square(gap)
        covariance = self._products / (self.count - ddof)
        return np.divide(2 * covariance, denominator, out=nothing, where=denominator != 0)

    def correlation(self) -> np.ndarray:
        """Pearson's correlation of each dimension, (dimensions,) float64; NaN where either side is constant."""
        spread = np.sqrt(self._squares[0] * self._squares[1])
        return np.divide(self._products, spread, out=np.full(self.dimensions, np.nan), where=spread > 0)

    def mse(self) -> np.ndarray:
        """The mean squared error of each dimension, (dimensions,) float64; NaN before the first frame."""
        return self._errors / self.count if self.count else np.full(self.dimensions, np.nan)

    def _frames(
        self, predictions: npt.ArrayLike, labels: npt.ArrayLike, weights: npt.ArrayLike | None
    ) -> npt.NDArray[np.float64]:
        """The frames that count, (2, N, dimensions): predictions, labels."""
        p, y = np.asarray(predictions, np.float64), np.asarray(labels, np.float64)
        if p.shape != y.shape or p.shape[-1:] != (self.dimensions,):
            raise ValueError(f"predictions {p.shape} and labels {y.shape} are not both (..., {self.dimensions})")
        pairs = np.stack([p.reshape(-1, self.dimensions), y.reshape(-1, self.dimensions)])
        if weights is None:
            return pairs
        w = np.asarray(weights)
        if w.shape != p.shape[:-1] or not np.isin(w, (0, 1)).all():
            raise ValueError(f"weights {w.shape} must be 0 or 1 for each frame of {p.shape[:-1]}")
        return pairs[:, w.reshape(-1) == 1]
