"""What trained recurrent blocks have learned to look at: attention over past outputs, IndRNN's recurrent weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data_pipeline.statistics.drawing import Panel, new_axes, new_figure
from experiments.report_figures import Figure
from tfrecords.workspace import Workspace

# Sequences of the test part over which attention is averaged.
_SEQUENCES = 16


def attention_figure(folder: Path, workspace: Workspace, label: str) -> Figure:
    """Mean attention by how far back a frame looks, and the weights of one sequence's frames."""
    weights = attention_weights(folder, workspace)
    if weights is None:
        return Figure("attention", None, "needs records of the test part and a run with attention.")
    length = weights.shape[2]
    # Frames whose whole window lies inside the sequence: before them, it holds zeros.
    settled = weights[:, length:] if weights.shape[1] > length else weights
    mean, spread = (np.flip(f(settled.reshape(-1, length), axis=0)) for f in (np.mean, np.std))
    back = np.arange(1, length + 1)
    drawn: list[str] = []
    with new_figure(drawn, (8.6, 3.2), "png") as figure:
        left, right = figure.subplots(1, 2)
        left.fill_between(back, mean - spread, mean + spread, color="#0072b2", alpha=0.2, linewidth=0)
        left.plot(back, mean, color="#0072b2", label="mean ± standard deviation")
        left.axhline(1 / length, color="0.4", linewidth=0.9, linestyle="--", label="alike")
        left.set(xlabel="frames back", ylabel="attention weight", ylim=(0, None))
        left.legend()
        mesh = right.pcolormesh(np.arange(len(weights[0]) + 1), np.arange(length + 1) + 0.5, np.flip(weights[0], 1).T)
        right.set(xlabel="frame of a test sequence", ylabel="frames back")
        right.grid(False)
        figure.colorbar(mesh, ax=right, label="attention weight")
    furthest = int(back[np.argmax(mean)])
    caption = f"Attention weights of {label} on {len(weights)} test sequences: it looks most at the output {furthest} "
    caption += (
        f"frame{'s' if furthest > 1 else ''} back (mean weight {mean.max():.3f}; alike would be {1 / length:.3f})."
    )
    return Figure("attention", Panel(drawn[0], caption), caption)


def attention_weights(folder: Path, workspace: Workspace) -> np.ndarray | None:
    """Weights (sequences, T, L), oldest output first, of the best checkpoint by the mean; None without attention."""
    import tensorflow as tf

    from affwildnet.checkpoints import choose_checkpoint, restore_model
    from affwildnet.model_folder import ModelFolder, load_model
    from tfrecords.index import open_partition
    from tfrecords.loader import evaluation_dataset
    from tfrecords.workspace import read_json

    model_folder = ModelFolder(folder)
    model, _ = load_model(model_folder)
    if model.block is None or not model.options.attention_length:
        return None
    restore_model(model, choose_checkpoint(model_folder, "total"))
    files = open_partition(workspace, "test")
    trained = read_json(model_folder.model)["training"]
    found: list[np.ndarray] = []
    # One at a time, so that a last sequence that is shorter is seen as it is.
    for batch in evaluation_dataset(files, trained["sequence_length"], 1, model.options.outputs, trained["gap_factor"]):
        count = int(tf.reduce_sum(batch["weights"]))
        if count == trained["sequence_length"]:
            features = model.features(batch["faces"], landmarks_68=batch.get("landmarks_68"))
            if model.fc is not None:
                features = model.fc(features)
            found.append(model.block.attention_weights(features)[0].numpy())
        if len(found) == _SEQUENCES:
            break
    return np.stack(found) if found else None


def indrnn_figure(folder: Path, label: str) -> Figure:
    """Histogram of each layer's recurrent weights u, as they act: clipped to 2^(1/T)."""
    from affwildnet.checkpoints import choose_checkpoint, restore_model
    from affwildnet.model_folder import ModelFolder, load_model

    model_folder = ModelFolder(folder)
    model, _ = load_model(model_folder)
    restore_model(model, choose_checkpoint(model_folder, "total"))
    bound = 2 ** (1 / model.options.recurrent_limit_frames)
    layers = [np.clip(u, -bound, bound) for u in recurrent_weights(model)]
    drawn: list[str] = []
    with new_axes(drawn, (6.4, 1.8 * len(layers) + 0.8), len(layers), kind="png") as axes:
        edges = np.linspace(min(0.0, *(u.min() for u in layers)), bound, 41)
        for number, (axis, u) in enumerate(zip(axes, layers, strict=True), start=1):
            axis.hist(u, edges, color="#0072b2")
            axis.axvline(bound, color="#d55e00", linestyle="--", linewidth=1, label=f"bound {bound:.4f}")
            axis.set(ylabel=f"units of layer {number}")
        axes[0].legend(loc="upper left")
        axes[-1].set_xlabel("recurrent weight u")
    told = "; ".join(
        f"layer {number}: mean {u.mean():.3f}, {100 * np.mean(np.abs(u) > 0.99):.0f} % above 0.99 (long memory)"
        for number, u in enumerate(layers, start=1)
    )
    caption = f"Recurrent weights of {label}. {told}."
    return Figure("indrnn", Panel(drawn[0], caption), caption)


def recurrent_weights(model: object) -> list[np.ndarray]:
    """The weights u (units,) of an IndRNN model's layers, as they are stored."""
    cells = model.block.stack.cells  # type: ignore[attr-defined]
    return [cell.recurrent_kernel.numpy() for cell in cells]
