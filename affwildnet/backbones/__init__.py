"""Backbones by name: networks from one face to its features; a new one is a file here and an entry in `BACKBONES`.

An entry is a `Backbone`: its builder takes the side of the faces in pixels and returns a `tf.keras.Model` from float
(N, S, S, 3), normalised and in the network's colour order, to features (N, D), or to several feature points by name.
"""

from __future__ import annotations

import functools

from affwildnet.backbones import densenet, keras_applications
from affwildnet.backbones.backbone import Backbone
from affwildnet.backbones.cnn_m import cnn_m
from affwildnet.backbones.fatauva import SIZES, fatauva
from affwildnet.backbones.fatauva_tables import POINTS
from affwildnet.backbones.resnet_v1 import resnet50
from affwildnet.backbones.small_cnn import small_cnn
from affwildnet.backbones.vggface import vggface
from affwildnet.backbones.vggface2 import vggface2
from affwildnet.preprocessing import (
    IMAGENET_CAFFE,
    IMAGENET_DENSENET,
    IMAGENET_MATCONVNET,
    IMAGENET_SLIM,
    IMAGENET_TORCH,
    VGGFACE,
    VGGFACE2,
)

_FLAT = "the last pool, flattened"
_POOLED = "global average pool"
_SLIM_LAST = "resnet_v1_50/block4/unit_3/bottleneck_v1/conv3"
# SPEC.md, "Training": scales of the weight decay; VGGFace had none.
_RESNET_DECAY, _DENSENET_DECAY = 1e-4, 4e-5


def _cnn_m(batch_norm: bool) -> Backbone:
    build = functools.partial(cnn_m, batch_norm=batch_norm)
    return Backbone(build, _FLAT, IMAGENET_MATCONVNET, ("conv5",), 0.0, "cnn_m")


def _fatauva(name: str) -> Backbone:
    return Backbone(functools.partial(fatauva, size=SIZES[name]), "maps of the face's parts", points=POINTS)


def _slim_densenet(name: str, blocks: int) -> Backbone:
    last = f"{name}/dense_block4/conv_block{blocks}/x2/Conv"
    return Backbone(getattr(densenet, name), _POOLED, IMAGENET_DENSENET, (last,), _DENSENET_DECAY, name)


def _keras_densenet(name: str, blocks: int) -> Backbone:
    build = getattr(keras_applications, name)
    return Backbone(build, _POOLED, IMAGENET_TORCH, (f"conv5_block{blocks}_2_conv",), _DENSENET_DECAY, name)


def _vggface2(architecture: str, weights: str = "") -> Backbone:
    last = ("conv5_3_1x1_increase", "conv5_3_1x1_increase/bn")
    return Backbone(vggface2(architecture), _POOLED, VGGFACE2, last, _RESNET_DECAY, weights)


BACKBONES: dict[str, Backbone] = {
    "cnn_m": _cnn_m(batch_norm=False),
    "cnn_m_batch_norm": _cnn_m(batch_norm=True),
    "densenet121": _slim_densenet("densenet121", 16),
    "densenet121_keras": _keras_densenet("densenet121_keras", 16),
    "densenet161": _slim_densenet("densenet161", 24),
    "densenet169": _slim_densenet("densenet169", 32),
    "densenet169_keras": _keras_densenet("densenet169_keras", 32),
    "densenet201_keras": _keras_densenet("densenet201_keras", 32),
    **{name: _fatauva(name) for name in SIZES},
    "resnet50": Backbone(
        resnet50, _POOLED, IMAGENET_SLIM, (_SLIM_LAST, f"{_SLIM_LAST}/BatchNorm"), _RESNET_DECAY, "resnet50"
    ),
    "resnet50_keras": Backbone(
        keras_applications.resnet50_keras,
        _POOLED,
        IMAGENET_CAFFE,
        ("conv5_block3_3_conv", "conv5_block3_3_bn"),
        _RESNET_DECAY,
        "resnet50_keras",
    ),
    # keras-vggface publishes one file of each architecture, fine-tuned; a `scratch` file has to be given as a path.
    "resnet50_vggface2_ft": _vggface2("resnet50", "resnet50_vggface2_ft"),
    "resnet50_vggface2_scratch": _vggface2("resnet50"),
    "senet50_vggface2_ft": _vggface2("senet50", "senet50_vggface2_ft"),
    "senet50_vggface2_scratch": _vggface2("senet50"),
    "small_cnn": Backbone(small_cnn, "a fully connected layer", last_convolution=("conv4",)),
    "vgg16": Backbone(keras_applications.vgg16, _FLAT, IMAGENET_CAFFE, ("block5_conv3",), 0.0, "vgg16"),
    "vggface": Backbone(vggface, _FLAT, VGGFACE, ("conv_13",), 0.0, "vggface"),
}
