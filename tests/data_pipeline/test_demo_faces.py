import csv
import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from data_pipeline.annotations import read_trace
from data_pipeline.demo_faces import (
    DemoFacesOptions,
    action_units,
    clips,
    expression,
    puppet,
    render_face,
    video,
    write_demo_database,
)
from data_pipeline.demo_faces.database import write_clip
from data_pipeline.demo_faces.portrait import portrait
from data_pipeline.demo_faces.subjects import draw_subject, shape_warp
from data_pipeline.detectors.blazeface import load_blazeface
from data_pipeline.manifest import COLUMNS
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace

SMALL = DemoFacesOptions(subjects=3, two_person_clips=1, min_seconds=2.0, max_seconds=2.2, workers=1)


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    workspace = Workspace(tmp_path_factory.mktemp("demo"))
    write_demo_database(workspace, SMALL)
    return workspace


def _rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def _moved_landmarks(valence, arousal):
    moves = np.tensordot(expression.action_levels(valence, arousal), expression.displacements(), axes=1)
    return portrait().landmarks + moves


def test_same_seed_gives_same_pixels():
    first, again, other = render_face(4, 0.3, 0.2, 96), render_face(4, 0.3, 0.2, 96), render_face(5, 0.3, 0.2, 96)
    assert first.shape == (96, 96, 3) and first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert np.abs(first.astype(int) - other).mean() > 10


def test_mouth_corners_rise_with_valence():
    heights = [_moved_landmarks(valence, 0)[[61, 291], 1].mean() for valence in (-1, -0.5, 0, 0.5, 1)]
    assert np.all(np.diff(heights) < 0)  # y points down
    assert heights[0] - heights[-1] > 0.25 * portrait().eye_distance


def test_mouth_eyes_and_brows_rise_with_arousal():
    faces = [_moved_landmarks(0, arousal) for arousal in (-1, -0.4, 0.1, 0.5, 1)]
    assert np.all(np.diff([face[14, 1] - face[13, 1] for face in faces]) > 0)
    assert np.all(np.diff([face[145, 1] - face[159, 1] for face in faces]) >= 0)
    assert np.all(np.diff([face[105, 1] for face in faces]) < 0)
    assert faces[0][14, 1] - faces[0][13, 1] < 0.03 * portrait().eye_distance


def test_shape_differs_by_at_least_five_percent_of_the_eye_distance():
    warps = np.stack([shape_warp(draw_subject(1, number), portrait().landmarks) for number in range(1, 61)])
    deviation = warps.std(axis=0).mean(axis=0) / portrait().eye_distance
    assert np.all(deviation >= 0.05) and np.all(deviation <= 0.07)


def test_inverse_displacement_undoes_the_forward_one():
    doll = puppet.make_puppet(draw_subject(1, 1), 1.3)
    levels = puppet.all_levels(expression.action_levels(-0.8, 0.9), puppet.Pose(0, 0, yaw=1.0, tilt=0.4))
    back = puppet.invert(doll, levels)
    height, width = doll.shape
    rows, columns = np.mgrid[:height, :width]
    indices = np.stack([columns, rows], axis=-1) + back / doll.step
    forward = (levels @ doll.fields).reshape(height, width, 2)
    inside = np.all((indices >= 0) & (indices < (width - 1, height - 1)), axis=-1)
    nearest = np.round(indices[inside]).astype(int)
    error = np.linalg.norm(back[inside] + forward[nearest[:, 1], nearest[:, 0]], axis=-1)
    assert np.quantile(error, 0.95) < 1.0


def test_open_mouth_is_dark_inside_and_closed_mouth_is_not():
    def darkest(arousal):
        doll = puppet.make_puppet(draw_subject(1, 2), 1.3)
        levels, pose = expression.action_levels(0.0, arousal), puppet.Pose(160, 160)
        image = puppet.draw(np.full((320, 320, 3), 128, np.uint8), doll, levels, pose)[0]
        lips = doll.lips + (puppet.all_levels(levels, pose) @ doll.lip_moves).reshape(-1, 2)
        x, y = np.round(lips[[5, 16]].mean(axis=0) + (160 - doll.head)).astype(int)
        return int(image[y - 2 : y + 8, x - 3 : x + 4].max(axis=-1).min())

    assert darkest(1.0) < 0.75 * darkest(0.0)


