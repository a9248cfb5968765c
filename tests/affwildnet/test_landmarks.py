"""68 landmarks from the detector to predictions: stored with the faces, read by the loader, joined by the network."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from affwildnet import test as testing
from affwildnet.export import export_model
from affwildnet.input_spec import InputSpec
from affwildnet.model_folder import ModelFolder
from affwildnet.models import ModelOptions, build_model
from affwildnet.serving import open_model
from affwildnet.train import TrainOptions, TrainRun, train
from affwildnet.video_prediction import predict_video
from data_pipeline.cluster import ClusterOptions
from data_pipeline.detect import DetectOptions
from data_pipeline.detectors import load_detector
from data_pipeline.pipeline import BuildOptions, build
from tfrecords.detections import read_detections
from tfrecords.errors import InputError
from tfrecords.faces import landmarks_in_box
from tfrecords.index import open_partition, open_record, read_frames
from tfrecords.loader import evaluation_dataset
from tfrecords.workspace import Workspace, read_csv, write_csv

OPTIONS = ModelOptions(units=8, attention_length=0, fc=("16",), landmarks_68=True, dropout=0.5)

ONE_WORKER = ClusterOptions(workers=1)


@pytest.fixture(scope="module")
def workspace(demo_workspace, tmp_path_factory):
    """Two clips of the drawn database with landmarks, in the parts train and test."""
    root = tmp_path_factory.mktemp("landmarks")
    rows = [row for row in read_csv(demo_workspace.manifest) if len(row["subjects"].split()) == 1][:2]
    for row in rows:
        row["source"] = str((demo_workspace.root / row["source"]).resolve())
    write_csv(root / "manifest.csv", list(rows[0]), rows)
    shutil.copytree(demo_workspace.annotations, root / "annotations")
    workspace = Workspace(root)
    build(workspace, BuildOptions(), stage_options={"detect": DetectOptions(landmarks_68=True)}, cluster=ONE_WORKER)
    parts = read_csv(workspace.partition)
    for row, part in zip(parts, ("train", "test"), strict=True):
        row["partition"] = part
    write_csv(workspace.partition, list(parts[0]), parts)
    return workspace


@pytest.fixture(scope="module")
def trained(workspace, tmp_path_factory):
    folder = ModelFolder(tmp_path_factory.mktemp("model"))
    chosen = TrainOptions(case="0", weights="none", sequence_length=20, cache_features=True)
    train(folder, workspace, TrainRun(steps=2), OPTIONS, chosen)
    return folder


def test_loader_gives_the_detector_s_landmarks_in_the_box(workspace):
    (file,) = open_partition(workspace, "train")
    rows, facts = read_detections(workspace.detections(file.sidecar.clip))
    assert facts["landmarks_68"] and file.sidecar.landmarks_68
    by_frame = {row["frame"]: row for row in rows}
    batch = next(iter(evaluation_dataset([file], 20, 1, ("valence", "arousal"))))
    given = batch["landmarks_68"].numpy()
    assert given.shape == (1, 20, 136)
    example = tf.train.Example.FromString(read_frames(file, 7, 1)[0])
    box = example.features.feature["box"].float_list.value
    row = by_frame[int(file.frames[7])]
    np.testing.assert_allclose(given[0, 7], landmarks_in_box(row["landmarks_68"], box), atol=1e-6)
    # Between the eyes, in a face that fills its box.
    assert np.abs(given[0, :, 2 * 27]).max() < 0.6


def test_landmarks_in_a_box_reach_from_minus_1_to_1():
    points = np.array([[10, 20], [30, 60], [20, 40]], np.float32)
    np.testing.assert_allclose(landmarks_in_box(points, (10, 20, 20, 40)), [-1, -1, 1, 1, 0, 0])


def test_cached_features_carry_the_landmarks(workspace, trained):
    path = next(workspace.root.glob("features/*/*.tfrecords"))
    (file,) = open_partition(workspace, "train")
    cached = open_record(path)
    assert cached.sidecar.size == build_model(OPTIONS, InputSpec()).backbone.output_shape[-1] + 136
    features = next(iter(evaluation_dataset([cached], 20, 1, ("valence", "arousal"))))["features"].numpy()
    faces = next(iter(evaluation_dataset([file], 20, 1, ("valence", "arousal"))))
    np.testing.assert_allclose(features[..., -136:], faces["landmarks_68"], atol=2e-3)


def test_model_is_tested_exported_and_predicts_with_landmarks(workspace, trained, tmp_path):
    results = testing.test_model(trained, workspace, testing.TestOptions(checkpoints=("latest",)))
    assert results["checkpoints"]["latest"]["frames"] == len(open_partition(workspace, "test")[0].frames)
    assert export_model(trained, tmp_path / "saved", "latest") < 1e-4
    assert "landmarks_68" in (tmp_path / "saved" / "SIGNATURES.md").read_text()
    clip = workspace.clip(read_csv(workspace.partition)[0]["clip"])
    saved, folder = (
        [
            person.values
            for p in predict_video(clip, open_model(path, "latest"), load_detector("fast"))
            for person in p.people
        ]
        for path in (tmp_path / "saved", trained.root)
    )
    assert len(saved) == len(folder) > 100
    np.testing.assert_allclose(saved, folder, atol=1e-5)


def test_records_without_landmarks_are_refused_by_name(workspace, trained, tmp_path):
    bare = tmp_path / "bare"
    shutil.copytree(workspace.root, bare, ignore=shutil.ignore_patterns("features"))
    parts = read_csv(workspace.partition)
    build(Workspace(bare), BuildOptions(), cluster=ONE_WORKER)
    write_csv(bare / "partition.csv", list(parts[0]), parts)
    with pytest.raises(InputError, match=r"hold no landmarks, which this network reads; build .* --landmarks_68"):
        train(
            ModelFolder(tmp_path / "m"),
            Workspace(bare),
            TrainRun(steps=1),
            OPTIONS,
            TrainOptions(case="0", weights="none"),
        )
    with pytest.raises(InputError, match="hold no landmarks, which this model reads"):
        testing.test_model(trained, Workspace(bare), testing.TestOptions(checkpoints=("latest",)))
