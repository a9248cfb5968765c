"""The demo's report: one page that needs nothing but itself, and the result table for the terminal.

A run may have stopped anywhere: what is there is shown, and what is missing is said.
"""

from __future__ import annotations

import dataclasses
import importlib.resources
import itertools
import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np

from affwildnet.metrics import StreamingCCC
from data_pipeline.partition import PARTITIONS
from data_pipeline.statistics import figures
from data_pipeline.statistics.drawing import Panel, data_uri
from data_pipeline.statistics.faces import read_faces
from experiments import demo_figures
from experiments.demo_figures import Predictions, read_losses, read_predictions
from tfrecords.convert import read_labels
from tfrecords.crops import encode_jpeg
from tfrecords.workspace import Workspace, read_csv, read_json, write_text

if TYPE_CHECKING:
    from affwildnet.model_folder import ModelFolder

DIMENSIONS = ("valence", "arousal")
SHOWN_ENTRIES = 6
FACE_PIXELS = 72
ABSENT = "–"


@dataclasses.dataclass(frozen=True)
class ResultRow:
    """A line of the result table: what was tested, its measures, the CCC wanted, and whether it was met."""

    dimension: str
    system: str
    ccc: str
    mse: str
    correlation: str
    wanted: str
    met: str


@dataclasses.dataclass(frozen=True)
class Illustration:
    """A figure of the page: its panels and caption, and a sentence on each panel that could not be drawn."""

    panels: list[Panel]
    caption: str
    missing: list[str]


def look_up(results: Any, *keys: str) -> Any:
    """The value below `keys` in nested dicts, None where any of them is absent."""
    for key in keys:
        results = results.get(key) if isinstance(results, dict) else None
    return results


def format_number(value: Any, digits: int = 3) -> str:
    """A number with `digits` decimals, a dash for none."""
    known = isinstance(value, int | float) and math.isfinite(value)
    return f"{value:,.{digits}f}" if known else ABSENT


def result_rows(results: dict[str, Any]) -> list[ResultRow]:
    """The lines of the result table; the model's CCC shall reach its target, the controls' shall stay near 0."""
    rows = []
    systems = (
        ("model", ("test",)),
        ("constant", ("controls", "constant")),
        ("shuffled labels", ("controls", "shuffled_labels")),
    )
    for dimension in DIMENSIONS:
        for system, place in systems:
            ccc, mse, r = (look_up(results, *place, dimension, measure) for measure in ("ccc", "mse", "correlation"))
            target = look_up(results, "targets", dimension if system == "model" else "control")
            wanted = met = ABSENT
            if target is not None:
                wanted = f"≥ {target:.2f}" if system == "model" else f"0 ± {target:.2f}"
                if format_number(ccc) != ABSENT:
                    met = "yes" if (ccc >= target if system == "model" else abs(ccc) <= target) else "no"
            numbers = {"ccc": format_number(ccc), "mse": format_number(mse), "correlation": format_number(r)}
            rows.append(ResultRow(dimension, system, **numbers, wanted=wanted, met=met))
    return rows


def format_table(results: dict[str, Any]) -> str:
    """The result table as plain ASCII text, which any terminal can show."""
    header = ("test part", "CCC", "MSE", "r", "CCC wanted", "met")
    lines = [
        (f"{row.dimension}, {row.system}", row.ccc, row.mse, row.correlation, row.wanted, row.met)
        for row in result_rows(results)
    ]
    widths = [max(map(len, column)) for column in zip(header, *lines, strict=True)]
    text = []
    for line in [header, *lines]:
        cells = [
            line[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)),
        ]
        text.append("  ".join(cells))
    text.insert(1, "-" * len(text[0]))
    title = "SYNTHETIC faces: these figures say nothing about people."
    # Each stands for one character, so that the columns stay as wide as they were measured.
    ascii_text = "\n".join([title, *text]).replace("≥ ", ">=").replace("± ", "+-").replace(ABSENT, "-")
    return ascii_text + "\n"


