import cv2
import numpy as np
import pytest
import tensorflow as tf

from tfrecords.convert import ConvertOptions, convert_entry
from tfrecords.crops import read_crops
from tfrecords.errors import InputError
from tfrecords.index import open_record
from tfrecords.loader import evaluation_dataset, read_labels, shuffled_labels, training_dataset
from tfrecords.loader_options import LoaderOptions
from tfrecords.schema import decode_pictures, encode_face

LABELS = ("valence", "arousal")


@pytest.fixture
def make_files(workspace, make_entry):
    def make(**chosen):
        files = []
        for name, count in (("a", 7), ("b", 5)):
            convert_entry(workspace, name, make_entry(name, range(1, count + 1)), "s", ConvertOptions(**chosen))
            files.append(open_record(workspace.record(name)))
        return files

    return make


def _by_hand(workspace, entry, frame):
    with read_crops(workspace.crops(entry)) as read:
        return cv2.resize(read(f"{frame:05d}.jpg"), (96, 96), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize("profile", ["face", "original"])
@pytest.mark.parametrize("encoding", ["jpeg", "png", "raw", "float32"])
def test_batch_has_the_faces_and_labels_of_its_names(workspace, make_files, encoding, profile):
    files = make_files(encoding=encoding, profile=profile)
    for batch in evaluation_dataset(files, 4, 2, LABELS):
        faces, labels = batch["faces"].numpy(), batch["labels"].numpy()
        assert faces.dtype == np.uint8 and faces.shape[1:] == (4, 96, 96, 3)
        for index in np.ndindex(faces.shape[:2]):
            entry, frame = batch["names"].numpy()[index].decode().split("/")
            off = np.abs(faces[index].astype(int) - _by_hand(workspace, entry, int(frame)))
            assert off.mean() < 3 if encoding == "jpeg" else off.max() == 0
            np.testing.assert_allclose(labels[index], [int(frame) / 1000, -int(frame) / 1000], rtol=1e-6)


def test_jpeg_faces_equal_opencv_s_decoding_of_the_record(make_files):
    files = make_files()
    batch = next(iter(evaluation_dataset(files, 7, 1, LABELS)))
    for found, data in zip(batch["faces"][0], tf.data.TFRecordDataset(str(files[0].path)), strict=True):
        example = tf.train.Example.FromString(data.numpy())
        jpeg = np.frombuffer(example.features.feature["frame"].bytes_list.value[0], np.uint8)
        np.testing.assert_array_equal(found, cv2.imdecode(jpeg, cv2.IMREAD_COLOR)[:, :, ::-1])


def test_evaluation_passes_every_frame_once_in_order_with_weight_0_on_padding(make_files):
    batches = list(evaluation_dataset(make_files(encoding="raw"), 4, 2, LABELS))
    names = np.concatenate([batch["names"].numpy() for batch in batches])
    weights = np.concatenate([batch["weights"].numpy() for batch in batches])
    assert weights.tolist() == [[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 1, 1], [1, 0, 0, 0]]
    counted = [name.decode() for name in names[weights == 1]]
    assert counted == [f"a/{n:05d}" for n in range(1, 8)] + [f"b/{n:05d}" for n in range(1, 6)]
    assert names[1, 3] == names[1, 2]  # padded with its last frame


def test_training_resumed_at_a_step_reads_the_same_batches(make_files):
    files = make_files(encoding="raw")
    whole = [batch["names"].numpy().tolist() for batch in training_dataset(files, 3, 2, 5, LABELS).take(4)]
    later = training_dataset(files, 3, 2, 5, LABELS, first_step=2).take(2)
    assert [batch["names"].numpy().tolist() for batch in later] == whole[2:]


def test_shuffled_labels_are_a_permutation_of_all_frames_labels(make_files):
    files = make_files(encoding="raw")
    own = [read_labels(file, LABELS) for file in files]
    dealt = shuffled_labels(files, LABELS, seed=3)
    assert [len(part) for part in dealt] == [7, 5]
    assert sorted(map(tuple, np.concatenate(dealt))) == sorted(map(tuple, np.concatenate(own)))
    assert not np.array_equal(np.concatenate(dealt), np.concatenate(own))


def test_training_on_shuffled_labels_gives_each_frame_the_same_wrong_label_every_time(make_files):
    files = make_files(encoding="raw")
    dealt = shuffled_labels(files, LABELS, seed=3)
    for batch in training_dataset(files, 3, 2, 3, LABELS, shuffle_labels=True).take(4):
        for row, (file, first, count) in enumerate(batch["windows"].numpy()):
            np.testing.assert_array_equal(batch["labels"][row, :count], dealt[file][first : first + count])


def test_labels_are_read_by_name_and_in_the_order_asked(make_files):
    (batch,) = evaluation_dataset(make_files(encoding="raw")[:1], 7, 1, ("arousal",))
    np.testing.assert_allclose(batch["labels"][0, :, 0], -np.arange(1, 8) / 1000, rtol=1e-6)


def test_batches_that_are_kept_are_not_written_over_by_later_ones(make_files):
    files = make_files(encoding="raw")
    kept = [batch["faces"] for batch in training_dataset(files, 3, 2, 5, LABELS).take(12)]
    again = training_dataset(files, 3, 2, 5, LABELS).take(12)
    for old, batch in zip(kept, again, strict=True):
        np.testing.assert_array_equal(old, batch["faces"])


def test_many_pictures_of_an_unknown_number_are_decoded_in_groups_alike(make_files):
    data = [encode_face(np.full((96, 96, 3), n % 251, np.uint8), "png") for n in range(70)]
    decode = tf.function(lambda p: decode_pictures(p, "png", 96), input_signature=[tf.TensorSpec([None], tf.string)])
    for count in (1, 32, 70):
        assert decode(tf.constant(data[:count])).numpy()[:, 5, 5, 0].tolist() == list(range(count))


def test_augmented_training_resumed_at_a_step_reads_the_same_faces(make_files):
    files = make_files(encoding="raw")
    chosen = LoaderOptions(augment=("flip", "colour", "crop", "erase"))
    whole = [batch["faces"].numpy() for batch in training_dataset(files, 3, 2, 5, LABELS, chosen=chosen).take(4)]
    later = training_dataset(files, 3, 2, 5, LABELS, 2, chosen).take(2)
    for expected, batch in zip(whole[2:], later, strict=True):
        np.testing.assert_array_equal(batch["faces"], expected)
    plain = next(iter(training_dataset(files, 3, 2, 5, LABELS)))["faces"].numpy()
    assert (plain != whole[0]).any()


def test_balanced_training_reads_windows(make_files):
    batch = next(iter(training_dataset(make_files(), 3, 2, 5, LABELS, chosen=LoaderOptions(balance="value"))))
    assert batch["faces"].shape == (2, 3, 96, 96, 3)
    with pytest.raises(InputError, match="--balance: the outputs have no arousal"):
        training_dataset(make_files(), 3, 2, 5, ("valence",), chosen=LoaderOptions(balance="value"))
