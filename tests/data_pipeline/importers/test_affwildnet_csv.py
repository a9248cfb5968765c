import pytest

from tfrecords.errors import InputError


def test_rows_of_one_folder_are_a_clip_in_the_order_of_the_list(run_import, build_records, folder, draw_image):
    names = ["v1/b.jpg", "v1/a.jpg", "v2/a.jpg", "v1/c.jpg"]
    values = ["0.5,-0.5", "0.25,0.1", "-0.75,1", "0,0.333"]
    for name in names:
        draw_image(folder / name)
    lines = [f"{name},{value}\n" for name, value in zip(names, values, strict=True)]
    (folder / "list.csv").write_text("".join(lines))
    report = run_import("affwildnet_csv")
    assert report.renamed == {"list-v1": "list-v1_2"}
    assert build_records() == {
        "list-v1": {1: (0.5, -0.5), 2: (0.25, 0.1)},
        "list-v2": {1: (-0.75, 1)},
        "list-v1_2": {1: (0, 0.333)},
    }


def test_missing_images_leave_a_gap_and_are_counted(run_import, build_records, folder, draw_image):
    draw_image(folder / "1.jpg")
    draw_image(folder / "3.jpg")
    (folder / "list.csv").write_text("1.jpg,0.1,0.1\n2.jpg,0.2,0.2\n3.jpg,0.3,0.3\n")
    assert run_import("affwildnet_csv").left_out["labels without an image"] == 1
    assert build_records() == {"list": {1: (0.1, 0.1), 3: (0.3, 0.3)}}


def test_line_of_another_form_is_named_before_anything_is_written(run_import, folder, draw_image, workspace):
    draw_image(folder / "1.jpg")
    (folder / "a.csv").write_text("1.jpg,0.1,0.1\n")
    (folder / "b.csv").write_text("1.jpg,0.1,0.1\nimage,valence,arousal\n")
    with pytest.raises(
        InputError, match=r"b\.csv, line 2: 'image,valence,arousal' is not 'image\.jpg,valence,arousal'"
    ):
        run_import("affwildnet_csv")
    assert not workspace.root.exists()
