"""Table 6.4: CNNs under the training cases 0 to 3 (table 6.3), each with the GRU with attention.

    python -m experiments.run --table=6.4 --workspace=W --output=E && python -m experiments.report --output=E

Published (the thesis's test part; of several printed checkpoints the best of each column):

| CNN | case 0 | case 1 | case 2 | case 3 |
| --- | --- | --- | --- | --- |
| VGGFace, CCC valence / arousal | 0.412 / 0.409 | 0.353 / 0.313 | 0.479 / 0.327 | **0.555** / **0.456** |
| ResNet-50, ImageNet | 0.280 / 0.107 | 0.163 / 0.071 | 0.303 / 0.393 | 0.332 / 0.429 |
| DenseNet-121, ImageNet | 0.154 / 0.185 | – | 0.468 / 0.294 | 0.449 / 0.312 |

ResNet-50 of VGGFace2, DenseNet-161 and -169 under case 0 stand in the file of recorded runs only (0.069, 0.214 and
0.078 valence; 0.166, 0.101 and 0.143 arousal); they are planned where they are named, as is the small CNN, which is
no network of the thesis: ``--variants=small_cnn_case*``.
"""

from __future__ import annotations

from typing import Any

import ml_collections

from experiments.configs.table import make_run, make_table

# Recorded name and printed steps by backbone and case.
_PRINTED: dict[str, dict[str, tuple[str, tuple[int, ...]]]] = {
    "vggface": {
        "0": ("face_gru_atten", (66571, 20303)),
        "1": ("face_atten_case1", (12760,)),
        "2": ("face_atten_case2", (42140,)),
        "3": ("face_atten_case3", (33731,)),
    },
    "resnet50": {
        "0": ("res50_atten", (140149,)),
        "1": ("res50_atten_case1", (52602, 109944)),
        "2": ("res50_atten_case2", (123666,)),
        "3": ("res50_atten_case3", (36954,)),
    },
    "densenet121": {
        "0": ("dense_atten", (76607,)),
        "2": ("dense121_atten_case2_e5", (55732,)),
        "3": ("dense121_atten_case3", (66188, 97695)),
    },
}
_LABELS = {"vggface": "VGGFace", "resnet50": "ResNet50-IN", "densenet121": "DenseNet121-IN", "small_cnn": "Small CNN"}
# Recorded under case 0, and not printed.
_FILE_ONLY = {
    "resnet50_vggface2_ft": ("ResNet50-VF2", "face2_gru_atten"),
    "densenet161": ("DenseNet161-IN", "dense161_atten"),
    "densenet169": ("DenseNet169-IN", "dense169_atten"),
}


def _flags(backbone: str, case: str) -> dict[str, Any]:
    return {"backbone": backbone, "case": case} | ({"cache_features": True} if case == "0" else {})


def get_config(variant: str = "") -> ml_collections.ConfigDict:
    runs = {}
    for backbone, cases in _PRINTED.items():
        for case, (recorded, printed) in cases.items():
            rnn_from = f"{backbone}_case2" if case == "3" else ""
            runs[f"{backbone}_case{case}"] = make_run(
                f"{_LABELS[backbone]}(c{case})",
                _flags(backbone, case),
                recorded=recorded,
                printed=printed,
                rnn_from=rnn_from,
            )
    for backbone, (label, recorded) in _FILE_ONLY.items():
        flags = _flags(backbone, "0")
        runs[f"{backbone}_case0"] = make_run(f"{label}(c0)", flags, recorded=recorded, by_default=False)
    for case in "0123":
        rnn_from = "small_cnn_case2" if case == "3" else ""
        label = f"{_LABELS['small_cnn']}(c{case})"
        flags = _flags("small_cnn", case)
        runs[f"small_cnn_case{case}"] = make_run(label, flags, rnn_from=rnn_from, by_default=False)
    return make_table("6.4", "CNNs and training cases", "CNN block", runs, variant, carries=("backbone",))
