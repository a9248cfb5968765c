"""The statistics' page, which needs nothing but itself, and the files beside it."""

from __future__ import annotations

import dataclasses
import importlib.resources
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd

from data_pipeline.statistics import figures, tables
from data_pipeline.statistics.collect import Database
from data_pipeline.statistics.drawing import Panel, save_panel, shown_inches
from data_pipeline.statistics.faces import read_faces, subject_tile
from tfrecords.options import option
from tfrecords.workspace import Workspace, read_csv, read_json, write_text

DIMENSIONS = ("valence", "arousal")
STRIP_FACES = 8
FACE_PIXELS = 112
TILES_A_MONTAGE = 80
# More would make the page too heavy to open; all montages lie beside it.
MONTAGES_ON_PAGE = 5
ROWS_ON_PAGE = 200


@dataclasses.dataclass(frozen=True)
class StatisticsOptions:
    """What the statistics show."""

    thin_bins: int = option(10, "squares a side of the valence-arousal plane, looked at for too few frames", at_least=1)
    thin_share: float = option(
        0.001, "a square is thin with less than this share of all labelled frames", at_least=0, at_most=1
    )
    strip_entry: str = option("", "entry whose faces stand over its curves; by default the one that moves most")


@dataclasses.dataclass(frozen=True)
class TableShown:
    """A table with the name of its CSV and what it says."""

    name: str
    title: str
    table: pd.DataFrame

    @property
    def wide(self) -> bool:
        """Whether it needs the page's whole width."""
        return len(self.table.columns) > 6

    def cells(self) -> list[list[str]]:
        """The first `ROWS_ON_PAGE` rows as they are shown."""
        return [[_show(value) for value in row] for row in self.table.head(ROWS_ON_PAGE).itertuples(index=False)]


@dataclasses.dataclass(frozen=True)
class FigureShown:
    """Pictures with the names of their PNGs, and a caption."""

    title: str
    caption: str
    panels: dict[str, Panel]


def write_statistics(workspace: Workspace, database: Database, chosen: StatisticsOptions) -> Path:
    """Writes tables (CSV), figures (PNG) and ``index.html`` into ``statistics/``; returns the page's path.

    What an earlier run left there and this one does not write is removed, so that nobody stays in an old picture.
    """
    folder = workspace.root / "statistics"
    shown, missing = _make_tables(workspace, database), []
    illustrations = _draw_labels(database, chosen, shown)
    if not illustrations:
        what = "has valence and arousal" if database.labels else "is labelled yet"
        missing.append(f"no entry {what}, so there are no distributions and no curves")
    illustrations += _draw_sources(database)
    illustrations += _draw_strip(workspace, database, chosen)
    montages = _draw_montages(workspace, database)
    if not workspace.partition.exists():
        missing.append("there is no partition yet")
    if not (database.entries["gender"] != "").any():
        missing.append("the manifest tells no gender")
    written = {f"{one.name}.csv" for one in shown} | {"index.html"}
    for one in shown:
        text = io.StringIO()
        one.table.to_csv(text, index=False, lineterminator="\n")
        write_text(folder / f"{one.name}.csv", text.getvalue())
    for figure in [*illustrations, *montages]:
        for name, panel in figure.panels.items():
            save_panel(panel, folder / f"{name}.png")
            written.add(f"{name}.png")
    template = importlib.resources.files("data_pipeline.statistics").joinpath("statistics.html.j2")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    page = environment.from_string(template.read_text(encoding="utf-8")).render(
        facts=database.facts,
        tables=shown,
        figures=illustrations,
        montages=montages[:MONTAGES_ON_PAGE],
        montages_left_out=len(montages[MONTAGES_ON_PAGE:]),
        missing=missing,
        rows_on_page=ROWS_ON_PAGE,
        inches=shown_inches,
    )
    write_text(folder / "index.html", page)
    for old in folder.iterdir():
        if old.is_file() and old.name not in written:
            old.unlink()
    return folder / "index.html"


def _show(value: Any) -> str:
    if pd.isna(value):
        return "–"
    return f"{value:,}" if isinstance(value, (int, np.integer)) else str(value)


def _make_tables(workspace: Workspace, database: Database) -> list[TableShown]:
    shown = [
        TableShown("table_3_8_attributes", "The database (thesis, table 3.8)", tables.attributes(database)),
        TableShown("table_3_2_frame_rates", "Frame rates of the sources (3.2)", tables.frame_rates(database)),
        TableShown("table_3_5_classes", "Entries by valence class and part (3.5)", tables.valence_classes(database)),
        TableShown("table_3_6_frames", "Labelled frames by part (3.6)", tables.frames_by_part(database)),
        TableShown("table_3_7_genders", "Entries by gender and part (3.7)", tables.genders(database)),
        TableShown("demographics", "Subjects by gender, age and ethnicity, as told", tables.demographics(database)),
        TableShown("dropped_frames", "Frames without a label by reason", tables.dropped_frames(database)),
        TableShown("dropped_by_entry", "The same of each entry", tables.dropped_by_entry(database)),
    ]
    further = tables.further_labels(database)
    if len(further):
        shown.append(TableShown("further_labels", "Further labels: frames and mean by part", further))
    agreement = workspace.root / "agreement.csv"
    if agreement.exists():
        table = pd.DataFrame(read_csv(agreement))
        shown.append(TableShown("agreement", "Agreement of the annotators", table))
    reached = workspace.partition.with_suffix(".json")
    if reached.exists():
        rows = [
            {"criterion": name, "distance": own["distance"]} for name, own in read_json(reached)["criteria"].items()
        ]
        shown.append(TableShown("partition_distances", "How far the partition is from its targets", pd.DataFrame(rows)))
    return shown


