import zipfile

import numpy as np
import pytest

from tfrecords.crops import encode_jpeg, member_name, read_crops, write_crops
from tfrecords.errors import InputError

PICTURE = np.full((20, 30, 3), (250, 120, 10), np.uint8)
CROPS = {"00001.jpg": encode_jpeg(PICTURE, 95), "00002-0.jpg": encode_jpeg(255 - PICTURE, 95)}


def _write(path, loose=False):
    with write_crops(path, loose) as write:
        for member, data in CROPS.items():
            write(member, data)


def test_lone_face_has_the_frame_s_name_and_several_are_counted_from_0():
    assert [member_name(12, 0, 1), member_name(12, 0, 2), member_name(12, 1, 2)] == [
        "00012.jpg",
        "00012-0.jpg",
        "00012-1.jpg",
    ]


def test_same_crops_give_the_same_bytes(tmp_path):
    _write(tmp_path / "a.zip")
    _write(tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_members_are_stored_as_they_are(tmp_path):
    _write(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert {member.filename: archive.read(member) for member in archive.infolist()} == CROPS
        assert all(member.compress_type == zipfile.ZIP_STORED for member in archive.infolist())


@pytest.mark.parametrize("loose", [False, True])
def test_crops_read_back_are_rgb_pictures(tmp_path, loose):
    _write(tmp_path / "a.zip", loose)
    with read_crops(tmp_path / "a.zip") as read:
        picture = read("00001.jpg")
    assert picture.shape == (20, 30, 3) and picture.dtype == np.uint8
    assert np.abs(picture.astype(int) - PICTURE).max() <= 3


def test_loose_crops_are_files_in_a_folder_and_replace_the_zip_and_back(tmp_path):
    _write(tmp_path / "a.zip")
    _write(tmp_path / "a.zip", loose=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()} == CROPS
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    _write(tmp_path / "a.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


@pytest.mark.parametrize("loose", [False, True])
def test_failing_block_leaves_the_old_crops(tmp_path, loose):
    _write(tmp_path / "a.zip", loose)
    with pytest.raises(RuntimeError), write_crops(tmp_path / "a.zip", loose) as write:
        write("00009.jpg", b"new")
        raise RuntimeError
    with read_crops(tmp_path / "a.zip") as read:
        assert read("00002-0.jpg").shape == (20, 30, 3)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("loose", [False, True])
def test_missing_and_damaged_members_are_named_with_a_remedy(tmp_path, loose):
    with write_crops(tmp_path / "a.zip", loose) as write:
        write("00001.jpg", b"no picture")
        write("00002.jpg", b"")
    with read_crops(tmp_path / "a.zip") as read:
        for member in ("00001.jpg", "00002.jpg", "00003.jpg"):
            with pytest.raises(InputError, match=rf"the crop {member} is missing or damaged; delete .*detect again"):
                read(member)


def test_missing_crops_are_named_with_a_remedy(tmp_path):
    with pytest.raises(InputError, match=r"a\.zip: the clip's crops are missing; run .*detect"):
        with read_crops(tmp_path / "a.zip"):
            pass


def test_truncated_zip_is_named_with_a_remedy(tmp_path):
    _write(tmp_path / "a.zip")
    (tmp_path / "a.zip").write_bytes((tmp_path / "a.zip").read_bytes()[:-30])
    with pytest.raises(InputError, match=r"a\.zip: .*damaged; delete .*detect again"):
        with read_crops(tmp_path / "a.zip"):
            pass
