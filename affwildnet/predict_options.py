"""What a prediction uses and leaves, and how it is done."""

from __future__ import annotations

import dataclasses

from affwildnet.prediction_formats import FORMATS
from affwildnet.prediction_rows import RATE_METHODS
from affwildnet.video_prediction import BATCH_FACES
from data_pipeline.detectors import DETECTORS
from tfrecords.errors import InputError
from tfrecords.options import option


@dataclasses.dataclass(frozen=True)
class PredictOptions:
    """Options of `affwildnet.predict`."""

    model: str = option("", "model folder, or folder of an exported SavedModel")
    checkpoint: str = option("total", "checkpoint of a model folder: valence, arousal, total, latest or a step")
    output: str = option("predictions", "folder for what is written, files named after the videos")
    formats: tuple[str, ...] = option(("csv", "plot", "overlay"), f"what is written: {', '.join(FORMATS)}")
    rate: float = option(0.0, "rows a second of tables; 0: one a frame of the model's rate, 30", at_least=0)
    rate_method: str = option("mean", "a row at --rate is the mean of its frames or the nearest one", RATE_METHODS)
    tier_seconds: float = option(1.0, "longest annotation of ELAN's and Anvil's tiers, whose value is its mean")
    workspace: str = option("", "workspace whose clips are predicted where no video is named")
    stored_faces: bool = option(
        True, "take faces and people of a workspace's clips as they are stored there; --nostored_faces finds them anew"
    )
    detector: str = option("fast", "face detector", choices=sorted(DETECTORS))
    min_score: float | None = option(
        None, "detections less certain than this are dropped, 0 to 1; the detector's own", at_least=0, at_most=1
    )
    yunet_model: str = option("", "ONNX file of the detector yunet")
    batch_faces: int = option(BATCH_FACES, "faces that go through the network at once; a GPU takes more", at_least=1)
    gpu: int = option(0, "GPU of each process, -1 for the CPU")


@dataclasses.dataclass(frozen=True)
class LiveOptions:
    """Options of live video."""

    live: bool = option(
        False, "show the one source as it plays, on a page of this machine; frames too late are left out"
    )
    port: int = option(8790, "port of the page; 0: any that is free", at_least=0, at_most=65535)
    seconds: float = option(0.0, "end a stream, camera or live view after so many seconds; 0: never", at_least=0)


def check_options(chosen: PredictOptions) -> None:
    """Raises `InputError` for values that no flag's type can refuse."""
    for name in chosen.formats:
        if name not in FORMATS:
            raise InputError("--formats", f"{name!r} is no format", f"choose of {', '.join(FORMATS)}")
    if not chosen.formats:
        raise InputError("--formats", "no format is named", f"choose of {', '.join(FORMATS)}")
    if chosen.tier_seconds <= 0:
        raise InputError("--tier_seconds", f"{chosen.tier_seconds:g} is no length", "write a number above 0")
