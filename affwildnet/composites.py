"""Whole systems of the paper and the challenge by name: the options that make one, for ``train --composite=NAME``.

What a command line gives itself comes first. Sources: SPEC.md, "Published results", "Released checkpoints" and "Model".
Where the papers count a batch without saying in what, it is sequences of a recurrent network and frames of CNN-M. CNNs
start from published weights, VA-CRNN's and CNN-M's from VGGFace's and ImageNet's: their FaceValue ones never came out.
"""

from __future__ import annotations

from typing import Any

_CNN_ONLY: dict[str, Any] = {"cell": "none", "backbone": "vggface"}
_VA_CRNN: dict[str, Any] = {
    "backbone": "vggface",
    "fc": ("4096",),
    "dropout": 0.5,
    "cell": "gru",
    "attention_length": 0,
    "case": "0",
    "batch": 100,
    "learning_rate": 1e-3,
}

COMPOSITES: dict[str, dict[str, Any]] = {
    # The thesis's best (§6.5); case 3 continues from the best RNN of its case 2.
    "affwildnet": {"backbone": "vggface", "cell": "gru", "attention_length": 30},
    "cnn_m": {
        "cell": "none",
        "backbone": "cnn_m",
        "fc": ("4096",),
        "fc_start": "truncated_normal",
        "loss": "mse",
        "learning_rate": 1e-3,
        "batch": 80,
        "sequence_length": 1,
    },
    "cnn_2000": {**_CNN_ONLY, "fc": ("4096", "2000")},
    "cnn_4096": {**_CNN_ONLY, "fc": ("4096", "4096")},
    # Without --stage all of its stages at once. Batch and rate are not the paper's, which says neither.
    "fatauva": {
        "backbone": "fatauva",
        "cell": "none",
        "stage": "all",
        "batch": 50,
        "sequence_length": 1,
        "learning_rate": 1e-3,
    },
    "va_crnn": _VA_CRNN,
    "va_crnn_landmarks": {**_VA_CRNN, "landmarks_68": True},
}
