"""What the partition weighs of each labelled entry: its people, frames, gender, valence class and label histograms."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import scipy.sparse
import scipy.sparse.csgraph

from data_pipeline.label_files import read_label_values
from data_pipeline.manifest import ManifestRow
from data_pipeline.partition_options import PartitionOptions
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace

CLASSES = ("positive", "negative", "both", "neutral")
GENDER_WORDS = {"m": "male", "man": "male", "male": "male", "f": "female", "woman": "female", "female": "female"}


@dataclasses.dataclass(frozen=True)
class LabelledEntry:
    """One person in one clip; the histograms are frames a bin, int64 (bins,), over [-1, 1].

    Frames without valence and arousal are in no histogram; where no frame has them the means are NaN, the class is ''.
    """

    entry: str
    clip: str
    subject: str
    gender: str  # "male", "female", another word in lower case, or "" where nothing is known
    frames: int
    valence: float  # the mean
    arousal: float
    valence_class: str
    valence_histogram: np.ndarray
    arousal_histogram: np.ndarray


def read_entries(workspace: Workspace, rows: Sequence[ManifestRow], options: PartitionOptions) -> list[LabelledEntry]:
    """The entries that have labels, in the manifest's order.

    Raises:
      InputError: a labelled entry has no subject (naming the manifest's line).
    """
    entries = []
    for row in rows:
        genders = people_words(row.gender, len(row.subjects))
        for person, entry in enumerate(row.entries()):
            if not workspace.labels(entry).exists():
                continue
            if not row.subjects:
                what = f"column 'subjects' is empty for the labelled clip {row.clip}"
                raise InputError(workspace.manifest, what, "name the person, so that nobody enters two parts", row.line)
            _, values = read_label_values(workspace.labels(entry))
            if not len(values):
                raise InputError(workspace.labels(entry), "it labels no frame", "run python -m data_pipeline.match")
            gender = GENDER_WORDS.get(genders[person].lower(), genders[person].lower())
            felt = values[~np.isnan(values).any(axis=1)]
            valence, arousal = (count_bins(felt[:, axis], options.histogram_bins) for axis in (0, 1))
            mean = felt.mean(axis=0) if len(felt) else (np.nan, np.nan)
            entries.append(
                LabelledEntry(
                    entry=entry,
                    clip=row.clip,
                    subject=row.subjects[person],
                    gender=gender,
                    frames=len(values),
                    valence=float(mean[0]),
                    arousal=float(mean[1]),
                    valence_class=valence_class(felt[:, 0], options) if len(felt) else "",
                    valence_histogram=valence,
                    arousal_histogram=arousal,
                )
            )
    return entries


def people_words(text: str, people: int) -> list[str]:
    """The manifest's word on each of a row's people; '' for all where their numbers differ, so that none is guessed."""
    words = text.split()
    people = max(people, 1)
    return words if len(words) == people else [""] * people


def count_bins(values: np.ndarray, bins: int) -> np.ndarray:
    """Frames a bin, int64 (bins,), of labels in [-1, 1]."""
    return np.histogram(values, bins, (-1, 1))[0]


def valence_class(valence: np.ndarray, options: PartitionOptions) -> str:
    """One of `CLASSES` for an entry's valence labels (N,) in [-1, 1].

    Neutral where more than ``neutral_share`` of the frames lie within ±``neutral_band``; else mainly positive or
    negative where at least ``main_share`` of the frames outside that band have that sign; else both.
    """
    positive = int((valence > options.neutral_band).sum())
    negative = int((valence < -options.neutral_band).sum())
    if len(valence) - positive - negative > options.neutral_share * len(valence) or positive + negative == 0:
        return "neutral"
    if positive >= options.main_share * (positive + negative):
        return "positive"
    if negative >= options.main_share * (positive + negative):
        return "negative"
    return "both"


def groups_of_people(subjects: Sequence[str], together: Sequence[Sequence[str]]) -> list[list[int]]:
    """Indices of `subjects` (one an entry) that must stay in one part.

    They are the same person's, or two people's who share a clip: `together` holds each clip's people.
    """
    names = sorted(set(subjects).union(*map(set, together)))
    number = {name: index for index, name in enumerate(names)}
    pairs = [(number[min(both)], number[max(both)]) for both in together if both]
    graph = scipy.sparse.csr_matrix(
        (np.ones(len(pairs)), tuple(np.array(pairs, int).reshape(-1, 2).T)), shape=(len(names), len(names))
    )
    _, component = scipy.sparse.csgraph.connected_components(graph, directed=False)
    groups: dict[int, list[int]] = {}
    for index, subject in enumerate(subjects):
        groups.setdefault(component[number[subject]], []).append(index)
    return list(groups.values())
