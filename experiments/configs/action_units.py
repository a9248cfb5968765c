"""Does learning action units first help valence and arousal? FATAUVA-Net's small size, its stages against none.

    python -m experiments.action_units --workspace=W --output=E --seeds=1,2,3

Every system sees as many frames: single ones, in batches of 64. Nothing is published to compare with: the paper never
trained its network without action units.
"""

from __future__ import annotations

from typing import Any

import ml_collections

from experiments.configs.table import make_run, make_table

BATCH = 64
BASELINE = "va_only"
_COMMON: dict[str, Any] = {
    "backbone": "fatauva_small",
    "cell": "none",
    "case": "2",
    "sequence_length": 1,
    "batch": BATCH,
    "learning_rate": 1e-3,
}


def get_config(variant: str = "") -> ml_collections.ConfigDict:
    first = {"stage": "action_units"}
    runs = {
        "action_units": make_run("Action units alone", first, share=0.5, tested=False, by_default=False),
        "two_stage": make_run(
            "Action units first, then valence and arousal on their maps, which stay as they are",
            {"stage": "va"},
            stage_from="action_units",
            share=0.5,
        ),
        BASELINE: make_run("Valence and arousal alone, the same network", {"stage": "va"}),
        "two_stage_tuned": make_run(
            "Action units first, then all of them together",
            {"stage": "va", "freeze_earlier": False},
            stage_from="action_units",
            share=0.5,
            by_default=False,
        ),
        "joint": make_run("Action units, valence and arousal together", {"stage": "all"}, by_default=False),
    }
    title = "Valence and arousal with and without action units"
    return make_table("action_units", title, "Training", runs, variant, common=_COMMON, database="none")
