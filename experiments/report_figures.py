"""The paper's figures 6.1 to 6.8 and the wheel of emotions, from what finished runs have left."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from data_pipeline.statistics.drawing import COLOURS, Panel, new_axes
from experiments.emotion_wheel import draw_wheel
from experiments.places import Places, StoredTable
from experiments.results import DIMENSIONS, EntryCurves, read_curves, read_validation

# The runs of figures 6.1 and 6.2: table and variants, in the order in which they are looked for.
_CURVES_6_1 = (("6.2", "gru_attention"), ("6.4", "vggface_case0"))
_PAIRS_6_2 = (
    ("6.4", "resnet50_case2", "resnet50_case3"),
    ("6.4", "vggface_case2", "vggface_case3"),
    ("6.4", "small_cnn_case2", "small_cnn_case3"),
    ("6.5", "length80_case2", "length80_case3"),
)
# Figures 6.3 to 6.8: dimension, the run of table 6.5, and the part of the test stream; None is all of it.
_STREAMS = (
    ("6.3", "arousal", "length70_case3", None),
    ("6.4", "arousal", "length70_case3", (30_000, 50_000)),
    ("6.5", "arousal", "length70_case3", (90_000, 120_000)),
    ("6.6", "valence", "length80_case3", None),
    ("6.7", "valence", "length80_case3", (50_000, 70_000)),
    ("6.8", "valence", "length80_case3", (70_000, 100_000)),
)
_THESIS_TEST_FRAMES = 135_145


@dataclasses.dataclass(frozen=True)
class Figure:
    """A figure of the page; `panel` None: `caption` says what it would need."""

    number: str
    panel: Panel | None
    caption: str


def paper_figures(places: Places, tables: Mapping[str, StoredTable]) -> list[Figure]:
    """Figures 6.1 to 6.8, each with what it needs where the runs are not there."""
    return [_figure_6_1(places, tables), _figure_6_2(places, tables), *_stream_figures(places, tables)]


def _runs(tables: Mapping[str, StoredTable], table: str, variant: str) -> list[str]:
    rows = tables[table].rows if table in tables else []
    return [row.run for row in rows if row.variant == variant]


def _label(tables: Mapping[str, StoredTable], table: str, variant: str) -> str:
    return f"{tables[table].config.runs[variant].label} of table {table}"


def _figure_6_1(places: Places, tables: Mapping[str, StoredTable]) -> Figure:
    for table, variant in _CURVES_6_1:
        curves = [read_validation(places.run(run)) for run in _runs(tables, table, variant)]
        if curves := [own for own in curves if own]:
            drawn: list[str] = []
            with new_axes(drawn, (6.4, 4.6), 2, kind="png") as axes:
                for axis, measure in zip(axes, ("ccc", "mse"), strict=True):
                    for number, own in enumerate(curves):
                        for name, marker in zip(DIMENSIONS, "os", strict=True):
                            style = {
                                "color": COLOURS[name],
                                "marker": marker,
                                "markersize": 3,
                                "alpha": 1 - 0.3 * min(number, 2),
                            }
                            axis.plot(own["step"], own[f"{measure}_{name}"], label=None if number else name, **style)
                    axis.set(ylabel=measure.upper())
                axes[0].legend(ncols=2)
                axes[1].set_xlabel("step")
            caption = f"CCC and MSE on the validation part of every checkpoint of {_label(tables, table, variant)}"
            caption += f", {len(curves)} seeds." if len(curves) > 1 else "."
            return Figure("6.1", Panel(drawn[0], caption), caption)
    return Figure("6.1", None, "needs an evaluated run of the GRU with attention (table 6.2 or 6.4).")


def _figure_6_2(places: Places, tables: Mapping[str, StoredTable]) -> Figure:
    for table, *variants in _PAIRS_6_2:
        pair = {
            variant: [read_validation(places.run(run)) for run in _runs(tables, table, variant)] for variant in variants
        }
        if all(any(curves) for curves in pair.values()):
            drawn: list[str] = []
            with new_axes(drawn, (6.4, 4.6), 2, kind="png") as axes:
                for axis, name in zip(axes, DIMENSIONS, strict=True):
                    for variant, colour, line in zip(variants, ("#d55e00", "#0072b2"), ("--", "-"), strict=True):
                        label: str | None = f"case {variant[-1]}"
                        for own in filter(None, pair[variant]):
                            axis.plot(own["step"], own[f"ccc_{name}"], line, color=colour, marker=".", label=label)
                            label = None
                    axis.set(ylabel=f"CCC {name}")
                axes[0].legend(ncols=2)
                axes[1].set_xlabel("step")
            caption = "CCC on the validation part of every checkpoint: "
            caption += " and ".join(_label(tables, table, variant) for variant in variants) + "."
            return Figure("6.2", Panel(drawn[0], caption), caption)
    return Figure("6.2", None, "needs evaluated runs of cases 2 and 3 of one network (table 6.4 or 6.5).")


def _stream_figures(places: Places, tables: Mapping[str, StoredTable]) -> list[Figure]:
    figures = []
    for number, dimension, variant, part in _STREAMS:
        curves: dict[str, EntryCurves] = {}
        for run in _runs(tables, "6.5", variant):
            curves = curves or read_curves(places.run(run), dimension)
        if not curves:
            figures.append(Figure(number, None, f"needs a tested run of {variant} (table 6.5)."))
            continue
        predicted, labels = join_curves(list(curves.values()))
        first, last, caption = 0, len(labels), "all frames of the test part"
        if part:
            scale = 1.0 if len(labels) >= _THESIS_TEST_FRAMES else len(labels) / _THESIS_TEST_FRAMES
            first, last = (round(frame * scale) for frame in part)
            caption = f"frames {first:,} to {last:,} of the test part"
            if scale < 1:
                caption += f" (the share of it that {part[0]:,} to {part[1]:,} is of the thesis's)"
        panel = draw_stream(dimension, predicted[first:last], labels[first:last], first)
        caption = f"Prediction and truth of {dimension}, {caption}; {_label(tables, '6.5', variant)}."
        figures.append(Figure(number, Panel(panel.source, caption), caption))
    return figures


def join_curves(curves: Sequence[EntryCurves]) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and labels of entries one after the other."""
    return np.concatenate([own.predicted for own in curves]), np.concatenate([own.labels for own in curves])


