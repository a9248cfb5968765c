"""Table 6.2: RNN blocks on VGGFace with its weights frozen (case 0).

    python -m experiments.run --table=6.2 --workspace=W --output=E && python -m experiments.report --output=E

Published (the thesis's test part; two checkpoints each, the best of a column first):

| RNN block | CCC valence | CCC arousal | MSE valence | MSE arousal |
| --- | --- | --- | --- | --- |
| LSTM | 0.303, 0.290 | 0.294, 0.249 | 0.031, 0.037 | 0.023, 0.029 |
| GRU | 0.353, 0.156 | 0.362, 0.358 | 0.034, 0.054 | 0.022, 0.023 |
| GRU with attention | **0.412**, 0.347 | **0.409**, 0.342 | 0.032, 0.033 | **0.020**, 0.026 |
| IndRNN | 0.392, 0.332 | 0.254, 0.237 | **0.028**, 0.031 | 0.023, 0.027 |

Highway and Residual GRUs stand in the file of recorded runs only (0.234 and 0.197 valence, 0.138 and 0.028 arousal);
they are planned where they are named: ``--variants=gru_highway,gru_residual``.
"""

from __future__ import annotations

import ml_collections

from experiments.configs.table import PAPER, make_run, make_table

_COMMON = {**PAPER, "case": "0", "attention_length": 0, "cache_features": True}


def get_config(variant: str = "") -> ml_collections.ConfigDict:
    runs = {
        "lstm": make_run("LSTM", {"cell": "lstm"}, recorded="face-lstm-128", printed=(42688, 49898)),
        "gru": make_run("GRU", {"cell": "gru"}, recorded="face-gru-128", printed=(63919, 38124)),
        "gru_attention": make_run(
            "GRU-Attention", {"cell": "gru", "attention_length": 30}, recorded="face_gru_atten", printed=(66571, 20303)
        ),
        "indrnn": make_run("IndRNN", {"cell": "indrnn"}, recorded="face_indRNN", printed=(20848, 31409)),
        "gru_highway": make_run("GRU-Highway", {"cell": "gru_highway"}, recorded="face-gru-highway", by_default=False),
        "gru_residual": make_run(
            "GRU-Residual", {"cell": "gru_residual"}, recorded="face-gru-residual", by_default=False
        ),
    }
    title = "RNN blocks on a frozen CNN"
    carries = ("cell", "attention_length")
    return make_table("6.2", title, "RNN block", runs, variant, common=_COMMON, carries=carries)
