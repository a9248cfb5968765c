"""The formats of a prediction by name. A new one is one function and one entry here."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from affwildnet.prediction_files import PredictedVideo, write_parquet, write_rows
from affwildnet.prediction_pictures import plot_curves, write_overlay
from affwildnet.prediction_tiers import write_anvil, write_elan


@dataclasses.dataclass(frozen=True)
class Format:
    """What its files' names end with after the video's, and what writes them: (video, a path each)."""

    suffixes: tuple[str, ...]
    write: Callable[..., None]


FORMATS: dict[str, Format] = {
    "csv": Format((".csv",), write_rows),
    "parquet": Format((".parquet",), write_parquet),
    "elan": Format((".eaf",), write_elan),
    "anvil": Format((".anvil", "-anvil-specification.xml"), write_anvil),
    "plot": Format((".png",), plot_curves),
    "overlay": Format(("-affect.mp4",), write_overlay),
}
# The last to be written: what was predicted, how and from what.
SIDECAR = ".json"


def format_files(output: Path, name: str, formats: tuple[str, ...]) -> list[Path]:
    """The files that these formats of the video `name` have in the folder `output`."""
    return [output / f"{name}{suffix}" for chosen in formats for suffix in FORMATS[chosen].suffixes]


def write_formats(video: PredictedVideo, output: Path, name: str, formats: tuple[str, ...]) -> list[Path]:
    """Writes the files of `formats` and returns their paths."""
    for chosen in formats:
        FORMATS[chosen].write(video, *format_files(output, name, (chosen,)))
    return format_files(output, name, formats)
