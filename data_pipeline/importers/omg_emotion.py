"""OMG-Emotion: one value of valence and arousal an utterance, in a CSV a partition."""

from __future__ import annotations

import collections
import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data_pipeline.annotations import scale_values
from data_pipeline.importers.database import Database, FoundClip, ImportedClip, ImportOptions, Person
from data_pipeline.importers.frames import frame_times, trace_of_frames
from data_pipeline.importers.videos import find_videos
from tfrecords.errors import InputError
from tfrecords.workspace import read_numbered_csv

NEEDED = ("video", "utterance", "arousal", "valence")
# Its arousal runs from 0, calm, to 1: the whole scale, not its upper half, becomes passive to active.
SCALES = {"valence": (-1, 1), "arousal": (0, 1)}


def _find(folder: Path, options: ImportOptions) -> Iterator[FoundClip]:
    root = Path(options.videos or folder)
    videos = {(path.parent.name, path.stem): path for path in reversed(find_videos(root))}
    for table in sorted(folder.rglob("*.csv")):
        for line, row in read_numbered_csv(table, NEEDED):
            video, utterance = row["video"].strip(), Path(row["utterance"].strip()).stem
            load = functools.partial(_load, table, line, row, root, videos.get((video, utterance)))
            yield FoundClip(f"{video}-{utterance}", load)


def _load(table: Path, line: int, row: dict[str, str], root: Path, video: Path | None) -> ImportedClip:
    if video is None:
        what = f"{row['video']}/{row['utterance']} is not below {root}"
        raise InputError(table, what, "put the clip there, or name the folder with --videos", line)
    counts: collections.Counter[str] = collections.Counter()
    times = frame_times(video)
    traces = {}
    for name, (low, high) in SCALES.items():
        try:
            value = float(row[name])
        except ValueError:
            what = f"column {name!r}: {row[name][:40]!r} is no number"
            raise InputError(table, what, "mend or delete the row", line) from None
        # The value holds for the whole utterance.
        traces[name] = trace_of_frames(times, np.repeat(scale_values([value], low, high), len(times)), counts)
    emotion = row.get("EmotionMaxVote", "").strip()
    notes = f"OMG-Emotion {table.stem}" + (f", EmotionMaxVote {emotion}" if emotion else "")
    # Who speaks is not told; the utterances of one video are mostly one person's.
    return ImportedClip(video, (Person(row["video"].strip(), {"omg_emotion": traces}),), notes, counts=counts)


DATABASE = Database(
    title="OMG-Emotion",
    layout="a CSV with the columns video,utterance,arousal,valence and the clips VIDEO/UTTERANCE.mp4",
    licence="the annotations from their authors, for research; the videos are YouTube's and their makers'",
    citation=(
        "P. Barros, N. Churamani, E. Lakomkin, H. Siqueira, A. Sutherland, S. Wermter: The OMG-Emotion Behavior "
        "Dataset. IJCNN, 2018"
    ),
    find=_find,
)
