"""CNNs without published weights, trained on shuffled single frames before they become part of a run.

The thesis's CNNs all began from published weights; the small CNN has none. Its pre-training is planned by itself before
any run whose ``backbone`` is named here, unless that says ``cnn_from`` or ``weights``.
"""

from __future__ import annotations

import ml_collections

from experiments.configs.table import make_run, make_table

_SINGLE_FRAMES = {"case": "2", "cell": "none", "sequence_length": 1, "batch": 64, "learning_rate": 1e-3}


def get_config(variant: str = "") -> ml_collections.ConfigDict:
    runs = {"small_cnn": make_run("Small CNN, single frames", {"backbone": "small_cnn"})}
    return make_table("pretraining", "CNNs on single frames", "CNN", runs, variant, common=_SINGLE_FRAMES)
