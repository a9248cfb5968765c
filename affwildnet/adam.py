"""Adam as TensorFlow 1's optimizer computed it: by the fused kernel, with its ε."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import tensorflow as tf

from affwildnet.schedules import Schedule, constant_rate


class FusedAdam(tf.Module):
    """``m += (g - m)(1 - β1)``, ``v += (g² - v)(1 - β2)``, ``w -= rate √(1 - β2ᵗ) / (1 - β1ᵗ) · m / (√v + ε)``.

    ε is outside of the bias correction (the paper's "epsilon hat"). One pass of one kernel over each weight: Keras's
    Adam takes 50 ms more for an attention cell's 87 MB (`attention_trials.md`). Sparse gradients are made dense.

    The rate is a number or a function of `iterations` (`schedules`). A `weight_decay` d takes ``rate d w`` of every w
    but vectors (biases, batch norm's) before the step, whatever the gradient (Loshchilov & Hutter 2019, AdamW).

    `iterations`, `first_moments` and `second_moments` are what a `tf.train.Checkpoint` of it holds, the moments in the
    order of the variables given to `build`. Under a `tf.distribute` strategy make and `build` it in its scope;
    `apply_gradients`, called in a replica, sums the replicas' gradients as Keras's optimizers do.
    """

    def __init__(
        self,
        learning_rate: float | Schedule,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(name="adam")
        self.learning_rate = learning_rate if callable(learning_rate) else constant_rate(learning_rate)
        self.weight_decay = weight_decay
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.iterations = tf.Variable(0, dtype=tf.int64, trainable=False, name="iterations")
        self.first_moments: list[tf.Variable] = []
        self.second_moments: list[tf.Variable] = []
        self._slots: dict[object, int] = {}

    def build(self, variables: Sequence[tf.Variable]) -> None:
        """Creates the moments, at zero; before a checkpoint is restored or a step is compiled."""
        if self._slots:
            raise ValueError("this optimizer has its variables already; make another for others")
        self._slots = {variable.ref(): i for i, variable in enumerate(variables)}
        self.first_moments = [_zeros_like(variable, "first_moment") for variable in variables]
        self.second_moments = [_zeros_like(variable, "second_moment") for variable in variables]

    def apply_gradients(self, gradients_and_variables: Iterable[tuple[tf.Tensor, tf.Variable]]) -> None:
        """One step; the pairs hold variables given to `build`, each with its gradient.

        Raises:
          ValueError: a variable has no gradient or was not given to `build`.
        """
        pairs = list(gradients_and_variables)
        variables = [variable for _, variable in pairs]
        self.apply_sums(self.sum_gradients([gradient for gradient, _ in pairs], variables), variables)

    def sum_gradients(self, gradients: Sequence[tf.Tensor], variables: Sequence[tf.Variable]) -> list[tf.Tensor]:
        """The gradients, dense, summed over the replicas if there are any; for whoever looks at all of them at once.

        Raises: as `apply_gradients`.
        """
        for gradient, variable in zip(gradients, variables, strict=True):
            if variable.ref() not in self._slots:
                raise ValueError(f"the optimizer was not built for the variable {variable.name}")
            if gradient is None:
                raise ValueError(f"the variable {variable.name} has no gradient; leave it out or mend the loss")
        dense = [tf.convert_to_tensor(gradient) for gradient in gradients]
        if not tf.distribute.has_strategy():
            return dense
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, dense)

    def apply_sums(
        self, gradients: Sequence[tf.Tensor], variables: Sequence[tf.Variable], apply: tf.Tensor | None = None
    ) -> None:
        """The rest of a step, from what `sum_gradients` gave; where `apply` (bool scalar) is false nothing moves."""
        if not tf.distribute.has_strategy():
            self._update_if(None, apply, list(gradients), list(variables))
        else:
            replica = tf.distribute.get_replica_context()
            replica.merge_call(self._update_if, args=(apply, list(gradients), list(variables)))

    def _update_if(
        self,
        strategy: tf.distribute.Strategy | None,
        apply: tf.Tensor | None,
        gradients: list[tf.Tensor],
        variables: list[tf.Variable],
    ) -> None:
        if apply is None:
            self._update_all(strategy, gradients, variables)
            return
        if strategy is not None:
            apply = strategy.experimental_local_results(apply)[0]  # alike: all have seen the same sums

        def update() -> tf.Tensor:
            self._update_all(strategy, gradients, variables)
            return tf.constant(True)

        tf.cond(apply, update, lambda: tf.constant(False))

    def _update_all(
        self, strategy: tf.distribute.Strategy | None, gradients: list[tf.Tensor], variables: list[tf.Variable]
    ) -> None:
        rate = self.learning_rate(self.iterations)
        step = tf.cast(self.iterations, tf.float32) + 1
        powers = tf.pow(self.beta_1, step), tf.pow(self.beta_2, step)
        for gradient, variable in zip(gradients, variables, strict=True):
            slot = self._slots[variable.ref()]
            arguments = (self.first_moments[slot], self.second_moments[slot], gradient, rate, *powers)
            if strategy is None:
                self._update(variable, *arguments)
            else:
                strategy.extended.update(variable, self._update, args=arguments)
        self.iterations.assign_add(1)

    def _update(
        self,
        variable: tf.Variable,
        first_moment: tf.Variable,
        second_moment: tf.Variable,
        gradient: tf.Tensor,
        rate: tf.Tensor,
        beta_1_power: tf.Tensor,
        beta_2_power: tf.Tensor,
    ) -> None:
        if self.weight_decay and len(variable.shape) > 1:
            variable.assign_sub(tf.cast(rate * self.weight_decay, variable.dtype) * variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=first_moment.handle,
            v=second_moment.handle,
            beta1_power=tf.cast(beta_1_power, variable.dtype),
            beta2_power=tf.cast(beta_2_power, variable.dtype),
            lr=tf.cast(rate, variable.dtype),
            beta1=tf.cast(self.beta_1, variable.dtype),
            beta2=tf.cast(self.beta_2, variable.dtype),
            epsilon=tf.cast(self.epsilon, variable.dtype),
            grad=gradient,
            use_locking=True,
        )


def _zeros_like(variable: tf.Variable, name: str) -> tf.Variable:
    return tf.Variable(tf.zeros(variable.shape, variable.dtype), trainable=False, name=name)
