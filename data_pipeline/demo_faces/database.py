"""Writes the demo database into a workspace: videos, annotations, truth, manifest."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import multiprocessing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from data_pipeline import manifest
from data_pipeline.annotations import LIMIT, Trace, write_trace
from data_pipeline.decode import FRAME_RATE
from data_pipeline.demo_faces.action_units import UNITS, unit_intensities
from data_pipeline.demo_faces.clips import Clip, Performance, perform, plan_clips
from data_pipeline.demo_faces.trajectories import Curve
from data_pipeline.demo_faces.video import TRUTH_COLUMNS, frames, make_puppets, truth_rows, write_video
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import Workspace, atomic_path, read_json, write_csv, write_json, write_text

GENERATOR_VERSION = 2  # 2: the action units' annotations
_NAME = "AffWildNet demo"
_NOTICE = (
    "Synthetic: every face is one public-domain portrait (NASA's Eileen Collins, from scikit-image), warped and "
    "recoloured; valence and arousal are random curves. It shows that the software works and says nothing about people."
)


@dataclasses.dataclass(frozen=True)
class DemoFacesOptions:
    """What the demo database holds."""

    subjects: int = option(80, "How many subjects to make; each appears in one clip.")
    two_person_clips: int = option(2, "How many of the clips hold two people.")
    min_seconds: float = option(6.0, "The shortest clip's seconds.")
    max_seconds: float = option(12.0, "The longest clip's seconds.")
    seed: int = option(1, "The same seed makes the same database.")
    workers: int = option(2, "How many clips to make at once; has no influence on what is made.")


def write_demo_database(workspace: Workspace, options: DemoFacesOptions) -> None:
    """Makes the clips that are not there yet, then the manifest, which stands only if all clips do.

    Raises:
      InputError: the options make no database, or the folder holds another one.
    """
    _check(options)
    facts = _facts(options)
    _check_folder(workspace, facts)
    write_json(workspace.database, facts)
    clips = plan_clips(
        options.seed, options.subjects, options.two_person_clips, options.min_seconds, options.max_seconds
    )
    missing = [clip for clip in clips if not source_path(workspace, clip).exists()]
    with tqdm(total=len(clips), initial=len(clips) - len(missing), desc="demo faces", unit="clip") as progress:
        if options.workers <= 1 or len(missing) <= 1:
            for clip in missing:
                write_clip(workspace.root, clip)
                progress.update()
        else:
            _write_in_parallel(workspace, missing, options.workers, progress)
    write_csv(workspace.manifest, manifest.COLUMNS, [_manifest_row(clip) for clip in clips])


def source_path(workspace: Workspace, clip: Clip) -> Path:
    """Where the clip's video goes."""
    return workspace.sources / f"{clip.index}.mp4"


def write_clip(root: Path, clip: Clip) -> None:
    """Writes one clip: annotations and truth first, so that a finished video says that all is there."""
    cv2.setNumThreads(1)
    workspace = Workspace(root)
    # One generator a purpose: what annotators do must not change what is drawn.
    acting, drawing, annotating = (np.random.default_rng([clip.seed, 1, clip.index, k]) for k in range(3))
    performances = perform(clip, acting)
    for entry, performance in zip(clip.entries, performances, strict=True):
        _write_annotations(workspace, clip, entry, performance, annotating)
        _write_action_units(workspace, clip, entry, performance)
    puppets = make_puppets(performances)
    write_csv(workspace.root / "truth" / f"{clip.name}.csv", TRUTH_COLUMNS, truth_rows(clip, performances, puppets))
    with atomic_path(source_path(workspace, clip)) as temporary:
        write_video(temporary, frames(clip, performances, puppets, drawing), clip.fps)


