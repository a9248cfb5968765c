"""The thesis's training cases (§6.3, table 6.3): what is trained, where it starts from, and at which rate.

| case | trained | RNN starts from |
| --- | --- | --- |
| 0 | RNN and FC, the CNN frozen at its pre-trained weights | random |
| 1 | and the CNN's last convolution | random |
| 2 | everything | random |
| 3 | everything, the CNN again from its pre-trained weights | the best case-2 RNN and FC |

FATAUVA-Net is trained in stages instead: `affwildnet.stages`, each case 2 of what is not frozen.
"""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from affwildnet.backbones import BACKBONES
from affwildnet.backbones.backbone import last_convolution_variables, leading_to
from affwildnet.models import AffWildNet, ModelOptions
from tfrecords.errors import InputError

# After the CNN; a model has some of them.
_HEADS = ("fc", "block", "head")
# The rate of cases 1 to 3 for the backbones that did not take 1e-4 (SPEC.md, "Training").
_SLOW_BACKBONES = {"vggface": 1e-5, "vgg16": 1e-5, "densenet121": 1e-5, "densenet121_keras": 1e-5}
# Cells that converge at 1e-3 in case 0 without attention; the backbones under which the thesis took 1e-4 all the same.
_QUICK_CELLS = ("gru", "lstm", "lstm_plain", "lstm_addons", "rnn", "gru_highway", "gru_residual", "none")
_SLOW_CASE_0 = ("resnet50_vggface2", "senet50_vggface2", "densenet")


# What of a CNN can be trained.
TRAINED = ("nothing", "last_convolution", "everything")


@dataclasses.dataclass(frozen=True)
class Case:
    """What of the CNN is trained, one of `TRAINED`; whether the RNN is handed on."""

    backbone: str
    needs_rnn: bool = False


CASES: dict[str, Case] = {
    "0": Case("nothing"),
    "1": Case("last_convolution"),
    "2": Case("everything"),
    "3": Case("everything", needs_rnn=True),
}


def trained_variables(model: AffWildNet, case: Case) -> list[tf.Variable]:
    """The variables that `case` trains, in a fixed order: the CNN's, then those of what follows it.

    Of a CNN with several feature points they are those that lead to the points which are read.

    Raises:
      InputError: case 1 with a backbone that names no last convolution.
    """
    variables: list[tf.Variable] = []
    if case.backbone == "everything":
        variables += leading_to(model.backbone, model.points.names).trainable_variables
    elif case.backbone == "last_convolution":
        entry = BACKBONES[model.options.backbone]
        if not entry.last_convolution:
            what = f"the backbone {model.options.backbone} names no last convolution"
            raise InputError("--case=1", what, "use case 0 or 2")
        variables += last_convolution_variables(entry, model.backbone)
    for name in _HEADS:
        part = getattr(model, name)
        variables += part.trainable_variables if part is not None else []
    return variables


def learning_rate(case: str, options: ModelOptions) -> float:
    """The thesis's constant rate for this case and model; what it never trained gets its nearest relative's.

    Case 0: 1e-3 for GRU, LSTM, Highway and Residual, 1e-4 for attention and IndRNN (1e-3 does not converge), for
    VGGFace2's networks and DenseNet. Cases 1 to 3: 1e-5 for VGGFace and DenseNet-121, 1e-4 for the others.
    """
    if CASES[case].backbone != "nothing":
        return _SLOW_BACKBONES.get(options.backbone, 1e-4)
    quick = options.cell in _QUICK_CELLS and not options.attention_length
    return 1e-3 if quick and not options.backbone.startswith(_SLOW_CASE_0) else 1e-4


def backbone_in_training_mode(case: Case, original_batch_norm: bool) -> bool:
    """Whether the CNN's batch norm runs on batch statistics and moves its averages in training.

    The original does so in every case; here a frozen CNN, or all of it but one layer, keeps its averages.
    """
    return original_batch_norm or case.backbone == "everything"
