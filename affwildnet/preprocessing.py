"""The preprocessings that networks were pre-trained with; the paper gave every network its own instead."""

from __future__ import annotations

import dataclasses

PerChannel = float | tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """``(x - mean) / scale`` of pixel values 0 to 255; `mean` and `scale` for all channels or in `colour_order`."""

    colour_order: str
    mean: PerChannel
    scale: PerChannel


# SPEC.md, "Loader": what the thesis fed to every network, ImageNet's too.
PAPER = Preprocessing("bgr", 128.0, 128.0)
# keras_vggface.utils.preprocess_input, versions 1 and 2: the mean faces of the two databases.
VGGFACE = Preprocessing("bgr", (93.5940, 104.7624, 129.1863), 1.0)
VGGFACE2 = Preprocessing("bgr", (91.4953, 103.8827, 131.0912), 1.0)
# ImageNet's mean in Caffe's order (keras.applications) and in slim's vgg_preprocessing.
IMAGENET_CAFFE = Preprocessing("bgr", (103.939, 116.779, 123.68), 1.0)
IMAGENET_SLIM = Preprocessing("rgb", (123.68, 116.78, 103.94), 1.0)
# MatConvNet's imagenet-vgg-m.mat takes RGB less its average image of 224x224, `meta.normalization.averageImage`. Faces
# of any size go without that image's mean a channel, as ports of VGG-M-2048, which has the same image, state it.
IMAGENET_MATCONVNET = Preprocessing("rgb", (123.6591, 116.7663, 103.9318), 1.0)
# pudae's DenseNets were converted from Caffe's, which multiply by 0.017 after the mean.
IMAGENET_DENSENET = Preprocessing("rgb", (123.68, 116.78, 103.94), 1 / 0.017)
# keras.applications' mode "torch": 0 to 1, then mean and standard deviation per channel.
IMAGENET_TORCH = Preprocessing("rgb", (0.485 * 255, 0.456 * 255, 0.406 * 255), (0.229 * 255, 0.224 * 255, 0.225 * 255))
