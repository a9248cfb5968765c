"""Where the publishers keep the pre-trained weights of the backbones, and on which terms."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from tfrecords.errors import InputError

_FACES = "https://github.com/rcmalli/keras-vggface/releases/download/v2.0"
_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications"
_DRIVE = "https://drive.usercontent.google.com/download?export=download&confirm=t&id="

_VGGFACE_LICENCE = "VGG Face by the Visual Geometry Group, Oxford: non-commercial research only"
_VGGFACE2_LICENCE = (
    "VGGFace2 models by the Visual Geometry Group, Oxford: CC BY-SA 4.0; the faces' use is research only"
)
# The authors' page of the same weights for Caffe (gist.github.com/ksimonyan/f194575702fae63b2829).
_CNN_M_LICENCE = "CNN-M by the Visual Geometry Group, Oxford: non-commercial use only"
_PUDAE_LICENCE = "pudae/tensorflow-densenet, converted from DenseNet-Caffe: no licence of the weights is stated"


@dataclasses.dataclass(frozen=True)
class PretrainedFile:
    """One published file.

    Attributes:
      url: where it is.
      file: what it is called here; one that ends in ``.tar.gz`` is unpacked beside itself.
      published_hash: ``md5:…`` or ``sha256:…`` as the publisher states it; empty where none is stated.
      licence: the terms, in a line.
    """

    url: str
    file: str
    licence: str
    published_hash: str = ""


def _faces(file: str, licence: str) -> PretrainedFile:
    return PretrainedFile(f"{_FACES}/{file}", file, licence)


def _keras(family: str, network: str, licence: str, md5: str) -> PretrainedFile:
    file = f"{network}_weights_tf_dim_ordering_tf_kernels_notop.h5"
    return PretrainedFile(f"{_KERAS}/{family}/{file}", file, licence, f"md5:{md5}")


def _pudae(network: str, drive_id: str) -> PretrainedFile:
    return PretrainedFile(_DRIVE + drive_id, f"tf-{network}.tar.gz", _PUDAE_LICENCE)


_BSD = "DenseNet by its authors: BSD 3-clause"

# The names are the backbones' `weights`, and a detector's.
PRETRAINED_FILES: dict[str, PretrainedFile] = {
    # The hash is of the newest of the tables on matconvnet/pretrained, whose files were saved anew more than once.
    "cnn_m": PretrainedFile(
        "https://www.vlfeat.org/matconvnet/models/imagenet-vgg-m.mat",
        "imagenet-vgg-m.mat",
        _CNN_M_LICENCE,
        "md5:29294d5f62578c96a3533859514235f2",
    ),
    "vggface": _faces("rcmalli_vggface_tf_notop_vgg16.h5", _VGGFACE_LICENCE),
    "resnet50_vggface2_ft": _faces("rcmalli_vggface_tf_notop_resnet50.h5", _VGGFACE2_LICENCE),
    "senet50_vggface2_ft": _faces("rcmalli_vggface_tf_notop_senet50.h5", _VGGFACE2_LICENCE),
    "resnet50": PretrainedFile(
        "http://download.tensorflow.org/models/resnet_v1_50_2016_08_28.tar.gz",
        "resnet_v1_50_2016_08_28.tar.gz",
        "TensorFlow-slim's ResNet v1 50: Apache License 2.0",
    ),
    "densenet121": _pudae("densenet121", "0B_fUSpodN0t0eW1sVk1aeWREaDA"),
    "densenet161": _pudae("densenet161", "0B_fUSpodN0t0TDB5Ti1PeTZMM2c"),
    "densenet169": _pudae("densenet169", "0B_fUSpodN0t0NmZvTnZZa2plaHc"),
    # No backbone but a detector of faces, data_pipeline/detectors/yunet.py. The hash is the repository's own (Git LFS).
    "yunet": PretrainedFile(
        "https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/face_detection_yunet_2023mar.onnx",
        "face_detection_yunet_2023mar.onnx",
        "YuNet by Shiqi Yu: MIT",
        "sha256:8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    ),
    "vgg16": _keras("vgg16", "vgg16", "VGG-16 by Oxford: CC BY 4.0", "6d6bbae143d832006294945121d1f1fc"),
    "resnet50_keras": _keras("resnet", "resnet50", "ResNet-50 by Kaiming He: MIT", "4d473c1dd8becc155b73f8504c6f6626"),
    "densenet121_keras": _keras("densenet", "densenet121", _BSD, "30ee3e1110167f948a6b9946edeeb738"),
    "densenet169_keras": _keras("densenet", "densenet169", _BSD, "b8c4d4c20dd625c148057b9ff1c1176b"),
    "densenet201_keras": _keras("densenet", "densenet201", _BSD, "c13680b51ded0fb44dff2d8f86ac8bb1"),
}


def fetched_path(folder: Path, name: str) -> Path:
    """What `affwildnet.fetch_weights` left of `name` in `folder`: the file, or the checkpoint's prefix in an archive.

    Raises:
      InputError: it has not been fetched, or the archive held no checkpoint.
    """
    file = PRETRAINED_FILES[name]
    path = folder / file.file
    if not file.file.endswith(".tar.gz"):
        if not path.exists():
            raise _not_fetched(name, path, folder)
        return path
    unpacked = folder / name
    if not unpacked.exists():
        raise _not_fetched(name, unpacked, folder)
    # TensorFlow's newer format is an index and data files; the older one file.
    for found in sorted(unpacked.rglob("*.index")):
        return found.with_suffix("")
    for found in sorted(unpacked.rglob("*.ckpt")):
        return found
    raise InputError(unpacked, "the archive held no checkpoint", "unpack it by hand and name the checkpoint's path")


def _not_fetched(name: str, path: Path, folder: Path) -> InputError:
    remedy = (
        f"run python -m affwildnet.fetch_weights --weights={name} --folder={folder} where there is a network, or name "
        "the folder that has them with --weights_folder"
    )
    return InputError(path, f"the weights {name!r} are not in the folder {folder.resolve()}", remedy)
