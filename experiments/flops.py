"""Floating-point operations of a network, counted in TensorFlow's own graphs of it.

A multiplication and an addition are two. TensorFlow counts convolutions, products of matrices and most of what is done
element by element, forward and in gradients (its profiler's registry). The profiler itself would also count the
gradients that a graph holds and nobody asks for, as that of a frozen layer's weights.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping

import tensorflow as tf
from tensorflow.python.framework import ops
from tensorflow.python.profiler.internal import flops_registry as flops_registry  # what the profiler counts by

from affwildnet.backbones.backbone import leading_to
from affwildnet.cases import CASES, trained_variables
from affwildnet.input_spec import InputSpec
from affwildnet.models import ModelOptions, build_model


@dataclasses.dataclass(frozen=True)
class FrameFlops:
    """Operations a frame: the CNN forward and with the gradient that its case needs, and so what follows the CNN."""

    cnn_forward: int
    cnn_training: int
    rest_forward: int
    rest_training: int


def count_flops(function: Callable[..., object], *specs: tf.TensorSpec) -> int:
    """Operations of one call of ``function(*tensors)``, whose shapes must be known, that its results need."""
    graph = tf.function(function, autograph=False).get_concrete_function(*specs).graph
    needed: dict[str, tf.Operation] = {}
    waiting = [tensor.op for tensor in graph.outputs]
    while waiting:
        op = waiting.pop()
        if op.name not in needed:
            needed[op.name] = op
            waiting += [tensor.op for tensor in op.inputs] + list(op.control_inputs)
    return sum(_operations(graph, op) for op in needed.values())


def _operations(graph: tf.Graph, op: tf.Operation) -> int:
    if op.type in ("Conv2DBackpropInput", "Conv2DBackpropFilter"):
        # As many as forward. The profiler counts the picture with its padding, which is twice that of a 5x5 map.
        kernel = op.inputs[1] if op.type == "Conv2DBackpropInput" else op.outputs[0]
        of_outputs = op.inputs[2]
        return 2 * math.prod(of_outputs.shape[:3]) * math.prod(kernel.shape)
    return int(ops.get_stats_for_node_def(graph, op.node_def, "flops").value or 0)


def model_options(flags: Mapping[str, str]) -> ModelOptions:
    """The network that ``affwildnet.train`` builds of these flags."""
    values: dict[str, object] = {}
    for field in dataclasses.fields(ModelOptions):
        if field.name in flags:
            word, kind = flags[field.name], type(field.default)
            readers: dict[type, Callable[[str], object]] = {
                bool: lambda word: word == "true",
                tuple: lambda word: tuple(part for part in word.split(",") if part),
            }
            values[field.name] = readers.get(kind, kind)(word)
    return ModelOptions(**values)  # type: ignore[arg-type]


def frame_flops(flags: Mapping[str, str], size: int = 96) -> FrameFlops:
    """Counts the network of these flags, for one frame of `size` pixels a side.

    The recurrent cell is counted as it is written; its fused form needs fewer.
    """
    model = build_model(model_options(flags), InputSpec(size=size))
    variables = trained_variables(model, CASES[flags["case"]])
    inside = {id(variable) for variable in model.backbone.trainable_variables}
    of_cnn = [variable for variable in variables if id(variable) in inside]
    of_rest = [variable for variable in variables if id(variable) not in inside]
    faces = tf.TensorSpec([1, size, size, 3], tf.float32)
    features = tf.TensorSpec([1, 1, sum(model.points.widths)], tf.float32)
    state = [tf.TensorSpec([1, width], tf.float32) for width in (model.block.state_size if model.block else [])]

    def rest(features: tf.Tensor, *state: tf.Tensor) -> tf.Tensor:
        if model.block is None:
            return model.predict_features(features, [])[0]
        if model.fc is not None:
            features = model.fc(features)
        inputs = features[:, 0] if model.block.projection is None else model.block.projection(features[:, 0])
        output, _ = model.block.cell(inputs, list(state))
        return model.head(output)

    def with_gradient(
        forward: Callable[..., tf.Tensor], sources: list[tf.Variable], to_inputs: bool
    ) -> Callable[..., object]:
        def run(inputs: tf.Tensor, *state: tf.Tensor) -> object:
            # From frame to frame the gradient goes through the state.
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                wanted = [*sources, *state, *([inputs] if to_inputs else [])]
                tape.watch(wanted)
                value = forward(inputs, *state)
            return value, tape.gradient(value, wanted)

        return run

    cnn = leading_to(model.backbone, model.points.names)
    forward = lambda faces: cnn(faces)  # noqa: E731
    return FrameFlops(
        cnn_forward=count_flops(forward, faces),
        cnn_training=count_flops(with_gradient(forward, of_cnn, False), faces)
        if of_cnn
        else count_flops(forward, faces),
        rest_forward=count_flops(rest, features, *state),
        rest_training=count_flops(with_gradient(rest, of_rest, bool(of_cnn)), features, *state),
    )