def test_blinks_close_the_eyes_and_show_as_au45_only():
    units = dict(zip(action_units.UNITS, action_units.unit_intensities(expression.action_levels(0, 0, 1)), strict=True))
    assert units.pop("au45") == pytest.approx(1)
    open_eyes = action_units.unit_intensities(expression.action_levels(0, 0, 0))[:-1]
    np.testing.assert_allclose(list(units.values()), open_eyes, atol=1e-6)


def test_neutral_face_has_no_smile_and_full_valence_has_full_au12():
    units = [action_units.unit_intensities(expression.action_levels(valence, 0)) for valence in (-1, 0, 1)]
    au12, au15 = action_units.UNITS.index("au12"), action_units.UNITS.index("au15")
    np.testing.assert_allclose([unit[au12] for unit in units], [0, 0, 1], atol=1e-6)
    np.testing.assert_allclose([unit[au15] for unit in units], [1, 0, 0], atol=1e-6)


def test_plan_puts_every_subject_in_one_clip_and_two_people_in_two():
    plan = clips.plan_clips(seed=1, subjects=80, two_person_clips=2, min_seconds=6, max_seconds=12)
    assert [clip.index for clip in plan] == list(range(1, 79))
    assert sorted(number for clip in plan for number in clip.subjects) == list(range(1, 81))
    assert sum(len(clip.subjects) == 2 for clip in plan) == 2
    assert {clip.fps for clip in plan} == {24, 25, 30, 60}
    assert all(clip.duration + 0.05 >= 6 and clip.duration <= 12.05 for clip in plan)
    notes = [clip.notes for clip in plan]
    assert notes.count("seconds without a face") == 6 and notes.count("distracting object") == 6
    assert sum(clip.earlier_pass for clip in plan) == 5


def test_valence_and_arousal_cover_much_of_their_range_and_are_independent():
    plan = clips.plan_clips(seed=1, subjects=80, two_person_clips=2, min_seconds=6, max_seconds=12)
    felt = []
    for clip in plan:
        for person in clips.perform(clip, np.random.default_rng([1, clip.index])):
            felt.append([person.valence(clip.frame_seconds()), person.arousal(clip.frame_seconds())])
    for one in felt:
        assert np.ptp(one[0]) > 0.85 and np.ptp(one[1]) > 0.85
    together = np.concatenate(felt, axis=1)
    assert np.abs(together).max() <= 1 and np.all(np.quantile(np.abs(together), 0.98, axis=1) > 0.75)
    assert abs(np.corrcoef(together)[0, 1]) < 0.1
    assert np.all(np.abs(together.mean(axis=1)) < 0.1)


def test_faces_leave_for_about_a_second_but_not_at_either_end():
    plan = clips.plan_clips(seed=1, subjects=80, two_person_clips=2, min_seconds=6, max_seconds=12)
    for clip in (clip for clip in plan if clip.face_goes_away):
        performances = clips.perform(clip, np.random.default_rng([1, clip.index]))
        dolls = video.make_puppets(performances)
        visible = np.array([row["visible"] for row in video.truth_rows(clip, performances, dolls)])
        hidden = np.flatnonzero(visible == 0) / clip.fps
        assert 0.7 <= np.ptp(hidden) <= 1.5
        assert hidden[0] > 0.5 and hidden[-1] < clip.duration - 0.5


def test_manifest_names_sources_and_subjects(database):
    rows = _rows(database.manifest)
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 2 and sorted(len(row["subjects"].split()) for row in rows) == [1, 2]
    for index, row in enumerate(rows, start=1):
        assert row["clip"] == f"{index}-{(24, 25)[index - 1]}-640x360" and row["source"] == f"sources/{index}.mp4"
        assert row["gender"] == "" and (database.root / row["source"]).exists()


