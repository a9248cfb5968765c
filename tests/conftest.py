"""Settings that hold for all tests."""

from __future__ import annotations

import gc
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

# Before anything imports TensorFlow: see tfrecords/__init__.py.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tfrecords.workspace import Workspace

# The machine may be busy with other work; how long an example takes says nothing.
# CI repeats the same examples, so that it fails for what a change did; people's machines look for new ones.
settings.register_profile("affwildnet", deadline=None, max_examples=50, derandomize="CI" in os.environ)
settings.load_profile("affwildnet")

# TensorFlow's modules and the graphs of earlier tests are some hundred thousand objects, which live on: looking through
# them again and again takes a twentieth of the suite's time.
gc.set_threshold(50_000, 20, 20)

GOLDEN_DIR = Path(os.environ.get("GOLDEN_DIR", Path(__file__).parent / "data" / "golden"))


@pytest.fixture
def golden_dir() -> Path:
    """The folder of golden vectors: what GOLDEN_DIR names, else tests/data/golden."""
    return GOLDEN_DIR


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with the argument `golden_cell_file` runs once for every cell's golden file of the folder.

    With `golden_lstm_file`, once for each of the LSTM's.
    """
    for argument, pattern in [("golden_cell_file", "*_T*_attn*.npz"), ("golden_lstm_file", "lstm_T*_attn*.npz")]:
        if argument in metafunc.fixturenames:
            files = sorted(GOLDEN_DIR.glob(pattern))
            metafunc.parametrize(argument, files, ids=[file.stem for file in files])


MEDIA_DIR = Path(__file__).parents[2] / "shared" / "media"


@pytest.fixture(scope="session")
def media() -> Callable[[str], Path]:
    """``media(name)`` is the real clip or picture of that name beside the project; where absent, the test skips."""

    def find(name: str) -> Path:
        path = MEDIA_DIR / name
        if not path.exists():
            pytest.skip(f"{name} is not in {MEDIA_DIR}: real clips are no part of the project")
        return path

    return find


@pytest.fixture(scope="session")
def make_video() -> Callable[..., Path]:
    """``make_video(path, seconds, rate, size, *output_arguments)`` draws ffmpeg's test picture with a tone."""
    import imageio_ffmpeg

    def make(path: Path, seconds: float = 1.0, rate: float = 30, size: str = "64x48", *arguments: str) -> Path:
        picture = ("-f", "lavfi", "-i", f"testsrc=duration={seconds}:rate={rate}:size={size}")
        sound = ("-f", "lavfi", "-i", f"sine=duration={seconds}")
        codec = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv444p")
        command = [
            imageio_ffmpeg.get_ffmpeg_exe(),
            "-v",
            "error",
            "-y",
            *picture,
            *sound,
            *codec,
            *arguments,
            str(path),
        ]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        return path

    return make


@pytest.fixture(scope="session")
def demo_workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Three drawn clips of 4 s with four people, built up to records; one entry or two a part. Do not change it."""
    from data_pipeline.demo_faces import DemoFacesOptions, write_demo_database
    from data_pipeline.engine import process_clip
    from data_pipeline.manifest import read_manifest
    from data_pipeline.partition import PartitionOptions, partition_database
    from data_pipeline.stages import STAGES
    from tfrecords.workspace import Workspace

    workspace = Workspace(tmp_path_factory.mktemp("demo"))
    options = DemoFacesOptions(subjects=4, two_person_clips=1, min_seconds=4.0, max_seconds=4.0, workers=1)
    write_demo_database(workspace, options)
    rows = read_manifest(workspace)
    stages = {name: stage.options() for name, stage in STAGES.items()}
    for row in rows:
        outcome = process_clip(workspace, row, stages)
        assert not outcome.reason, outcome
    partition_database(workspace, rows, PartitionOptions(("0.5", "0.25", "0.25")))
    return workspace
