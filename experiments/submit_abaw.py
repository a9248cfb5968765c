"""Writes the ABAW challenge's files: ``python -m experiments.submit_abaw --workspace=W --model=M --output=DIR``.

W is a workspace that ``data_pipeline.import_database --from=aff_wild2`` has made; of its labels only the
number is used. A file a person, called as the challenge calls it: the line ``valence,arousal``, then a line for every
frame of the video, those without a face too.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from data_pipeline.manifest import ManifestRow, read_manifest
from experiments.results import DIMENSIONS
from tfrecords import options
from tfrecords.crops import read_crops
from tfrecords.errors import InputError
from tfrecords.faces import resize_face
from tfrecords.options import option
from tfrecords.workspace import Workspace, read_csv, read_json, write_text

if TYPE_CHECKING:
    from affwildnet.serving import LoadedModel

_SIDES = ("_left", "_right")


@dataclasses.dataclass(frozen=True)
class SubmitOptions:
    """Whose predictions of what, and where they go."""

    workspace: str = option("", "workspace of Aff-Wild2")
    model: str = option("", "model folder")
    output: str = option("abaw_submission", "folder of the files")
    checkpoint: str = option(
        "own", "own: each dimension by its best checkpoint on validation; or valence, arousal, total, latest, a step"
    )
    frames: str = option(
        "", "CSV name,frames: frames of each video, where the workspace has no annotation to count them"
    )
    gpu: int = option(0, "GPU, -1 for the CPU")


def official_name(row: ManifestRow, person: int) -> str:
    """What the challenge calls person `person` (from 0) of an imported clip: their folder of images.

    Raises:
      InputError: the clip is of two people, and the second's images are not beside the first's.
    """
    first = Path(row.source)
    if person == 0:
        return first.name
    base = next((first.name.removesuffix(side) for side in _SIDES if first.name.endswith(side)), first.name)
    others = [name for name in (base, f"{base}_right") if name != first.name and (first.parent / name).is_dir()]
    if not others:
        remedy = "put Aff-Wild2's images back where they were imported from"
        raise InputError(first.parent, f"the images of the second person of {row.clip} are not there", remedy)
    return others[-1]


def count_frames(workspace: Workspace, entry: str, name: str, told: Mapping[str, int]) -> int:
    """Frames of the video: as `told` by the challenge's name, else the lines of its imported annotation.

    Raises:
      InputError: neither is there.
    """
    if name in told:
        return told[name]
    path = workspace.annotations / "aff_wild2" / entry / "valence.txt"
    if not path.exists():
        raise InputError(path, f"nothing tells how many frames {name} has", "give --frames=CSV with name,frames")
    return sum(1 for line in path.read_text(encoding="utf-8").splitlines() if line.strip())


def predict_faces(
    workspace: Workspace, row: ManifestRow, entry: str, models: Mapping[str, LoadedModel], length: int
) -> tuple[np.ndarray, np.ndarray]:
    """Frames that show a face, int (N,), and valence and arousal of each, float (N, 2), each by its own of `models`.

    In sequences of `length` from the zero state, as the model was trained, evaluated and tested.
    """
    import tensorflow as tf

    faces = read_csv(workspace.faces(entry), ("frame", "member"))
    values = np.zeros((len(faces), len(DIMENSIONS)))
    with read_crops(workspace.crops(row.clip)) as read:
        for start in range(0, len(faces), length):
            members = [face["member"] for face in faces[start : start + length]]
            for column, name in enumerate(DIMENSIONS):
                model = models[name]
                pictures = np.stack(
                    [resize_face(read(member), model.spec.size, model.spec.resize) for member in members]
                )
                predicted, _ = model.step(tf.constant(pictures[None]), tf.zeros([1, model.state_width]))
                values[start : start + length, column] = predicted[0, :, model.outputs.index(name)]
    return np.array([int(face["frame"]) for face in faces], int), values


def fill_frames(frames: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """Values (count, 2) of every frame from those of `frames` (from 1), within [-1, 1].

    Between frames with a face they go straight from one to the next; before the first and after the last they stay.
    """
    wanted = np.arange(1, count + 1)
    return np.stack([np.interp(wanted, frames, column) for column in np.clip(values, -1, 1).T], axis=1)


def format_submission(values: np.ndarray) -> str:
    return "\n".join([",".join(DIMENSIONS), *(f"{valence:.5f},{arousal:.5f}" for valence, arousal in values)]) + "\n"


def submit(workspace: Workspace, chosen: SubmitOptions, output: Path) -> tuple[int, list[str]]:
    """Writes a file a person; returns how many, and why others could not be."""
    models, length = _open_models(Path(chosen.model), chosen.checkpoint)
    told = (
        {row["name"]: int(row["frames"]) for row in read_csv(chosen.frames, ("name", "frames"))}
        if chosen.frames
        else {}
    )
    written, reasons = 0, []
    for row in tqdm(read_manifest(workspace), unit="clip"):
        for person, entry in enumerate(row.entries()):
            try:
                name = official_name(row, person)
                count = count_frames(workspace, entry, name, told)
                frames, values = predict_faces(workspace, row, entry, models, length)
                if not len(frames):
                    remedy = "write its file by hand"
                    raise InputError(
                        workspace.faces(entry), "no frame shows a face, so there is nothing to predict", remedy
                    )
            except InputError as error:
                reasons.append(str(error))
                continue
            write_text(output / f"{name}.txt", format_submission(fill_frames(frames, values, count)))
            written += 1
    return written, reasons


def _open_models(folder: Path, checkpoint: str) -> tuple[dict[str, LoadedModel], int]:
    from affwildnet.serving import open_model

    which: Sequence[str] = DIMENSIONS if checkpoint == "own" else (checkpoint,) * len(DIMENSIONS)
    opened = {name: open_model(folder, name) for name in dict.fromkeys(which)}
    models = {dimension: opened[name] for dimension, name in zip(DIMENSIONS, which, strict=True)}
    for dimension, model in models.items():
        if dimension not in model.outputs:
            raise InputError(folder, f"the model does not predict {dimension}", "use one that does")
        if model.landmarks_68:
            raise InputError(folder, "the model reads landmarks, which Aff-Wild2's images come without", "use another")
    return models, int(read_json(folder / "model.json")["training"].get("sequence_length", 80))


def main(argv: list[str]) -> int:
    from affwildnet.devices import use_device

    chosen = options.from_flags(SubmitOptions)
    if not chosen.workspace or not chosen.model:
        raise InputError("--workspace and --model", "both are needed", "name the database's and the model's folder")
    print(f"predicting on {use_device(chosen.gpu)}")
    output = Path(chosen.output)
    written, reasons = submit(Workspace(Path(chosen.workspace)), chosen, output)
    for reason in reasons:
        print(f"left out: {reason}", file=sys.stderr)
    print(f"{written} files in {output}")
    return 1 if reasons else 0


def run() -> None:
    options.run_main(main, SubmitOptions)


if __name__ == "__main__":
    run()
