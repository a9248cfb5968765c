"""Each backbone's own preprocessing is the one its publisher applies."""

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.backbones import BACKBONES
from affwildnet.compat import import_vggface
from affwildnet.input_spec import InputSpec, with_preprocessing
from affwildnet.models import normalise

FACE = np.random.default_rng(1).integers(0, 256, (1, 4, 4, 3), np.uint8)


def ours(backbone: str) -> np.ndarray:
    return normalise(FACE, with_preprocessing(InputSpec(), BACKBONES[backbone].pretrained)).numpy()


@pytest.mark.parametrize(
    ("backbone", "module"),
    [
        ("vgg16", tf.keras.applications.vgg16),
        ("resnet50_keras", tf.keras.applications.resnet50),
        ("densenet121_keras", tf.keras.applications.densenet),
        ("densenet201_keras", tf.keras.applications.densenet),
    ],
)
def test_keras_applications_get_what_keras_gives_them(backbone: str, module: object) -> None:
    expected = module.preprocess_input(FACE.astype(np.float32).copy())  # type: ignore[attr-defined]
    np.testing.assert_allclose(ours(backbone), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("backbone", "version"), [("vggface", 1), ("resnet50_vggface2_ft", 2), ("senet50_vggface2_scratch", 2)]
)
def test_face_networks_get_what_keras_vggface_gives_them(backbone: str, version: int) -> None:
    import_vggface()
    from keras_vggface.utils import preprocess_input

    expected = preprocess_input(FACE.astype(np.float64), data_format="channels_last", version=version)
    np.testing.assert_allclose(ours(backbone), expected, rtol=1e-5, atol=1e-4)


def test_slims_networks_get_rgb_without_the_mean() -> None:
    without_mean = FACE - np.array([123.68, 116.78, 103.94])
    np.testing.assert_allclose(ours("resnet50"), without_mean, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(ours("densenet161"), without_mean * 0.017, rtol=1e-5, atol=1e-4)


def test_cnn_m_gets_rgb_without_the_mean_of_matconvnets_average_image() -> None:
    without_mean = FACE - np.array([123.6591, 116.7663, 103.9318])
    for backbone in ("cnn_m", "cnn_m_batch_norm"):
        np.testing.assert_allclose(ours(backbone), without_mean, rtol=1e-5, atol=1e-4)


def test_the_papers_preprocessing_stays_the_default() -> None:
    assert with_preprocessing(InputSpec(), BACKBONES["small_cnn"].pretrained) == InputSpec()