def draw_stream(dimension: str, predicted: np.ndarray, labels: np.ndarray, first: int) -> Panel:
    """Both curves over the position in the tested stream, which begins at `first`."""
    drawn: list[str] = []
    positions = np.arange(first, first + len(labels))
    with new_axes(drawn, (8.6, 2.6), kind="png") as (axis,):
        axis.plot(positions, labels, color="0.45", linewidth=0.9, label="true")
        axis.plot(positions, predicted, color=COLOURS[dimension], linewidth=0.8, alpha=0.9, label="predicted")
        axis.set(xlabel="frame of the test part", ylabel=dimension, ylim=(-1.1, 1.45), yticks=(-1, 0, 1))
        axis.margins(x=0.01)
        axis.legend(ncols=2, loc="upper right")
    return Panel(drawn[0], "")


def wheel_figure(places: Places, run: str, label: str) -> Figure:
    """Labels and predictions of a run's test part over the wheel of emotions, each dimension by its best checkpoint."""
    curves = {name: read_curves(places.run(run), name) for name in DIMENSIONS}
    entries = sorted(set(curves["valence"]) & set(curves["arousal"]))
    if not entries:
        return Figure("wheel", None, "needs a tested run.")
    joined = {name: join_curves([own[entry] for entry in entries]) for name, own in curves.items()}
    predicted, labels = (tuple(joined[name][part] for name in DIMENSIONS) for part in (0, 1))
    title = f"Test part: labels, and predictions of {label}"
    panel = draw_wheel({"labels": labels, "predictions": predicted}, title)  # type: ignore[dict-item]
    return Figure("wheel", panel, f"{title}. Words after Russell (1980).")
