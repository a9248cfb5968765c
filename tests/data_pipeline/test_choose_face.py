from pathlib import Path

import numpy as np
import pytest

from data_pipeline.choose_face import COLUMNS, FilterOptions, choose_faces
from data_pipeline.manifest import ManifestRow
from tfrecords.crops import encode_jpeg, member_name, write_crops
from tfrecords.detections import write_detections
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, read_csv

RED, BLUE, GREEN = (200, 20, 20), (20, 20, 200), (20, 200, 20)
ONE = ManifestRow("clip", Path("clip.mp4"), ("s1",))
TWO = ManifestRow("clip", Path("clip.mp4"), ("s1", "s2"))


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path)


def _detect(workspace, frames):
    """Detections from {frame: [(x, colour), …]}, the most certain first."""
    rows = []
    with write_crops(workspace.crops("clip")) as write:
        for frame, found in frames.items():
            for face, (x, colour) in enumerate(found):
                member = member_name(frame, face, len(found))
                write(member, encode_jpeg(np.full((30, 20, 3), colour, np.uint8), 95))
                box = {"x": x, "y": 5.0, "width": 20.0, "height": 30.0, "score": 0.9 - face / 10}
                rows.append({"frame": frame, "face": face, "member": member, "landmarks": [0.0] * 12, **box})
    write_detections(workspace.detections("clip"), rows, {"frames": 10})


def _chosen(workspace, entry):
    return {int(row["frame"]): float(row["x"]) for row in read_csv(workspace.faces(entry), COLUMNS)}


def test_frames_without_the_person_have_no_row(workspace):
    _detect(workspace, {2: [(10, RED)], 3: [(11, RED)], 5: [(80, GREEN)], 6: [(80, GREEN), (13, RED)]})
    choose_faces(workspace, ONE, FilterOptions())
    assert _chosen(workspace, "clip") == {2: 10, 3: 11, 6: 13}


def test_row_names_box_score_member_and_distance(workspace):
    _detect(workspace, {1: [(10, RED)], 2: [(80, GREEN), (13, RED)]})
    choose_faces(workspace, ONE, FilterOptions())
    first, second = read_csv(workspace.faces("clip"), COLUMNS)
    assert first["distance"] == "" and second["distance"] == "0.0000"
    assert (second["member"], second["face"], second["score"], second["y"]) == ("00002-1.jpg", "1", "0.8000", "5.00")


def test_of_two_subjects_person_1_is_the_one_further_left(workspace):
    _detect(workspace, {1: [(80, BLUE), (10, RED)], 2: [(12, RED), (81, BLUE)], 3: [(90, RED), (5, BLUE)]})
    choose_faces(workspace, TWO, FilterOptions())
    assert _chosen(workspace, "clip-p1") == {1: 10, 2: 12, 3: 90}
    assert _chosen(workspace, "clip-p2") == {1: 80, 2: 81, 3: 5}


def test_two_subjects_begin_at_the_first_frame_that_shows_both(workspace):
    _detect(workspace, {1: [(80, BLUE)], 2: [(80, BLUE), (10, RED)], 3: [(10, RED)], 4: [(80, BLUE)]})
    choose_faces(workspace, TWO, FilterOptions())
    assert _chosen(workspace, "clip-p1") == {2: 10, 3: 10}
    assert _chosen(workspace, "clip-p2") == {2: 80, 4: 80}


def test_third_face_of_the_first_frame_is_somebody_in_the_background(workspace):
    _detect(workspace, {1: [(80, BLUE), (40, RED), (1, GREEN)]})
    choose_faces(workspace, TWO, FilterOptions())
    assert (_chosen(workspace, "clip-p1"), _chosen(workspace, "clip-p2")) == ({1: 40}, {1: 80})


def test_clip_without_a_face_is_named_with_a_remedy(workspace):
    _detect(workspace, {})
    with pytest.raises(InputError, match=r"clip\.mp4: no face was found in any frame; lower --min_score"):
        choose_faces(workspace, ONE, FilterOptions())


def test_two_subjects_that_are_never_seen_together_are_refused(workspace):
    _detect(workspace, {1: [(80, BLUE)], 2: [(10, RED)]})
    with pytest.raises(InputError, match="no frame shows two faces; name one subject in the manifest"):
        choose_faces(workspace, TWO, FilterOptions())
