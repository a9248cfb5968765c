"""Action units as coders write them -> the values and names of annotations."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from data_pipeline.annotations import LIMIT, NO_VALUE, Trace
from data_pipeline.importers.frames import trace_of_numbers

MISSING_LABELS = "labels of one dimension that are marked as missing"


def unit_name(number: int) -> str:
    """The dimension of an action unit: ``au01`` for AU1."""
    return f"au{number:02d}"


def share_values(values: Iterable[float], highest: float) -> np.ndarray:
    """Values from 0 to `highest` -> int64 in [0, 1000], in its share; others, and NaN, are `NO_VALUE`."""
    given = np.asarray(list(values), np.float64)
    inside = (given >= 0) & (given <= highest)
    whole = np.rint(LIMIT * np.where(inside, given, 0) / highest).astype(np.int64)
    return np.where(inside, whole, NO_VALUE)


def images_with_labels(
    images: Mapping[int, Path],
    levels: Mapping[str, Mapping[int, float]],
    shift: int,
    counts: collections.Counter[str],
) -> dict[int, Path]:
    """Frame -> image, of those images (by number, which is the frame less `shift`) that any unit of `levels` tells of.

    Images without a label, and labels without an image, are counted.
    """
    labelled = {frame for own in levels.values() for frame in own}
    there = {number + shift: image for number, image in images.items() if number + shift in labelled}
    counts["images without a label"] += len(images) - len(there)
    counts["labels without an image"] += len(labelled) - len(there)
    return there


def traces_of_images(
    frames: list[int], levels: Mapping[str, Mapping[int, float]], highest: float, counts: collections.Counter[str]
) -> dict[str, Trace]:
    """The annotations of a clip of images: unit -> trace over `frames`, from unit -> frame -> 0 to `highest`.

    What a frame lacks, or has off this scale, is marked invalid and counted.
    """
    traces = {}
    for unit, own in levels.items():
        values = share_values((own.get(frame, float("nan")) for frame in frames), highest)
        counts[MISSING_LABELS] += int(np.sum(values == NO_VALUE))
        traces[unit] = trace_of_numbers(frames, values, collections.Counter())
    return traces