def test_videos_are_h264_yuv420p_with_the_planned_frames(database):
    for row in _rows(database.manifest):
        with av.open(str(database.root / row["source"])) as container:
            stream = container.streams.video[0]
            assert stream.codec_context.name == "h264" and stream.codec_context.pix_fmt == "yuv420p"
            assert (stream.width, stream.height) == (640, 360)
            assert stream.average_rate == int(row["clip"].split("-")[1])
            decoded = sum(1 for _ in container.decode(stream))
        truth = _rows(database.root / "truth" / f"{row['clip']}.csv")
        assert decoded == max(int(line["frame"]) for line in truth)


def _truth_by_entry(database):
    """Every entry with its lines of the truth."""
    for row in _rows(database.manifest):
        truth = _rows(database.root / "truth" / f"{row['clip']}.csv")
        people = sorted({line["person"] for line in truth})
        for person in people:
            entry = row["clip"] if len(people) == 1 else f"{row['clip']}-p{person}"
            own = [line for line in truth if line["person"] == person]
            yield entry, own


def test_annotations_follow_the_truth_at_irregular_ascending_stamps(database):
    for entry, own in _truth_by_entry(database):
        seconds = np.array([float(line["seconds"]) for line in own])
        for dimension in ("valence", "arousal"):
            text = (database.annotations / "demo" / entry / f"{dimension}.txt").read_text()
            stamps, values = np.array([line.split() for line in text.splitlines()], float).T
            gaps = np.diff(stamps)
            assert gaps.min() > 0.008 and gaps.max() < 0.042 and gaps.std() > 0.005
            assert stamps[0] < 0.05 and stamps[-1] > seconds[-1] - 0.05
            assert np.all(values == values.astype(int)) and np.abs(values).max() <= 1000
            expected = np.interp(stamps, seconds, [1000 * float(line[dimension]) for line in own])
            assert np.abs(values - expected).mean() < 10


def test_action_units_are_annotated_frame_by_frame_as_the_truth_has_them(database):
    for entry, own in _truth_by_entry(database):
        for unit in action_units.UNITS:
            trace = read_trace(database.annotations / "demo" / entry / f"{unit}.txt")
            # Frame n is at n / 30 s: the first picture of any video is frame 1.
            np.testing.assert_allclose(trace.stamps, [float(line["seconds"]) + 1 / 30 for line in own], atol=1e-4)
            np.testing.assert_allclose(trace.values, [1000 * float(line[unit]) for line in own], atol=1.01)
            assert trace.values.min() >= 0 and trace.values.max() <= 1000


@pytest.mark.parametrize(
    ("felt", "shown"),
    [
        ((0, -0.2, 0), {"au25": 0.4}),
        ((1, -1, 0), {"au06": 1, "au12": 1}),
        ((-0.5, -0.6, 0), {"au04": 0.5, "au15": 0.5, "au25": 0.2}),
        ((0, 1, 0), {"au01": 1, "au02": 1, "au05": 1, "au25": 1, "au26": 1}),
        ((0, 0.4, 1), {"au01": 0.4, "au02": 0.4, "au25": 0.7, "au26": 0.5, "au45": 1}),
    ],
)
def test_action_units_follow_valence_arousal_and_blinks_in_closed_form(felt, shown):
    found = action_units.unit_intensities(expression.action_levels(*felt))
    np.testing.assert_allclose(found, [shown.get(unit, 0) for unit in action_units.UNITS], atol=1e-6)