def write_report(demo: Path) -> Path:
    """Writes ``report.html`` in the demo's folder from what its run has left there; returns the page's path."""
    # It loads TensorFlow, which `format_table` does without.
    from affwildnet.model_folder import ModelFolder

    demo = Path(demo)
    results = read_json(demo / "results.json") if (demo / "results.json").exists() else {}
    workspace = Workspace(demo / "workspace")
    rows = read_csv(workspace.partition) if workspace.partition.exists() else []
    model = ModelFolder(demo / "model")
    illustrations = {"database": _database_figure(workspace, rows)}
    illustrations["learning"] = _learning_figure(ModelFolder(demo / "cnn"), model)
    illustrations |= _test_figures(model, rows)
    illustrations["video"] = _predicted_video(demo / "predictions")
    stages = {name: own for name, own in (results.get("stages") or {}).items() if format_number(own) != ABSENT}
    illustrations["stages"] = Illustration(
        [demo_figures.draw_stages(stages)] if stages else [],
        "Seconds of each stage; those of the pipeline's own stages (probe to convert) are summed over its processes.",
        [] if stages else ["results.json tells no seconds of stages."],
    )
    expected = ("seed", "versions", "database", "test", "controls", "stages", "wall_seconds", "targets")
    missing = [f"results.json has no “{key}”." for key in expected if results.get(key) is None]
    missing += dict.fromkeys(what for figure in illustrations.values() for what in figure.missing)
    faces = _faces_by_partition(workspace, rows)
    if not faces:
        missing.append("no subject has a crop yet.")
    template = importlib.resources.files("experiments").joinpath("demo_report.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters["number"] = format_number
    page = environment.from_string(template).render(
        results=results,
        notice=results.get("notice") or workspace.database_facts().get("notice", ""),
        missing=missing,
        rows=result_rows(results),
        steps={name: look_up(results, "test", name, "step") for name in DIMENSIONS},
        database=results.get("database") or {},
        partitions=_partition_counts(results, rows),
        in_two_parts=_subjects_in_two_parts(rows),
        figures=illustrations,
        faces=faces,
        look_up=look_up,
    )
    write_text(demo / "report.html", page)
    return demo / "report.html"


def _partition_counts(results: dict[str, Any], rows: list[dict[str, str]]) -> dict[str, dict[str, Any]]:
    """Entries, subjects and frames by partition, from ``results.json`` or, where it lacks them, ``partition.csv``."""
    told = look_up(results, "database", "partitions")
    if told:
        return told
    counts = {}
    for name in PARTITIONS:
        own = [row for row in rows if row["partition"] == name]
        if own:
            subjects, frames = len({row["subject"] for row in own}), sum(int(row["frames"]) for row in own)
            counts[name] = {"entries": len(own), "subjects": subjects, "frames": frames}
    return counts


def _subjects_in_two_parts(rows: list[dict[str, str]]) -> list[str]:
    """Subjects whom ``partition.csv`` puts into more than one part: there must be none."""
    pairs = sorted({(row["subject"], row["partition"]) for row in rows})
    return sorted({first[0] for first, second in itertools.pairwise(pairs) if first[0] == second[0]})


def _database_figure(workspace: Workspace, rows: list[dict[str, str]]) -> Illustration:
    """The labels' and the sources' distributions."""
    values: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in DIMENSIONS}
    for row in rows:
        if workspace.labels(row["entry"]).exists():
            for label in read_labels(workspace.labels(row["entry"])).values():
                for name in label.keys() & set(DIMENSIONS):
                    values[name][row["partition"]].append(label[name] / 1000)
    labels = {name: {part: np.array(own[part]) for part in PARTITIONS if own.get(part)} for name, own in values.items()}
    panels, missing, caption = [], [], ""
    if labels["valence"]:
        panels = [figures.draw_histogram(name, labels[name]) for name in DIMENSIONS]
        panels.append(figures.draw_density(*(np.concatenate(list(labels[name].values())) for name in DIMENSIONS)))
        caption = "Labels by partition, and where all labelled frames lie in the valence-arousal plane. "
    else:
        missing.append("no entry has both labels and a partition yet.")
    clips: dict[float, list[float]] = defaultdict(list)
    for path in sorted((workspace.root / "clips").glob("*.json")):
        facts = read_json(path)
        clips[round(float(facts["frame_rate"]), 2)].append(float(facts["seconds"]))
    if clips:
        panels.append(figures.draw_lengths(clips))
        number, minutes = sum(map(len, clips.values())), sum(map(sum, clips.values())) / 60
        caption += f"Lengths and frame rates of the {number} source videos, {minutes:.1f} minutes together; "
        caption += "all are brought to 30 frames a second."
    else:
        missing.append("no source video was probed yet.")
    return Illustration(panels, caption, missing)


