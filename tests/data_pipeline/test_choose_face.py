from pathlib import Path

import pytest

from data_pipeline.choose_face import COLUMNS, FilterOptions, choose_faces
from data_pipeline.manifest import ManifestRow
from data_pipeline.stages import run_stage
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, read_csv

RED, BLUE, GREEN = (200, 20, 20), (20, 20, 200), (20, 200, 20)
ONE = ManifestRow("clip", Path("clip.mp4"), ("s1",))
TWO = ManifestRow("clip", Path("clip.mp4"), ("s1", "s2"))


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path)


def _chosen(workspace, entry):
    return {int(row["frame"]): float(row["x"]) for row in read_csv(workspace.faces(entry), COLUMNS)}


def test_frames_without_the_person_have_no_row(workspace, detect):
    detect(workspace, {2: [(10, RED)], 3: [(11, RED)], 5: [(80, GREEN)], 6: [(80, GREEN), (13, RED)]})
    choose_faces(workspace, ONE, FilterOptions())
    assert _chosen(workspace, "clip") == {2: 10, 3: 11, 6: 13}


def test_row_names_box_score_member_and_distance(workspace, detect):
    detect(workspace, {1: [(10, RED)], 2: [(80, GREEN), (13, RED)]})
    choose_faces(workspace, ONE, FilterOptions())
    first, second = read_csv(workspace.faces("clip"), COLUMNS)
    assert first["distance"] == "" and second["distance"] == "0.0000"
    assert (second["member"], second["face"], second["score"], second["y"]) == ("00002-1.jpg", "1", "0.8000", "5.00")


def test_of_two_subjects_person_1_is_the_one_further_left(workspace, detect):
    detect(workspace, {1: [(80, BLUE), (10, RED)], 2: [(12, RED), (81, BLUE)], 3: [(90, RED), (5, BLUE)]})
    choose_faces(workspace, TWO, FilterOptions())
    assert _chosen(workspace, "clip-p1") == {1: 10, 2: 12, 3: 90}
    assert _chosen(workspace, "clip-p2") == {1: 80, 2: 81, 3: 5}


@pytest.mark.parametrize(("rule", "before"), [("rgb_histogram", {}), ("tracks", {1: 80})])
def test_two_subjects_are_told_apart_in_the_first_frame_that_shows_both(workspace, detect, rule, before):
    """The thesis's rules begin there; tracks reach back."""
    detect(workspace, {1: [(80, BLUE)], 2: [(80, BLUE), (10, RED)], 3: [(10, RED)], 4: [(80, BLUE)]})
    choose_faces(workspace, TWO, FilterOptions(rule))
    assert _chosen(workspace, "clip-p1") == {2: 10, 3: 10}
    assert _chosen(workspace, "clip-p2") == before | {2: 80, 4: 80}


def test_third_face_of_the_first_frame_is_somebody_in_the_background(workspace, detect):
    detect(workspace, {1: [(80, BLUE), (40, RED), (1, GREEN)]})
    choose_faces(workspace, TWO, FilterOptions())
    assert (_chosen(workspace, "clip-p1"), _chosen(workspace, "clip-p2")) == ({1: 40}, {1: 80})


def test_clip_without_a_face_is_named_with_a_remedy(workspace, detect):
    detect(workspace, {})
    with pytest.raises(InputError, match=r"clip\.mp4: no face was found in any frame; lower --min_score"):
        choose_faces(workspace, ONE, FilterOptions())


def test_two_subjects_that_are_never_seen_together_are_refused(workspace, detect):
    detect(workspace, {1: [(80, BLUE)], 2: [(10, RED)]})
    with pytest.raises(InputError, match="no frame shows two faces; name one subject in the manifest"):
        choose_faces(workspace, TWO, FilterOptions())


def test_rule_for_two_subjects_refuses_a_clip_of_one(workspace, detect):
    detect(workspace, {1: [(80, BLUE), (10, RED)]})
    with pytest.raises(InputError, match=r"clip\.mp4: the filter two_people is for two subjects, but one is named"):
        choose_faces(workspace, ONE, FilterOptions("two_people"))