def _draw_labels(database: Database, chosen: StatisticsOptions, shown: list[TableShown]) -> list[FigureShown]:
    """Histograms and density; adds the table of thin squares to `shown`."""
    parts = database.labels_by_part()
    if not parts:
        return []
    every = np.concatenate(list(parts.values()))
    thin, counts, below = tables.thin_regions(every, chosen.thin_bins, chosen.thin_share)
    shown.append(TableShown("thin_regions", f"Squares with fewer than {below:,} frames", thin))
    by_part = {
        f"figure_3_16_{name}": figures.draw_histogram(
            name, {part: values[:, axis] for part, values in parts.items()}, kind="png"
        )
        for axis, name in enumerate(DIMENSIONS)
    }
    whole = {
        f"figure_3_17_{name}": figures.draw_histogram(name, {"all parts": every[:, axis]}, kind="png")
        for axis, name in enumerate(DIMENSIONS)
    }
    plane = {
        "figure_3_17_density": figures.draw_density(every[:, 0], every[:, 1], kind="png"),
        "thin_regions": figures.draw_thin_regions(counts, below),
    }
    caption = "Where frames are, and where videos are still missing: look for such expressions next."
    return [
        FigureShown("Labels by part (figure 3.16)", "Each part's own frames are 100 %.", by_part),
        FigureShown("All labels (figure 3.17)", f"{len(every):,} labelled frames.", whole),
        FigureShown("The valence-arousal plane (figure 3.17) and its thin regions", caption, plane),
    ]


def _draw_sources(database: Database) -> list[FigureShown]:
    known = database.clips.dropna(subset=["frame_rate", "seconds"])
    if known.empty:
        return []
    rates = known["frame_rate"].astype(float).round(2)
    clips: Mapping[float, list[float]] = {
        float(rate): own["seconds"].astype(float).tolist() for rate, own in known.groupby(rates)
    }
    panel = figures.draw_lengths(clips, kind="png")
    return [FigureShown("Lengths of the sources", f"{len(known):,} videos by frame rate.", {"lengths": panel})]


def _draw_strip(workspace: Workspace, database: Database, chosen: StatisticsOptions) -> list[FigureShown]:
    """Figure 3.2 of the entry asked for, or the one whose labels spread most and whose faces can be shown."""
    felt = database.felt()
    spread = {entry: float(values.std(axis=0).sum()) for entry, (_, values) in felt.items()}
    entries = [chosen.strip_entry] if chosen.strip_entry else sorted(spread, key=lambda entry: -spread[entry])[:5]
    clips = dict(zip(database.entries["entry"], database.entries["clip"], strict=True))
    for entry in entries:
        if entry not in felt:
            continue
        places = np.linspace(0.02, 0.98, STRIP_FACES).tolist()
        faces = read_faces(workspace, clips[entry], entry, places, FACE_PIXELS)
        frames, values = felt[entry]
        faces = {frame: face for frame, face in faces.items() if frame in set(frames.tolist())}
        if faces:
            panel = figures.draw_strip(entry, frames, values, faces)
            caption = "Faces at the lettered moments, with their labels in [-1000, 1000]."
            return [FigureShown("An entry's faces and curves (figure 3.2)", caption, {"figure_3_2_strip": panel})]
    return []


def _draw_montages(workspace: Workspace, database: Database) -> list[FigureShown]:
    """A face of every subject: a subject with two people's faces, or a person twice, has a wrong id."""
    named = database.entries[database.entries["subject"] != ""]
    people = [(str(subject), own) for subject, own in named.groupby("subject", sort=True)]
    montages = []
    for number, start in enumerate(range(0, len(people), TILES_A_MONTAGE), start=1):
        tiles = []
        for subject, own in people[start : start + TILES_A_MONTAGE]:
            pairs = list(zip(own["clip"], own["entry"], strict=True))
            tiles.append((subject, own["entry"].tolist(), subject_tile(workspace, pairs, FACE_PIXELS)))
        caption = (
            f"{tiles[0][0]} to {tiles[-1][0]}. Up to four of a subject's entries share a tile: they must be one person."
        )
        panel = figures.draw_montage(tiles, FACE_PIXELS)
        montages.append(FigureShown(f"Subjects {number}", caption, {f"subjects_{number}": panel}))
    return montages