def _faces_by_partition(workspace: Workspace, rows: list[dict[str, str]]) -> dict[str, list[tuple[str, str | None]]]:
    """Subject and crop (a JPEG as data URI, or None) by partition: the face in the middle of the first entry."""
    faces: dict[str, list[tuple[str, str | None]]] = {name: [] for name in PARTITIONS}
    seen = set()
    for row in rows:
        if (row["subject"], row["partition"]) in seen:
            continue
        seen.add((row["subject"], row["partition"]))
        faces.setdefault(row["partition"], []).append((row["subject"], _middle_crop(workspace, row)))
    found = any(crop for own in faces.values() for _, crop in own)
    return {name: own for name, own in faces.items() if own} if found else {}


def _middle_crop(workspace: Workspace, row: dict[str, str]) -> str | None:
    for face in read_faces(workspace, row["clip"], row["entry"], [0.5], FACE_PIXELS).values():
        return data_uri("jpeg", encode_jpeg(face, 80))
    return None


def _learning_figure(cnn: ModelFolder, model: ModelFolder) -> Illustration:
    """Training losses of both trainings, and the validation CCC of the model's checkpoints."""
    panels, missing = [], []
    for title, folder in (("Pre-trained CNN", cnn), ("Model", model)):
        curves = read_losses(folder)
        if curves:
            panels.append(demo_figures.draw_losses(f"{title}, training", curves))
        else:
            missing.append(f"{folder.root.name}/events/train holds no training losses.")
    evaluations = read_csv(model.evaluations()) if model.evaluations().exists() else []
    if evaluations:
        best = read_json(model.best) if model.best.exists() else {}
        steps = np.array([int(row["step"]) for row in evaluations])
        ccc = {name: np.array([float(row[f"ccc_{name}"]) for row in evaluations]) for name in DIMENSIONS}
        panels.append(demo_figures.draw_validation(steps, ccc, {name: own["step"] for name, own in best.items()}))
    else:
        missing.append("model/evaluations.csv holds no evaluated checkpoint.")
    caption = (
        "Training losses (bold, where there are many: the mean of the last steps), and the validation CCC of every "
    )
    return Illustration(panels, caption + "checkpoint with the best ones ringed.", missing)


def _test_figures(model: ModelFolder, rows: list[dict[str, str]]) -> dict[str, Illustration]:
    """Curves of some test subjects, and all test frames; each dimension as predicted by its own best checkpoint."""
    tested = {name: read_predictions(model, name) for name in DIMENSIONS}
    missing = [f"model/test/{name} holds no predictions of the test part." for name, own in tested.items() if not own]
    scatters = []
    for name, own in tested.items():
        if own:
            predicted, labels = (
                np.concatenate([getattr(p, part) for p in own.values()]) for part in ("predicted", "labels")
            )
            scatters.append(demo_figures.draw_scatter(name, predicted, labels))
    caption = (
        "Predicted and true curves of test subjects, spread evenly from the lowest mean CCC to the highest. Each "
        "dimension is predicted by its own best checkpoint. Jumps are where a new sequence begins."
    )
    return {
        "curves": Illustration(list(_curve_panels(tested, rows)), caption, missing),
        "scatter": Illustration(scatters, "Predicted over true values of all test frames; dashed: equality.", []),
    }


def _curve_panels(tested: dict[str, dict[str, Predictions]], rows: list[dict[str, str]]) -> Iterator[Panel]:
    """Panels of entries spread over the range of CCCs, so that neither good nor bad ones are picked."""
    subjects = {row["entry"]: row["subject"] for row in rows}
    ccc: dict[str, dict[str, float]] = defaultdict(dict)
    for dimension, entries in tested.items():
        for entry, own in entries.items():
            streaming = StreamingCCC(1)
            streaming.update(own.predicted[:, None], own.labels[:, None])
            ccc[entry][dimension] = float(streaming.ccc()[0])
    ordered = sorted(ccc, key=lambda entry: (np.mean(list(ccc[entry].values())), entry))
    shown = np.unique(np.linspace(0, len(ordered) - 1, min(SHOWN_ENTRIES, len(ordered))).round().astype(int))
    for entry in (ordered[index] for index in shown):
        curves = {name: entries[entry] for name, entries in tested.items() if entry in entries}
        yield demo_figures.draw_predictions(subjects.get(entry, entry), curves, ccc[entry])


def _predicted_video(folder: Path) -> Illustration:
    pictures = sorted(folder.glob("*.png"))
    if not pictures:
        return Illustration([], "", ["predictions/ holds no plot of a predicted video."])
    name = pictures[0].stem
    caption = f"What affwildnet.predict says of the video {name}; its table and the video with values drawn in lie in "
    panel = demo_figures.embed_png(pictures[0], f"Predicted valence and arousal over the seconds of the video {name}.")
    return Illustration([panel], caption + "the folder predictions.", [])
