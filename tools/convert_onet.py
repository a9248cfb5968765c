"""Makes ``data_pipeline/detectors/onet.tflite`` from the weights in the wheel mtcnn: ``python tools/convert_onet.py``.

ONet is the last of MTCNN's three networks (Zhang et al. 2016): it looks at one candidate box and says whether it shows
a face. The detector `fast` runs it through LiteRT, so that no worker of the pipeline loads TensorFlow for it. The file
is part of the repository, with its licence beside it; this runs again only for another version of mtcnn.
"""

import os
import sys
from pathlib import Path

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import tensorflow as tf
from mtcnn.stages import StageONet

PLACE = Path(__file__).parents[1] / "data_pipeline" / "detectors" / "onet.tflite"


def convert_onet() -> bytes:
    """The network as TFLite: float32 (1, 48, 48, 3) RGB in [-1, 1] -> float32 (1, 16).

    The outputs are joined, for a converter may shuffle several: box offsets (4), landmarks (10), no face, face.
    """
    network = StageONet().model

    @tf.function(input_signature=[tf.TensorSpec([1, 48, 48, 3], tf.float32, name="face")])
    def joined(face: tf.Tensor) -> tf.Tensor:
        return tf.concat(network(face), axis=-1)

    return tf.lite.TFLiteConverter.from_concrete_functions([joined.get_concrete_function()], network).convert()


if __name__ == "__main__":
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else PLACE
    place.write_bytes(convert_onet())
    print(f"{place}: {place.stat().st_size} bytes")
