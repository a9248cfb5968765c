"""The model as functions that other runtimes can be given: no checks, no strings, outputs named unlike inputs."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import tensorflow as tf

from affwildnet.models import AffWildNet
from affwildnet.recurrent import RecurrentBlock


def portable_sequences(model: AffWildNet, batch: int | None) -> tf.types.experimental.PolymorphicFunction:
    """``faces`` uint8 (batch, T, S, S, 3) -> ``values`` (batch, T, O); `batch` None leaves it free."""
    literal = None if model.block is None else model.block.literal

    @tf.function(input_signature=_inputs_like(model, batch, None))
    def sequences(faces: tf.Tensor, landmarks_68: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        state = model.zero_state(tf.shape(faces)[0] if batch is None else batch)
        return {"values": model.to_values(model.run(faces, state, block=literal, landmarks_68=landmarks_68)[0])}

    return sequences


def portable_step(model: AffWildNet) -> tf.types.experimental.PolymorphicFunction:
    """One frame: ``faces`` (B, 1, S, S, 3), ``state`` (B, W) -> ``values`` (B, 1, O), ``next_state`` (B, W).

    Without a loop, so that every runtime has its operators. A CNN alone has a state of width 0 and no ``state`` here.
    """
    widths = [] if model.block is None else list(model.block.state_size)
    state_like = [tf.TensorSpec((None, sum(widths)), tf.float32, name="state")] if widths else []
    inputs_like = _inputs_like(model, None, 1)
    block = model.block

    @tf.function(input_signature=[inputs_like[0], *state_like, *inputs_like[1:]])
    def step(faces: tf.Tensor, *more: tf.Tensor) -> dict[str, tf.Tensor]:
        parts = tf.split(more[0], widths, axis=1) if widths else []
        landmarks = more[-1] if model.options.landmarks_68 else None

        one = None if block is None else functools.partial(_one_frame, block)
        raw, states = model.run(faces, parts, block=one, landmarks_68=landmarks)
        return {"values": model.to_values(raw)} | ({"next_state": tf.concat(states, axis=1)} if widths else {})

    return step


def _one_frame(
    block: RecurrentBlock, features: tf.Tensor, initial_state: Sequence[tf.Tensor]
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """What the block does of features (B, 1, D): the cell once."""
    frame = features[:, 0]
    if block.projection is not None:
        frame = block.projection(frame)
    output, states = block.cell(frame, list(initial_state))
    return output[:, tf.newaxis], list(states)


def _inputs_like(model: AffWildNet, batch: int | None, frames: int | None) -> list[tf.TensorSpec]:
    size = model.face_spec.size
    like = [tf.TensorSpec((batch, frames, size, size, 3), tf.uint8, name="faces")]
    if model.options.landmarks_68:
        like.append(tf.TensorSpec((batch, frames, 136), tf.float32, name="landmarks_68"))
    return like
