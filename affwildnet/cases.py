"""The thesis's training cases (table 6.3): what is trained, and the learning rate it used. Case 1 and 3 follow."""

from __future__ import annotations

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Case:
    """`trained` names the parts of a model whose weights change."""

    trained: tuple[str, ...]
    learning_rate: float


CASES: dict[str, Case] = {
    # The rate is that of the attention cell; 1e-3 does not converge there (SPEC, Training).
    "0": Case(("block", "head"), 1e-4),
    "2": Case(("backbone", "block", "head"), 1e-4),
}


def trained_variables(model: tf.keras.Model, case: Case) -> list[tf.Variable]:
    """The variables that `case` trains, in a fixed order; a model without recurrent block has none of it."""
    parts = [getattr(model, name) for name in case.trained]
    return [variable for part in parts if part is not None for variable in part.trainable_variables]