def _write_in_parallel(workspace: Workspace, clips: Sequence[Clip], workers: int, progress: Any) -> None:
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context) as pool:
        # The longest first, so that no worker is left alone with one at the end.
        ordered = sorted(clips, key=lambda clip: -clip.frames * len(clip.subjects))
        pending = [pool.submit(write_clip, workspace.root, clip) for clip in ordered]
        try:
            for future in concurrent.futures.as_completed(pending):
                future.result()
                progress.update()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _write_annotations(
    workspace: Workspace, clip: Clip, entry: str, performance: Performance, rng: np.random.Generator
) -> None:
    folder = workspace.annotations / "demo" / entry
    for dimension, curve in (("valence", performance.valence), ("arousal", performance.arousal)):
        write_text(folder / f"{dimension}.txt", _joystick(curve, clip.duration, 4, rng))
        if clip.earlier_pass:
            write_text(folder / f"{dimension}.1.txt", _joystick(curve, clip.duration, 90, rng))


def _write_action_units(workspace: Workspace, clip: Clip, entry: str, performance: Performance) -> None:
    """Each frame's intensities, as coders give them: exact, a value a frame, in thousandths."""
    values = np.rint(LIMIT * unit_intensities(performance.levels).astype(np.float64)).astype(np.int64)
    # Frame n of the clip is at n / 30 s, so the first picture is at 1 / 30 s, see importers.frames.
    stamps = clip.frame_seconds() + 1 / FRAME_RATE
    for unit, column in zip(UNITS, values.T, strict=True):
        write_trace(workspace.annotations / "demo" / entry / f"{unit}.txt", Trace(stamps, column))


def _joystick(curve: Curve, duration: float, jitter: float, rng: np.random.Generator) -> str:
    """Lines ``seconds value`` as a joystick tool writes them; `jitter` in thousandths, of a hand that drifts."""
    gaps = rng.uniform(0.010, 0.040, int(duration / 0.010) + 2)
    stamps: NDArray[np.float64] = np.cumsum(gaps).round(3)
    stamps = stamps[stamps <= duration]
    drift = _hand(len(stamps), jitter, rng)
    values = np.clip(np.round(1000 * curve(stamps) + drift), -1000, 1000).astype(int)
    return "".join(f"{second:.3f} {value}\n" for second, value in zip(stamps, values, strict=True))


def _hand(count: int, jitter: float, rng: np.random.Generator) -> NDArray[np.float64]:
    window = np.ones(15) / np.sqrt(15)
    return jitter * np.convolve(rng.normal(size=count + 14), window, mode="valid")


def _manifest_row(clip: Clip) -> dict[str, str]:
    return {
        "clip": clip.name,
        "source": f"sources/{clip.index}.mp4",
        "subjects": " ".join(f"s{number:03d}" for number in clip.subjects),
        "notes": clip.notes,
    }


def _facts(options: DemoFacesOptions) -> dict[str, Any]:
    return {
        "name": _NAME,
        "synthetic": True,
        "notice": _NOTICE,
        "seed": options.seed,
        "subjects": options.subjects,
        "two_person_clips": options.two_person_clips,
        "min_seconds": options.min_seconds,
        "max_seconds": options.max_seconds,
        "generator_version": GENERATOR_VERSION,
    }


def _check(options: DemoFacesOptions) -> None:
    if options.two_person_clips < 0 or options.subjects < max(1, 2 * options.two_person_clips):
        what = f"{options.subjects} subjects cannot fill {options.two_person_clips} clips of two people"
        raise InputError("--subjects", what, "ask for at least two subjects for each such clip")
    if not 1.0 <= options.min_seconds <= options.max_seconds:
        what = f"clips of {options.min_seconds} to {options.max_seconds} seconds cannot be made"
        raise InputError("--min_seconds", what, "give 1 <= min_seconds <= max_seconds")
    if options.seed < 0:
        raise InputError("--seed", f"{options.seed} is negative", "give 0 or more")


def _check_folder(workspace: Workspace, facts: dict[str, Any]) -> None:
    remedy = "give an empty folder as --workspace"
    if workspace.database.exists():
        found = read_json(workspace.database)
        changed = [key for key in facts if not isinstance(found, dict) or found.get(key) != facts[key]]
        if changed:
            what = f"the folder holds another database ({', '.join(changed)} differ)"
            raise InputError(workspace.database, what, remedy)
    elif workspace.manifest.exists():
        raise InputError(workspace.manifest, "the folder holds a database already", remedy)
