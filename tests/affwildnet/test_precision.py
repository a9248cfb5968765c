"""Mixed precision and the step's options: 16 bits where they belong, float32 weights, and what an overflow does."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.cases import CASES, trained_variables
from affwildnet.checkpoints import restore_model
from affwildnet.input_spec import InputSpec
from affwildnet.models import ModelOptions, build_model
from affwildnet.optimizer import OptimizerOptions, make_optimizer
from affwildnet.precision import GROWTH_STEPS, START_SCALE, LossScale, building_with
from affwildnet.train_step import StepOptions, make_train_step

OPTIONS = ModelOptions(layers=1, units=8, attention_length=0, fc=("12",), dropout=0.2)
FUSED = dataclasses.replace(OPTIONS, attention_length=3, dropout=0.0)


def _model(precision, options=OPTIONS):
    tf.keras.utils.set_random_seed(1)
    with building_with(precision):
        return build_model(options, InputSpec())


def _batch(frames=6):
    rng = np.random.default_rng(2)
    return {
        "features": tf.constant(rng.random((2, frames, 64)), tf.float32),
        "labels": tf.constant(rng.uniform(-1, 1, (2, frames, 2)), tf.float32),
        "weights": tf.ones([2, frames]),
        "names": tf.fill([2, frames], "a/00001"),
    }


def _step(model, loss_scale=None, rate=1e-3, optimizing=None, xla=False, chosen=None):
    variables = trained_variables(model, CASES["0"])
    optimizer = make_optimizer(rate, variables, optimizing)
    chosen = chosen or StepOptions()
    return make_train_step(model, variables, optimizer, CASES["0"], chosen, loss_scale, xla), optimizer


@pytest.mark.parametrize(("precision", "attention_length"), [("mixed_bfloat16", 3), ("mixed_float16", 0)])
def test_mixed_model_computes_in_16_bits_over_float32_weights_and_its_head_in_float32(
    tmp_path, precision, attention_length
):
    model = _model(precision, dataclasses.replace(OPTIONS, attention_length=attention_length))
    assert model.block.compute_dtype == model.backbone.compute_dtype == precision.removeprefix("mixed_")
    assert model.block.stack.cells[0].compute_dtype == precision.removeprefix("mixed_")
    assert model.head.compute_dtype == "float32" and {weight.dtype for weight in model.weights} == {tf.float32}
    assert tf.keras.mixed_precision.global_policy().name == "float32"
    loss_scale = LossScale() if precision == "mixed_float16" else None
    step, _ = _step(model, loss_scale, rate=1e-2)
    losses = [float(step(_batch(), number).losses["total"]) for number in range(15)]
    assert min(losses[-3:]) < losses[0] - 0.1
    # What evaluation and export do.
    prefix = tf.train.Checkpoint(model=model).save(str(tmp_path / "ckpt"))
    plain = _model("float32", model.options)
    restore_model(plain, prefix)
    faces = np.random.default_rng(0).integers(0, 256, (1, 4, 96, 96, 3), np.uint8)
    assert plain(faces).dtype == model(faces).dtype == tf.float32
    np.testing.assert_allclose(plain(faces), model(faces), atol=0.1)
    np.testing.assert_array_equal(plain.block.get_weights()[0], model.block.get_weights()[0])


def test_step_whose_gradients_overflow_moves_nothing_but_the_scale():
    model, loss_scale = _model("mixed_float16"), LossScale()
    step, optimizer = _step(model, loss_scale)
    loss_scale.scale.assign(2.0**60)
    before = [weight.numpy() for weight in model.weights]
    result = step(_batch())
    assert bool(result.skipped) and np.isfinite(float(result.losses["total"]))
    assert int(optimizer.iterations) == 0 and float(loss_scale.scale) == 2.0**59
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)
    loss_scale.scale.assign(8.0)
    assert not bool(step(_batch()).skipped) and int(optimizer.iterations) == 1
    assert any(not np.array_equal(weight, value) for weight, value in zip(model.weights, before, strict=True))


def test_scale_of_the_loss_halves_down_to_1_and_doubles_after_enough_good_steps():
    loss_scale = LossScale()
    assert float(loss_scale.scale) == START_SCALE
    loss_scale.update(tf.constant(False))
    assert float(loss_scale.scale) == START_SCALE / 2
    loss_scale.good_steps.assign(GROWTH_STEPS - 1)
    loss_scale.update(tf.constant(True))
    assert float(loss_scale.scale) == START_SCALE and int(loss_scale.good_steps) == 0
    loss_scale.update(tf.constant(True))
    assert int(loss_scale.good_steps) == 1
    for _ in range(40):
        loss_scale.update(tf.constant(False))
    assert float(loss_scale.scale) == 1


def test_step_compiled_by_xla_does_what_the_step_does():
    results, weights = {}, {}
    for xla in (False, True):
        model = _model("float32", FUSED)
        step, _ = _step(model, xla=xla)
        results[xla] = [step(_batch(), number) for number in range(2)]
        weights[xla] = model.block.get_weights() + model.head.get_weights()
    for plain, compiled in zip(results[False], results[True], strict=True):
        np.testing.assert_allclose(compiled.losses["total"], plain.losses["total"], rtol=1e-5)
        np.testing.assert_allclose(compiled.gradient_norms["global"], plain.gradient_norms["global"], rtol=1e-4)
    for compiled, plain in zip(weights[True], weights[False], strict=True):
        np.testing.assert_allclose(compiled, plain, atol=1e-5)


def test_gradient_is_shortened_to_the_norm_and_told_as_it_was():
    options = dataclasses.replace(OPTIONS, dropout=0.0)
    moments, norms = {}, {}
    for clip in (0.0, 1e-3):
        model = _model("float32", options)
        step, optimizer = _step(model, chosen=StepOptions(clip_norm=clip))
        norms[clip] = {name: float(value) for name, value in step(_batch()).gradient_norms.items()}
        # After one step the first moment is a tenth of the gradient that was applied.
        moments[clip] = np.concatenate([10 * moment.numpy().ravel() for moment in optimizer.first_moments])
    assert list(norms[0.0]) == ["global", "fc", "block", "head"]
    assert norms[1e-3] == pytest.approx(norms[0.0], rel=1e-5)
    parts = [norms[0.0][name] ** 2 for name in ("fc", "block", "head")]
    assert norms[0.0]["global"] == pytest.approx(sum(parts) ** 0.5, rel=1e-5)
    assert np.linalg.norm(moments[0.0]) == pytest.approx(norms[0.0]["global"], rel=1e-4)
    assert np.linalg.norm(moments[1e-3]) == pytest.approx(1e-3, rel=1e-4)
    np.testing.assert_allclose(moments[1e-3] * norms[0.0]["global"], moments[0.0] * 1e-3, atol=1e-7)


def test_rate_that_a_step_tells_is_the_schedules_at_the_updates_done():
    model = _model("float32")
    optimizing = OptimizerOptions(schedule="step", schedule_steps=2, schedule_factor=0.5, warmup_steps=2)
    step, _ = _step(model, rate=0.1, optimizing=optimizing)
    rates = [float(step(_batch(), number).learning_rate) for number in range(7)]
    np.testing.assert_allclose(rates, [0.05, 0.1, 0.1, 0.1, 0.05, 0.05, 0.025], rtol=1e-6)


def test_same_seed_gives_the_same_weights_and_another_step_drops_others():
    def train(seed):
        model = _model("float32")
        step, _ = _step(model, chosen=StepOptions(seed=seed))
        for number in range(3):
            step(_batch(), number)
        return np.concatenate([weight.ravel() for weight in model.block.get_weights()])

    first, again, other = train(1), train(1), train(2)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    step, _ = _step(_model("float32"), rate=0.0)
    losses = [float(step(_batch(), number).losses["total"]) for number in (0, 1, 0)]
    assert losses[0] == losses[2] != losses[1]
