"""SPEC.md's "Cell semantics" restated in NumPy, a frame and a layer at a time; weights by TensorFlow 1's names."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Weights = dict[str, np.ndarray]
Step = Callable[[Weights, np.ndarray, list[np.ndarray], int], tuple[np.ndarray, list[np.ndarray]]]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def join(*parts: np.ndarray) -> np.ndarray:
    return np.concatenate(parts, axis=1)


def within(scope: str, weights: Weights) -> Weights:
    return {name.removeprefix(scope): value for name, value in weights.items() if name.startswith(scope)}


def rnn(weights: Weights, x: np.ndarray, states: list[np.ndarray], frames: int) -> tuple[np.ndarray, list[np.ndarray]]:
    w = within("basic_rnn_cell/", weights)
    h = np.tanh(join(x, states[0]) @ w["kernel"] + w["bias"])
    return h, [h]


def gru(weights: Weights, x: np.ndarray, states: list[np.ndarray], frames: int) -> tuple[np.ndarray, list[np.ndarray]]:
    w, (h,) = within("gru_cell/", weights), states
    r, u = np.split(sigmoid(join(x, h) @ w["gates/kernel"] + w["gates/bias"]), 2, axis=1)
    c = np.tanh(join(x, r * h) @ w["candidate/kernel"] + w["candidate/bias"])
    h = u * h + (1 - u) * c
    return h, [h]


def lstm(weights: Weights, x: np.ndarray, states: list[np.ndarray], frames: int) -> tuple[np.ndarray, list[np.ndarray]]:
    w, (c, h) = within("lstm_cell/", weights), states
    w_i, w_f, w_o = (w.get(name, 0) for name in ("w_i_diag", "w_f_diag", "w_o_diag"))
    i, j, f, o = np.split(join(x, h) @ w["kernel"] + w["bias"], 4, axis=1)
    c = sigmoid(f + 1 + w_f * c) * c + sigmoid(i + w_i * c) * np.tanh(j)
    h = sigmoid(o + w_o * c) * np.tanh(c)
    return h, [c, h]


def indrnn(
    weights: Weights, x: np.ndarray, states: list[np.ndarray], frames: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    w, limit = within("ind_rnn_cell/", weights), 2 ** (1 / frames)
    u = np.minimum(limit, np.maximum(-limit, w["recurrent_kernel"]))
    h = np.maximum(0, x @ w["input_kernel"] + u * states[0] + w["bias"])
    return h, [h]


def highway(
    weights: Weights, x: np.ndarray, states: list[np.ndarray], frames: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    out, states = gru(weights, x, states, frames)
    g = sigmoid(x @ weights["carry_w"] + weights["carry_b"])
    return g * x + (1 - g) * out, states


def residual(
    weights: Weights, x: np.ndarray, states: list[np.ndarray], frames: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    out, states = gru(weights, x, states, frames)
    return x + out, states


# The registered name -> its formula, and how many tensors its state has.
STEPS: dict[str, tuple[Step, int]] = {
    "gru": (gru, 1),
    "gru_highway": (highway, 1),
    "gru_residual": (residual, 1),
    "indrnn": (indrnn, 1),
    "lstm": (lstm, 2),
    "lstm_addons": (lstm, 2),
    "lstm_plain": (lstm, 2),
    "rnn": (rnn, 1),
}


def run_stack(
    cell: str, weights: Weights, x: np.ndarray, states: list[np.ndarray], frames: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """One frame through all layers; `weights` below the scope of the attention cell, if any."""
    step, count = STEPS[cell]
    new_states: list[np.ndarray] = []
    while len(new_states) < len(states):
        layer = len(new_states) // count
        own = states[layer * count : (layer + 1) * count]
        x, own = step(within(f"multi_rnn_cell/cell_{layer}/", weights), x, own, frames)
        new_states += own
    return x, new_states


def run_block(
    cell: str, weights: Weights, inputs: np.ndarray, states: list[np.ndarray], window: int, frames: int
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """All frames of `inputs` (B, T, D) from `states`, through the attention cell of `window` outputs (0: none).

    Returns the outputs (B, T, A), the final state, and the attention weights (B, T, window).
    """
    outputs, shown = [], []
    if window == 0:
        for x in np.moveaxis(inputs, 1, 0):
            output, states = run_stack(cell, weights, x, states, frames)
            outputs.append(output)
        return np.stack(outputs, 1), states, np.zeros((*inputs.shape[:2], 0))
    w = within("attention_cell_wrapper/", weights)
    *states, attns, flat = states
    past = list(np.split(flat, window, axis=1))
    for x in np.moveaxis(inputs, 1, 0):
        out, states = run_stack(cell, w, join(x, attns) @ w["kernel"] + w["bias"], states, frames)
        q = join(*states) @ w["attention/kernel"] + w["attention/bias"]
        e = np.stack([np.tanh(o @ w["attention/attn_w"][0, 0] + q) @ w["attention/attn_v"] for o in past], 1)
        a = np.exp(e) / np.exp(e).sum(axis=1, keepdims=True)
        attns = sum(a[:, i : i + 1] * past[i] for i in range(window))
        y = join(out, attns) @ w["attn_output_projection/kernel"] + w["attn_output_projection/bias"]
        past = [*past[1:], y]
        outputs.append(y)
        shown.append(a)
    return np.stack(outputs, 1), [*states, attns, join(*past)], np.stack(shown, 1)
