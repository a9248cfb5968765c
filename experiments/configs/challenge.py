"""The Aff-Wild challenge's systems: the baseline CNN-M, FATAUVA-Net and the winner of its time, VA-CRNN (AffWildNet).

    python -m experiments.run --table=challenge --workspace=W --output=E && python -m experiments.report --output=E

Published, on the challenge's own test part, so other faces than the thesis's:

| system | CCC valence | CCC arousal | MSE valence | MSE arousal |
| --- | --- | --- | --- | --- |
| CNN-M | 0.15 | 0.10 | 0.13 | 0.14 |
| FATAUVA-Net | 0.396 | 0.282 | 0.123 | 0.095 |
| VA-CRNN | **0.57** | **0.43** | | |

CNN-M and VA-CRNN started from FaceValue weights, which never came out: here they start from those of ImageNet and
VGGFace. ``--variants=va_crnn_landmarks`` joins 68 landmarks (a workspace built with ``--landmarks_68``).
"""

from __future__ import annotations

import ml_collections

from affwildnet.composites import COMPOSITES
from experiments.configs.table import PAPER, make_run, make_table

PUBLISHED = {
    "cnn_m": {"ccc_valence": 0.15, "ccc_arousal": 0.10, "mse_valence": 0.13, "mse_arousal": 0.14},
    "fatauva_net": {"ccc_valence": 0.396, "ccc_arousal": 0.282, "mse_valence": 0.123, "mse_arousal": 0.095},
    "va_crnn": {"ccc_valence": 0.57, "ccc_arousal": 0.43},
}


def get_config(variant: str = "") -> ml_collections.ConfigDict:
    va_crnn = {**COMPOSITES["va_crnn"], "cache_features": True}
    runs = {
        "cnn_m": make_run("CNN-M", COMPOSITES["cnn_m"], published=PUBLISHED["cnn_m"]),
        "fatauva_net": make_run("FATAUVA-Net", published=PUBLISHED["fatauva_net"]),
        "va_crnn": make_run("VA-CRNN", va_crnn, published=PUBLISHED["va_crnn"]),
        "va_crnn_landmarks": make_run("VA-CRNN, landmarks", {**va_crnn, "landmarks_68": True}, by_default=False),
    }
    title = "Systems of the Aff-Wild challenge"
    return make_table("challenge", title, "System", runs, variant, common=PAPER, database="Aff-Wild, the challenge's")
