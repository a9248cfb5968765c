"""What the tests of importers share: drawn images, and a way from an import to records read back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_pipeline.engine import process_clip
from data_pipeline.importers import IMPORTERS
from data_pipeline.importers.database import ImportOptions
from data_pipeline.importers.write import ImportReport, import_database
from data_pipeline.manifest import read_manifest
from data_pipeline.partition import PartitionOptions, partition_database
from data_pipeline.stages import STAGES
from tfrecords.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "database").mkdir()
    return tmp_path / "database"


@pytest.fixture
def run_import(workspace: Workspace, folder: Path) -> Callable[..., ImportReport]:
    """``run_import(name, **options)`` imports `folder` into `workspace`."""

    def run(name: str, **chosen: object) -> ImportReport:
        options = ImportOptions(folder=str(folder), **chosen)  # type: ignore[arg-type]
        return import_database(workspace, name, IMPORTERS[name], options)

    return run


@pytest.fixture
def build_records(workspace: Workspace) -> Callable[[], dict[str, dict[int, tuple[float, float]]]]:
    """Runs all stages; entry -> frame -> (valence, arousal) as they stand in the records."""

    def run() -> dict[str, dict[int, tuple[float, float]]]:
        rows = read_manifest(workspace)
        for row in rows:
            outcome = process_clip(workspace, row, {name: stage.options() for name, stage in STAGES.items()})
            assert not outcome.reason, outcome
        partition_database(workspace, rows, PartitionOptions())
        entries = [entry for row in rows for entry in row.entries()]
        return {entry: read_records(workspace.record(entry)) for entry in entries}

    return run


def read_records(path: Path) -> dict[int, tuple[float, float]]:
    import tensorflow as tf

    found = {}
    for data in tf.data.TFRecordDataset(str(path)):
        features = tf.train.Example.FromString(data.numpy()).features.feature
        frame = int(features["frameNo"].bytes_list.value[0].decode().rpartition("/")[2])
        labels = (features[f"label/{name}"].float_list.value[0] for name in ("valence", "arousal"))
        found[frame] = tuple(round(value, 4) for value in labels)
    return found


@pytest.fixture
def draw_image() -> Callable[..., Path]:
    """``draw_image(path, shade, width, height)`` writes a flat picture of that shade, PNG or JPEG by its suffix."""

    def draw(path: Path, shade: int = 128, width: int = 112, height: int = 112) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), np.full((height, width, 3), shade, np.uint8))
        return path

    return draw
