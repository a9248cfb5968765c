"""Which stretch of the tested stream a figure shows, and what is in it."""

import cv2
import numpy as np
import pytest

from affwildnet.measured import EntryPredictions
from affwildnet.stream_figures import STREAM_FIGURES, THESIS_FRAMES, figure_range, write_figures

RANGES = {
    "figure_6_3_arousal": None,
    "figure_6_4_arousal": (30_000, 50_000),
    "figure_6_5_arousal": (90_000, 120_000),
    "figure_6_6_valence": None,
    "figure_6_7_valence": (50_000, 70_000),
    "figure_6_8_valence": (70_000, 100_000),
}


@pytest.mark.parametrize("figure", STREAM_FIGURES, ids=lambda figure: figure.name)
def test_stretches_are_the_thesis_s_or_as_large_a_part(figure):
    expected = RANGES[figure.name]
    assert figure_range(figure, THESIS_FRAMES) == (expected or (0, THESIS_FRAMES))
    assert figure_range(figure, 200_000) == (expected or (0, 200_000))
    first, last = figure_range(figure, THESIS_FRAMES // 100)
    start, end = expected or (0, THESIS_FRAMES)
    assert (first, last) == (pytest.approx(start / 100, abs=1), pytest.approx(end / 100, abs=1))
    first, last = figure_range(figure, 1)
    assert last > first


def test_figures_of_a_long_stream_and_of_other_outputs_hold_what_they_should(tmp_path):
    generator = np.random.default_rng(0)
    labels = np.sin(np.arange(9000) / 500)[:, None].repeat(2, 1).astype(np.float32)
    predictions = (labels + generator.normal(0, 0.1, labels.shape)).astype(np.float32)
    predictions[0] = np.nan
    entries = [EntryPredictions("a", np.arange(1, 9001), predictions, labels, "a")]
    paths = write_figures(tmp_path, entries, ("valence", "liking"), "title")
    assert [path.stem for path in paths] == [
        *(f"figure_6_{number}_valence" for number in (6, 7, 8)),
        "stream_liking",
        "histogram_valence",
        "histogram_liking",
    ]
    for path in paths:
        picture = cv2.imread(str(path))
        assert min(picture.shape[:2]) > 400 and (picture < 100).any()