def test_earlier_pass_is_kept_beside_and_is_noisier(tmp_path):
    clip = clips.Clip(seed=1, index=7, fps=24, frames=48, subjects=(7,), earlier_pass=True)
    write_clip(tmp_path, clip)
    folder = Workspace(tmp_path).annotations / "demo" / clip.name
    units = [f"{unit}.txt" for unit in action_units.UNITS]
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["arousal.1.txt", "arousal.txt", "valence.1.txt", "valence.txt", *units]
    )
    truth = _rows(tmp_path / "truth" / f"{clip.name}.csv")
    errors = []
    for name in ("valence.txt", "valence.1.txt"):
        stamps, values = np.array([line.split() for line in (folder / name).read_text().splitlines()], float).T
        curve = np.interp(stamps, *np.array([(float(r["seconds"]), 1000 * float(r["valence"])) for r in truth]).T)
        errors.append(np.abs(values - curve).mean())
    assert errors[0] < 15 and errors[1] > 3 * errors[0]


def test_true_box_holds_the_face_that_blazeface_finds():
    detect = load_blazeface(0.5)
    doll = puppet.make_puppet(draw_subject(1, 3), 1.3)
    for valence, arousal in ((-1, -1), (0, 0), (1, 1)):
        levels, pose = expression.action_levels(valence, arousal), puppet.Pose(300, 160, angle=0.05, yaw=1.0)
        frame = puppet.draw(np.full((360, 640, 3), 110, np.uint8), doll, levels, pose)[0]
        faces = detect(frame)
        x, y, width, height = puppet.face_box(doll, levels, pose)
        assert len(faces) == 1
        assert abs(faces[0].x + faces[0].width / 2 - (x + width / 2)) < 0.15 * width
        assert abs(faces[0].y + faces[0].height / 2 - (y + height / 2)) < 0.2 * height


def test_first_person_stands_further_left(database):
    row = next(row for row in _rows(database.manifest) if row["notes"] == "two people")
    truth = _rows(database.root / "truth" / f"{row['clip']}.csv")
    boxes = np.array([[float(line["x"]), float(line["width"])] for line in truth]).reshape(-1, 2, 2)
    assert np.all(boxes[:, 0].sum(axis=1) < boxes[:, 1, 0])


def test_database_says_that_it_is_synthetic(database):
    facts = json.loads(database.database.read_text())
    assert facts["name"] == "AffWildNet demo" and facts["synthetic"] is True and facts["seed"] == 1
    assert "nothing about people" in facts["notice"] and facts["generator_version"] == 2


def test_second_run_makes_only_what_is_missing_and_the_same_bytes_with_two_workers(database, tmp_path):
    videos = sorted(database.sources.iterdir())
    kept, removed = videos
    before = removed.read_bytes()
    removed.unlink()
    stamp = kept.stat().st_mtime_ns
    write_demo_database(database, SMALL)
    assert kept.stat().st_mtime_ns == stamp
    assert removed.read_bytes() == before

    write_demo_database(Workspace(tmp_path), dataclasses.replace(SMALL, workers=2))
    for path in sorted(file for file in database.root.rglob("*") if file.is_file()):
        assert (tmp_path / path.relative_to(database.root)).read_bytes() == path.read_bytes()


def test_another_seed_in_the_same_folder_is_refused(database):
    with pytest.raises(InputError, match="empty folder"):
        write_demo_database(database, dataclasses.replace(SMALL, seed=2))


def test_somebody_elses_manifest_is_not_overwritten(tmp_path):
    (tmp_path / "manifest.csv").write_text("clip,source,subjects\n")
    with pytest.raises(InputError, match="empty folder"):
        write_demo_database(Workspace(tmp_path), SMALL)


def test_impossible_options_are_refused_in_one_sentence(tmp_path):
    for wrong in ({"subjects": 3, "two_person_clips": 2}, {"min_seconds": 9.0, "max_seconds": 8.0}, {"seed": -1}):
        with pytest.raises(InputError):
            write_demo_database(Workspace(tmp_path), dataclasses.replace(SMALL, **wrong))


def test_importing_loads_no_tensorflow():
    code = "import sys, data_pipeline.demo_faces; sys.exit('tensorflow' in sys.modules)"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0