def test_single_false_detection_before_the_face_steals_nothing(workspace, detect):
    detect(workspace, {1: [(80, GREEN)]} | {frame: [(10, RED)] for frame in range(2, 9)})
    choose_faces(workspace, ONE, FilterOptions())
    assert _chosen(workspace, "clip") == {frame: 10 for frame in range(2, 9)}


@pytest.fixture
def corrected(workspace, detect):
    """``corrected(row, lines)``: entry -> frame -> x, of tracks 1 (RED at 10) and 2 (BLUE at 80) in frames 1 to 8."""

    def choose(row, *lines):
        detect(workspace, {frame: [(10, RED), (80, BLUE)] for frame in range(1, 9)})
        workspace.corrections.write_text("entry,from_frame,to_frame,take\n" + "".join(f"{line}\n" for line in lines))
        choose_faces(workspace, row, FilterOptions())
        return {entry: _chosen(workspace, entry) for entry in row.entries()}

    return choose


def test_correction_gives_an_entry_another_track_face_or_none_within_its_frames(corrected):
    everywhere = dict.fromkeys(range(1, 9), 10)
    assert corrected(ONE, "clip,,,track 1")["clip"] == everywhere
    assert corrected(ONE, "clip,,,track 2")["clip"] == dict.fromkeys(range(1, 9), 80)
    assert corrected(ONE, "clip,3,4,track 2")["clip"] == everywhere | {3: 80, 4: 80}
    assert corrected(ONE, "clip,7,,face 1")["clip"] == everywhere | {7: 80, 8: 80}
    assert corrected(ONE, "clip,,6,none")["clip"] == {7: 10, 8: 10}
    assert corrected(ONE, "other,,,none")["clip"] == everywhere


def test_later_correction_goes_over_an_earlier_one(corrected):
    assert corrected(ONE, "clip,,,none", "clip,2,3,track 2")["clip"] == {2: 80, 3: 80}


def test_face_given_to_one_entry_is_taken_from_the_other(corrected):
    found = corrected(TWO, "clip-p1,3,4,track 2")
    assert found["clip-p1"] == dict.fromkeys(range(1, 9), 10) | {3: 80, 4: 80}
    assert found["clip-p2"] == {frame: 80 for frame in (1, 2, 5, 6, 7, 8)}


def test_face_given_to_both_entries_is_refused_by_line(corrected):
    with pytest.raises(InputError, match=r"corrections\.csv, line 3: frame 3: one face is given to both clip-p1"):
        corrected(TWO, "clip-p1,3,4,track 2", "clip-p2,,,track 2")


def test_track_that_is_not_there_is_refused_by_line(corrected):
    with pytest.raises(InputError, match=r"corrections\.csv, line 2: clip has no track 3, only 1 to 2"):
        corrected(ONE, "clip,,,track 1 3")


def test_two_subjects_never_seen_together_can_be_told_apart_by_corrections(workspace, detect):
    detect(workspace, {1: [(80, BLUE)], 2: [(10, RED)]})
    workspace.corrections.write_text("entry,from_frame,to_frame,take\nclip-p1,,,track 2\nclip-p2,,,track 1\n")
    choose_faces(workspace, TWO, FilterOptions())
    assert (_chosen(workspace, "clip-p1"), _chosen(workspace, "clip-p2")) == ({2: 10}, {1: 80})


def test_only_a_clip_s_own_corrections_make_it_stale(workspace, detect):
    detect(workspace, {frame: [(10, RED), (80, BLUE)] for frame in range(1, 9)})

    def run(*lines):
        workspace.corrections.write_text("entry,from_frame,to_frame,take\n" + "".join(f"{line}\n" for line in lines))
        return run_stage(workspace, ONE, "filter", FilterOptions())

    assert run() and not run()
    assert not run("other,,,none")
    assert run("other,,,none", "clip,,,track 2") and _chosen(workspace, "clip")[1] == 80
    assert not run("clip,,,track 2", "other,,,none")  # its line's number does not matter
    assert run() and _chosen(workspace, "clip")[1] == 10
