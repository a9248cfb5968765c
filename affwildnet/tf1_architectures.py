"""The original's networks by name, and what their variables are called in its checkpoints (SPEC.md)."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from affwildnet.backbones.tf1_names import tf1_weights as backbone_weights
from affwildnet.cells import CELLS
from affwildnet.cells.tf1_names import tf1_weights as block_weights
from affwildnet.input_spec import InputSpec
from affwildnet.models import AffWildNet, ModelOptions

# The backbones that are built in TensorFlow 1's layout.
TF1_BACKBONES = ("densenet121", "densenet161", "densenet169", "resnet50", "vggface")
# Cell (or attention around any) -> scopes of the recurrent block and of the last layer in the author's checkpoints.
_BLOCK_SCOPES = {
    "gru": ("GRU-layer", "fcgru"),
    "lstm": ("lstm-layer", "fclstm"),
    "indrnn": ("indRNN-layer", "fc-indRNN"),
    "gru_highway": ("highway-layer", "fc-pred"),
    # Published nowhere: whoever has such a checkpoint names them (`with_scopes`).
    "gru_residual": ("", ""),
    "attention": ("attention-layer", "fcatten"),
}
# The linear layer before Highway cells.
_PROJECTION = "fc-highway/fully_connected"
# Released networks: RGB, resized bilinearly with TensorFlow 1's corner rule.
_RELEASED_INPUT = InputSpec(resize="linear_tf1", colour_order="rgb")


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A network of the original.

    Attributes:
      options, spec: our network, and what it takes.
      fc: scopes of its fully connected layers.
      block: scope of its recurrent block's variables, with a final slash.
      head: names of the last layer's kernel and bias.
      projection: scope of the linear layer before Highway and Residual cells.
    """

    options: ModelOptions
    spec: InputSpec
    head: tuple[str, str]
    fc: tuple[str, ...] = ()
    block: str = ""
    projection: str = _PROJECTION


def with_scopes(architecture: Architecture, block: str, head: str, projection: str) -> Architecture:
    """`architecture` with the scopes that are not empty in place of its own.

    Raises:
      ValueError: the architecture has none of its own for what is left empty.
    """
    if head:
        architecture = dataclasses.replace(architecture, head=(f"{head}/weights", f"{head}/biases"))
    if block:
        architecture = dataclasses.replace(architecture, block=f"{block}/")
    if projection:
        architecture = dataclasses.replace(architecture, projection=projection)
    names = (architecture.block, architecture.head[0], f"{architecture.projection}/")
    if any(name.startswith("/") for name in names):
        raise ValueError("the names of these variables were never published")
    return architecture


def _released(backbone: str, head: tuple[str, str], fc: dict[str, int], block: str = "") -> Architecture:
    """`fc`: width by scope; without the `block`'s scope it is a network without one."""
    widths = tuple(str(width) for width in fc.values())
    cell = "gru" if block else "none"
    options = ModelOptions(backbone=backbone, cell=cell, attention_length=0, fc=widths)
    return Architecture(options, _RELEASED_INPUT, head, tuple(fc), block)


def _thesis(backbone: str, cell: str, attention: bool) -> Architecture:
    options = ModelOptions(backbone=backbone, cell=cell, attention_length=30 if attention else 0)
    block, head = _BLOCK_SCOPES["attention" if attention else cell]
    head = f"{head}/fully_connected"
    names = (f"{head}/weights", f"{head}/biases")
    projection = "" if cell == "gru_residual" else _PROJECTION
    return Architecture(options, InputSpec(), names, block=f"{block}/rnn/", projection=projection)


_CNN_HEAD = ("linear3_1/weights", "linear3_1/biases")

ARCHITECTURES: dict[str, Architecture] = {
    "released_vggface_gru": _released(
        "vggface", ("rnn_1/weights_rnn", "rnn_1/biases_rnn"), {"linear_1": 4096}, "rnn_1/rnn/"
    ),
    "released_vggface_4096": _released("vggface", _CNN_HEAD, {"linear_1": 4096, "linear2_1": 4096}),
    "released_vggface_2000": _released("vggface", _CNN_HEAD, {"linear_1": 4096, "linear2_1": 2000}),
    "released_resnet_gru": _released("resnet50", ("rnn/weights_output", "rnn/biases_output"), {}, "rnn/rnn/"),
    **{
        f"thesis_{backbone}_{cell}{'_attention' if attention else ''}": _thesis(backbone, cell, attention)
        for backbone in TF1_BACKBONES
        for cell in sorted(CELLS)
        if cell in _BLOCK_SCOPES
        for attention in (False, True)
    },
}


def tf1_weights(model: AffWildNet, architecture: Architecture) -> dict[str, tf.Variable]:
    """The name in the original's checkpoints of each weight of `model`, which is built by ``architecture.options``."""
    named = dict(backbone_weights(model.backbone))
    if model.fc is not None:
        dense = [layer for layer in model.fc.layers if isinstance(layer, tf.keras.layers.Dense)]
        for scope, layer in zip(architecture.fc, dense, strict=True):
            named.update({f"{scope}/weights": layer.kernel, f"{scope}/biases": layer.bias})
    if model.block is not None:
        named.update({architecture.block + name: weight for name, weight in block_weights(model.block).items()})
        projection = model.block.projection
        if projection is not None:
            scope = architecture.projection
            named.update({f"{scope}/weights": projection.kernel, f"{scope}/biases": projection.bias})
    kernel, bias = architecture.head
    named.update({kernel: model.head.kernel, bias: model.head.bias})
    return named
