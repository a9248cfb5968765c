"""A trained model as plain TensorFlow functions: what is exported, and what `predict` runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf

from affwildnet.checkpoints import choose_checkpoint, restore_model
from affwildnet.heads import parse_heads
from affwildnet.image_bytes import decode_faces
from affwildnet.input_spec import InputSpec, read_input_spec
from affwildnet.model_folder import ModelFolder, is_synthetic, load_model, read_options
from affwildnet.models import AffWildNet, ModelOptions
from tfrecords.errors import InputError


class ServedModel(tf.Module):
    """Three signatures over one model; faces are uint8 RGB (B, T, S, S, 3) as ``input.json`` describes them.

    ``sequences(faces)`` -> ``values`` float32 (B, T, outputs), every sequence from the zero state: numbers
    of regressions, probabilities of other heads.
    ``step(faces, state)`` -> ``values`` and ``state`` float32 (B, W) for the next piece; zeros begin a sequence.
    ``jpeg(images)`` -> ``values`` of faces as the bytes of JPEG or PNG files (B, T), of any size: resized as
    ``input.json`` says. It fails as a whole where one cannot be decoded, telling which.
    A network that reads landmarks takes ``landmarks_68`` float32 (B, T, 136) beside the faces in all three.

    Sequences without a frame are refused; so is, by TensorFlow, what is no uint8.
    """

    def __init__(self, model: AffWildNet) -> None:
        super().__init__(name="served")
        # The variables and not the model: with it Keras would save its classes, which a plain TensorFlow cannot load.
        self.weights = list(model.variables)
        size, resize = model.face_spec.size, model.face_spec.resize
        widths = [] if model.block is None else list(model.block.state_size)
        self.state_width = sum(widths)
        self.landmarks_68 = model.options.landmarks_68
        faces_like = tf.TensorSpec((None, None, size, size, 3), tf.uint8, name="faces")
        state_like = tf.TensorSpec((None, self.state_width), tf.float32, name="state")
        images_like = tf.TensorSpec((None, None), tf.string, name="images")
        landmarks_like = [tf.TensorSpec((None, None, 136), tf.float32, name="landmarks_68")] * self.landmarks_68

        # As it is written: an export must run where there is no XLA, and pieces come in every length.
        block = None if model.block is None else model.block.literal

        def predict(faces: tf.Tensor, landmarks_68: tf.Tensor | None) -> dict[str, tf.Tensor]:
            state = model.zero_state(tf.shape(faces)[0])
            raw, _ = model.run(_with_frames(faces), state, block=block, landmarks_68=landmarks_68)
            return {"values": model.to_values(raw)}

        @tf.function(input_signature=[faces_like, *landmarks_like])
        def sequences(faces: tf.Tensor, landmarks_68: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
            return predict(faces, landmarks_68)

        @tf.function(input_signature=[faces_like, state_like, *landmarks_like])
        def step(faces: tf.Tensor, state: tf.Tensor, landmarks_68: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
            parts = tf.split(state, widths, axis=1) if widths else []
            raw, states = model.run(_with_frames(faces), parts, block=block, landmarks_68=landmarks_68)
            return {"values": model.to_values(raw), "state": tf.concat(states, axis=1) if states else state}

        @tf.function(input_signature=[images_like, *landmarks_like])
        def jpeg(images: tf.Tensor, landmarks_68: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
            return predict(decode_faces(images, size, resize), landmarks_68)

        self.sequences = sequences
        self.step = step
        self.jpeg = jpeg


def _with_frames(faces: tf.Tensor) -> tf.Tensor:
    told = f"faces are (B, T, {faces.shape[2]}, {faces.shape[3]}, 3) with at least one frame, and T is 0"
    with tf.control_dependencies([tf.debugging.assert_positive(tf.shape(faces)[1], message=told)]):
        return tf.identity(faces)


class LoadedModel:
    """A model ready to predict, from a model folder or an exported SavedModel.

    Attributes: `spec` (what it takes), `outputs` (names), `heads` (() for regressions alone), `synthetic`,
    `state_width`, `landmarks_68` (whether it reads them).
    """

    def __init__(self, step: Any, state_width: int, spec: InputSpec, options: ModelOptions, synthetic: bool) -> None:
        self._step = step
        self.state_width = state_width
        self.spec = spec
        self.outputs = options.outputs
        self.heads = parse_heads(options.heads)
        self.landmarks_68 = options.landmarks_68
        self.synthetic = synthetic

    def step(
        self, faces: tf.Tensor, state: tf.Tensor, landmarks_68: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Values (B, T, outputs) and the next state of a piece of B sequences (see `ServedModel`).

        Raises:
          ValueError: faces are no uint8 (B, T, S, S, 3) with at least one frame.
        """
        size = self.spec.size
        if faces.dtype != tf.uint8 or faces.shape.rank != 5 or faces.shape[1:] != (faces.shape[1], size, size, 3):
            what = f"{faces.dtype.name} {tuple(faces.shape)}"
            raise ValueError(f"faces are uint8 RGB from 0 to 255, (B, T, {size}, {size}, 3), not {what}")
        more = {"landmarks_68": landmarks_68} if self.landmarks_68 else {}
        result = self._step(faces=faces, state=state, **more)
        return result["values"], result["state"]


def open_model(path: Path, checkpoint: str) -> LoadedModel:
    """Loads an exported SavedModel, or `checkpoint` of a model folder.

    Raises:
      InputError: the folder is neither.
    """
    folder = ModelFolder(path)
    if (path / "saved_model.pb").exists():
        loaded = tf.saved_model.load(str(path))
        step = loaded.signatures["step"]
        # Only the returned object keeps the variables alive; the signature alone holds weak references.
        step.owner = loaded
        width = step.structured_input_signature[1]["state"].shape[1]
        return LoadedModel(step, width, read_input_spec(folder.input), read_options(folder), is_synthetic(folder))
    if not folder.model.exists():
        what = "this is neither a model folder nor an exported model"
        raise InputError(path, what, "name a folder that affwildnet.train or affwildnet.export has written")
    if not folder.checkpoints.exists() and (path / "differences.json").exists():
        raise InputError(path, "this export holds no SavedModel", "export with --formats=saved_model as well")
    model, spec = load_model(folder)
    restore_model(model, choose_checkpoint(folder, checkpoint))
    served = ServedModel(model)
    return LoadedModel(served.step, served.state_width, spec, model.options, is_synthetic(folder))
