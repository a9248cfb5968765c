"""Case 0 from cached features against the CNN in every step: ``python -m benchmarks.case0``.

Both train the same model on the same faces in the same order; an epoch's time is measured in turn, round by round, with
the features already cached (what caching takes is printed beside). The last line is one JSON object, in which both
networks say which targets they `met`.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from affwildnet.cached_features import cache_features
from affwildnet.cases import CASES, learning_rate, trained_variables
from affwildnet.input_spec import InputSpec
from affwildnet.models import AffWildNet, ModelOptions, build_model
from affwildnet.optimizer import make_optimizer
from affwildnet.train_step import StepOptions, make_train_step
from tfrecords import options
from tfrecords.convert import RESIZE
from tfrecords.index import RecordFile, open_record
from tfrecords.loader import training_dataset
from tfrecords.options import option
from tfrecords.record_file import write_records
from tfrecords.schema import encode_example, encode_face
from tfrecords.sidecar import Sidecar, write_sidecar
from tfrecords.workspace import Workspace

# The least ratio and the greatest difference between the losses that the project holds itself to.
RATIO, LOSS_DIFFERENCE = 8.0, 1e-3
OUTPUTS = ("valence", "arousal")


@dataclasses.dataclass(frozen=True)
class Case0Benchmark:
    """The size of the comparison."""

    backbone: str = option("vggface", "CNN")
    clips: int = option(2, "clips of random faces", at_least=1)
    frames: int = option(160, "frames a clip", at_least=80)
    rounds: int = option(2, "epochs of each", at_least=1)


def write_clips(workspace: Workspace, chosen: Case0Benchmark) -> list[RecordFile]:
    """Records of random faces; what they show does not change how long they take."""
    files = []
    generator = np.random.default_rng(0)
    for number in range(chosen.clips):
        path = workspace.record(f"clip{number}")
        offsets, digest = write_records(path, _random_examples(number, chosen.frames, generator))
        sidecar = Sidecar(
            entry=f"clip{number}",
            clip=f"clip{number}",
            subject=f"s{number}",
            profile="face",
            encoding="jpeg",
            size=96,
            resize=RESIZE,
            crop_margin=0.0,
            colour_order="rgb",
            frame_rate=30,
            detector="none",
            labels=OUTPUTS,
            synthetic=True,
            frames=tuple(range(1, chosen.frames + 1)),
            offsets=offsets,
            ranges={name: (-1.0, 1.0) for name in OUTPUTS},
            gaps=0,
            sha256=digest,
        )
        write_sidecar(path, sidecar)
        files.append(open_record(path))
    return files


def _random_examples(clip: int, frames: int, generator: np.random.Generator) -> Iterator[bytes]:
    for frame in range(1, frames + 1):
        face = generator.integers(0, 256, (96, 96, 3), np.uint8)
        labels = dict(zip(OUTPUTS, generator.integers(-1000, 1001, 2).tolist(), strict=True))
        landmarks = np.zeros((6, 2), np.float32)
        yield encode_example(f"clip{clip}/{frame:05d}", encode_face(face, "jpeg"), labels, [0, 0, 9, 9], 1.0, landmarks)


def epoch(
    model: AffWildNet, files: list[RecordFile], case: str, original_batch_norm: bool = False
) -> Callable[[], tuple[float, list[float]]]:
    """A function that trains one epoch and returns its seconds and losses; compiled before it is first timed."""
    variables = trained_variables(model, CASES[case])
    optimizer = make_optimizer(learning_rate(case, model.options), variables)
    step = make_train_step(
        model, variables, optimizer, CASES[case], StepOptions(original_batch_norm=original_batch_norm)
    )
    steps = sum(len(file.frames) // 80 for file in files) // 2
    batches = lambda: training_dataset(files, 80, 2, 1, OUTPUTS).take(max(1, steps))  # noqa: E731
    initial = [variable.numpy() for variable in variables]
    for batch in batches().take(1):
        step(batch)
    for variable, value in zip(variables, initial, strict=True):
        variable.assign(value)
    for slot in (*optimizer.first_moments, *optimizer.second_moments, optimizer.iterations):
        slot.assign(tf.zeros_like(slot))

    def run() -> tuple[float, list[float]]:
        start = time.perf_counter()
        losses = [float(step(batch).losses["total"]) for batch in batches()]
        return time.perf_counter() - start, losses

    return run


def main(argv: list[str]) -> int:
    chosen = options.from_flags(Case0Benchmark)
    results: dict[str, dict[str, float | dict[str, bool]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        files = write_clips(workspace, chosen)
        for name, attention in (("gru", 0), ("gru_attention", 30)):
            model_options = ModelOptions(backbone=chosen.backbone, cell="gru", attention_length=attention)
            models = []
            for _ in range(2):
                tf.keras.utils.set_random_seed(1)
                models.append(build_model(model_options, InputSpec()))
            start = time.perf_counter()
            cached = cache_features(workspace, files, models[1])
            caching = time.perf_counter() - start
            recomputed, from_cache = epoch(models[0], files, "0"), epoch(models[1], cached, "0")
            seconds: dict[str, list[float]] = {"recomputed": [], "cached": []}
            difference = 0.0
            for _ in range(chosen.rounds):
                slow, losses = recomputed()
                quick, other = from_cache()
                seconds["recomputed"].append(slow)
                seconds["cached"].append(quick)
                difference = max(difference, float(np.abs(np.array(losses) - np.array(other)).max()))
            slow, quick = (float(np.median(values)) for values in seconds.values())
            results[name] = {
                "epoch_recomputed_s": slow,
                "epoch_cached_s": quick,
                "ratio": slow / quick,
                "caching_s": caching,
                "loss_difference": difference,
                "met": {"ratio": slow / quick >= RATIO, "loss_difference": difference <= LOSS_DIFFERENCE},
            }
            print(f"{name}: epoch {slow:.2f} s recomputed, {quick:.2f} s cached, {slow / quick:.1f} times as fast")
            print(f"  caching once {caching:.1f} s; losses differ by at most {difference:.1e}")
    print(json.dumps(results))
    return 0


if __name__ == "__main__":
    options.run_main(main, Case0Benchmark)
