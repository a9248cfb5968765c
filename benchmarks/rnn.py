"""The recurrent block as it is written against its fused form, in turn: ``python -m benchmarks.rnn``.

For each batch: the forward pass, a training step (literal with Keras's Adam, fused with `FusedAdam`; the features come
from a frozen CNN, so no gradient goes to them) and the forward pass in evaluation (fused: weights folded once). Rounds
alternate between the two, so that a busy machine slows both; medians. The last line is one JSON object, in which every
part at B = 2 has its target and whether it was `met`.
"""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
import time
from collections.abc import Callable

import tensorflow as tf

from affwildnet.adam import FusedAdam
from affwildnet.folded import fold
from affwildnet.recurrent import RecurrentBlock
from tfrecords import options
from tfrecords.options import option

# At B = 2, the least ratio that the project holds itself to.
TARGETS = {"forward": 8.0, "training": 12.0, "evaluation": 30.0}


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """What is timed; the thesis's sizes."""

    batches: tuple[str, ...] = option(("2", "8", "32"), "sequences a batch")
    rounds: int = option(7, "rounds of each pair at the smallest batch; larger ones take fewer")
    cell: str = option("gru", "recurrent cell")
    frames: int = option(80, "frames a sequence")
    features: int = option(4608, "features a frame")
    units: int = option(128, "units of each of the two layers")
    attention_length: int = option(30, "frames in the attention window")


Call = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def make_forward(block: Callable) -> Call:
    """features (B, T, D), targets -> outputs, compiled."""
    return tf.function(lambda features, targets: block(features)[0])


def make_training_step(block: RecurrentBlock, optimizer: tf.keras.optimizers.Optimizer | FusedAdam) -> Call:
    """features, targets (B, T, units) -> loss, weights updated; the optimizer's slots exist afterwards."""
    variables = block.trainable_variables
    optimizer.build(variables)

    @tf.function
    def step(features: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(block(features)[0] - targets))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    return step


def time_in_turn(literal: Call, fused: Call, arguments: tuple[tf.Tensor, tf.Tensor], rounds: int) -> dict[str, float]:
    """Medians in milliseconds and their ratio, after a first call of each that compiles."""
    seconds: dict[str, list[float]] = {"literal": [], "fused": []}
    for call in (literal, fused):
        call(*arguments)
    for _ in range(rounds):
        for name, call in (("literal", literal), ("fused", fused)):
            start = time.perf_counter()
            call(*arguments).numpy()
            seconds[name].append(time.perf_counter() - start)
    medians = {name: 1000 * statistics.median(values) for name, values in seconds.items()}
    return medians | {"ratio": medians["literal"] / medians["fused"]}


def run_benchmark(chosen: Benchmark) -> dict[str, dict[str, dict[str, float]]]:
    """batch -> part -> medians and ratio; prints a row as each is known."""
    tf.keras.utils.set_random_seed(0)
    blocks = {}
    for name, fused in (("literal", False), ("fused", True)):
        block = RecurrentBlock(chosen.cell, 2, chosen.units, chosen.attention_length, fused=fused)
        block(tf.zeros([1, 1, chosen.features]))
        blocks[name] = block
    blocks["fused"].set_weights(blocks["literal"].get_weights())
    training = (
        make_training_step(blocks["literal"], tf.keras.optimizers.Adam(1e-4, epsilon=1e-8)),
        make_training_step(blocks["fused"], FusedAdam(1e-4)),
    )
    forward = make_forward(blocks["literal"]), make_forward(blocks["fused"])
    print(f"{'B':>3}  {'part':<10}  {'literal, ms':>11}  {'fused, ms':>9}  {'ratio':>6}  target")
    results: dict[str, dict[str, dict[str, float]]] = {}
    for batch in chosen.batches:
        shape = [int(batch), chosen.frames]
        arguments = tf.random.normal([*shape, chosen.features]), tf.random.normal([*shape, chosen.units])
        evaluation = forward[0], make_forward(fold(blocks["fused"]))
        results[batch] = {}
        rounds = max(3, chosen.rounds * int(chosen.batches[0]) // int(batch))
        for part, pair in (("forward", forward), ("training", training), ("evaluation", evaluation)):
            found = results[batch][part] = time_in_turn(*pair, arguments, rounds)
            target = ""
            if batch == "2":
                found["target"], found["met"] = TARGETS[part], found["ratio"] >= TARGETS[part]
                target = f">= {TARGETS[part]:g}{'' if found['met'] else ', missed'}"
            times = f"{found['literal']:11.1f}  {found['fused']:9.1f}  {found['ratio']:6.1f}"
            print(f"{batch:>3}  {part:<10}  {times}  {target}", flush=True)
    return results


def main(argv: list[str]) -> int:
    chosen = options.from_flags(Benchmark)
    load = os.getloadavg()[0]
    results = run_benchmark(chosen)
    facts = {"benchmark": "rnn", "cores": os.cpu_count(), "load_before": load, "tensorflow": tf.__version__}
    print(json.dumps(facts | {"options": dataclasses.asdict(chosen), "results": results}))
    return 0


if __name__ == "__main__":
    options.run_main(main, Benchmark)
