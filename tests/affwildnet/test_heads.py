"""Heads by configuration: how they are written, what they read, and what their outputs mean."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.backbones import BACKBONES
from affwildnet.backbones.backbone import Backbone
from affwildnet.cases import CASES, trained_variables
from affwildnet.heads import Head, head_text, parse_head, parse_heads, to_values
from affwildnet.input_spec import InputSpec
from affwildnet.models import AffWildNet, ModelOptions, build_model
from affwildnet.train_step import network_loss
from tfrecords.errors import InputError

SPEC = InputSpec(size=16)
HEADS = (
    "va:regression:valence+arousal",
    "aus:sigmoid:au01+au12+au25:at=features:weight=0.5:hidden=6+5:dropout=0.5",
    "expression:softmax:expression_neutral+expression_anger+expression_joy:at=block",
)


def _two_points(size: int) -> tf.keras.Model:
    """Points ``eye`` (N, 3) and ``mouth`` (N, 4) over a common layer; ``features`` joins them."""
    faces = tf.keras.Input((size, size, 3))
    common = tf.keras.layers.Dense(5, activation="tanh", name="common")(tf.keras.layers.Flatten()(faces))
    eye = tf.keras.layers.Dense(3, name="eye")(common)
    mouth = tf.keras.layers.Dense(4, name="mouth")(common)
    both = tf.keras.layers.Concatenate()([eye, mouth])
    return tf.keras.Model(faces, {"eye": eye, "features": both, "mouth": mouth})


@pytest.fixture
def two_points(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a registered backbone with the points eye, features and mouth."""
    monkeypatch.setitem(BACKBONES, "two_points", Backbone(_two_points, "", points=("eye", "features", "mouth")))
    return "two_points"


def small(seed: int = 1, **options: object) -> AffWildNet:
    tf.keras.utils.set_random_seed(seed)
    chosen = {"units": 4, "layers": 1, "attention_length": 0, "heads": HEADS, **options}
    return build_model(ModelOptions(**chosen), SPEC)


def faces(batch: int = 2, frames: int = 3) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (batch, frames, 16, 16, 3), np.uint8)


@pytest.fixture(scope="module")
def model() -> AffWildNet:
    return small()


def test_a_written_head_is_read_with_all_its_keys() -> None:
    assert parse_head(HEADS[1]) == Head("aus", "sigmoid", ("au01", "au12", "au25"), "features", 0.5, "", (6, 5), 0.5)
    assert parse_head("v:regression:valence:loss=mse") == Head("v", "regression", ("valence",), loss="mse")


@pytest.mark.parametrize("text", HEADS)
def test_what_is_read_is_written_as_it_was(text: str) -> None:
    assert head_text(parse_head(text)) == text


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["va"], "no kind '' of regression, sigmoid, softmax"),
        (["va:linear:valence"], "no kind 'linear'"),
        (["va:regression:"], "'' is no name"),
        (["VA:regression:valence"], "'VA' is no name"),
        (["total:regression:valence"], "'total' is no name of small letters, digits and _, or is 'total'"),
        (["va:regression:valence+valence"], "a column stands twice"),
        (["e:softmax:joy"], "one class alone"),
        (["va:regression:valence:size=3"], "no key 'size' of at, weight, loss, hidden, dropout"),
        (["va:regression:valence:weight=-1"], "weight=-1 cannot be; weight is a number from 0 up"),
        (["va:regression:valence:weight=nan"], "weight=nan cannot be"),
        (["va:regression:valence:hidden=0"], "hidden=0 cannot be; hidden is widths like 512\\+1024"),
        (["va:regression:valence:dropout=1"], "dropout=1 cannot be"),
        (["va:regression:valence:loss=mae"], "loss=mae cannot be; loss is one of ccc, mse"),
        (["a:sigmoid:au01:loss=mse"], "the loss of sigmoid is its cross-entropy"),
        (["a:sigmoid:au01", "b:sigmoid:au01"], "'au01' is in the heads a and b"),
        (["a:sigmoid:au01", "au01:sigmoid:au02"], "'au01' is in the heads a and au01"),
        (["au01:sigmoid:au01+au02"], "is called as one of its columns"),
    ],
)
def test_a_head_that_is_not_written_as_one_is_refused_with_the_reason(texts: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_heads(texts)


def test_outputs_are_the_columns_of_all_heads_in_order(model: AffWildNet) -> None:
    columns = ("valence", "arousal", "au01", "au12", "au25")
    columns += ("expression_neutral", "expression_anger", "expression_joy")
    assert model.options.outputs == columns
    assert model(faces()).shape == (2, 3, 8)


def test_values_are_numbers_and_probabilities() -> None:
    raw = np.random.default_rng(0).normal(0, 30, (2, 3, 8)).astype(np.float32)
    values = to_values(tf.constant(raw), parse_heads(HEADS)).numpy()
    np.testing.assert_array_equal(values[..., :2], raw[..., :2])
    np.testing.assert_allclose(values[..., 2:5], 1 / (1 + np.exp(-raw[..., 2:5].astype(np.float64))), rtol=1e-5)
    shifted = np.exp(raw[..., 5:] - raw[..., 5:].max(axis=-1, keepdims=True))
    np.testing.assert_allclose(values[..., 5:], shifted / shifted.sum(axis=-1, keepdims=True), rtol=1e-5, atol=1e-30)


def test_without_heads_outputs_are_returned_as_they_are() -> None:
    raw = tf.ones([1, 1, 2])
    assert to_values(raw, ()) is raw


def test_a_head_reads_its_point_through_its_hidden_layers(model: AffWildNet) -> None:
    features = model.features(faces())
    x = features.numpy().astype(np.float64)
    part = model.head.parts["aus"]
    for dense, norm in zip(part.hidden, part.norms, strict=True):
        gamma, beta, mean, variance = (weight.numpy() for weight in norm.weights)
        x = np.maximum(0, (x @ dense.kernel.numpy() - mean) / np.sqrt(variance + 1e-3) * gamma + beta)
    x = x @ part.output_layer.kernel.numpy() + part.output_layer.bias.numpy()
    np.testing.assert_allclose(model(faces())[..., 2:5], x, rtol=1e-4, atol=1e-5)


def test_a_head_without_a_point_reads_the_recurrent_block_as_one_that_names_it(model: AffWildNet) -> None:
    outputs, _ = model.block(model.features(faces()))
    for place, name in ((slice(0, 2), "va"), (slice(5, 8), "expression")):
        kernel, bias = model.head.parts[name].output_layer.get_weights()
        np.testing.assert_allclose(model(faces())[..., place], outputs @ kernel + bias, rtol=1e-4, atol=1e-5)


def test_what_hidden_layers_drop_is_a_function_of_the_seed(model: AffWildNet) -> None:
    features = model.features(faces())
    runs = [
        model.predict_features(features, model.zero_state(2), training=True, seed=tf.constant([1, step]))[0].numpy()
        for step in (0, 0, 1)
    ]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert (runs[0][..., 2:5] != runs[2][..., 2:5]).any()
    np.testing.assert_array_equal(np.delete(runs[0], [2, 3, 4], -1), np.delete(runs[2], [2, 3, 4], -1))


def test_pieces_with_state_equal_one_run() -> None:
    model = small(attention_length=3)
    first, state = model.run(faces()[:, :1], model.zero_state(2))
    second, _ = model.run(faces()[:, 1:], state)
    np.testing.assert_allclose(tf.concat([first, second], axis=1), model(faces()), rtol=1e-4, atol=1e-5)


def test_a_checkpoint_restores_one_head_by_its_name(model: AffWildNet, tmp_path: object) -> None:
    path = tf.train.Checkpoint(model=model).write(f"{tmp_path}/model")
    other = small(2, heads=(HEADS[1],), cell="none")
    before = other.head.parts["aus"].output_layer.kernel.numpy()
    wanted = tf.train.Checkpoint(
        model=tf.train.Checkpoint(head=tf.train.Checkpoint(parts=tf.train.Checkpoint(aus=other.head.parts["aus"])))
    )
    wanted.read(path).assert_existing_objects_matched().expect_partial()
    for ours, theirs in zip(other.head.get_weights(), model.head.parts["aus"].get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert (other.head.parts["aus"].output_layer.kernel.numpy() != before).any()


def test_heads_read_the_points_of_a_backbone(two_points: str) -> None:
    model = small(backbone=two_points, cell="none", heads=("a:sigmoid:au01:at=mouth", "b:sigmoid:au02:at=eye"))
    assert model.points.names == ("eye", "mouth") and model.features(faces()).shape == (2, 3, 7)
    images = faces()[..., ::-1].reshape(-1, 16, 16, 3).astype(np.float32) / 128 - 1
    points = model.backbone(images)
    for column, (point, name) in enumerate((("mouth", "a"), ("eye", "b"))):
        kernel, bias = model.head.parts[name].output_layer.get_weights()
        expected = (points[point].numpy() @ kernel + bias).reshape(2, 3)
        np.testing.assert_allclose(model(faces())[..., column], expected, rtol=1e-4, atol=1e-5)


def test_the_block_reads_features_beside_heads_on_other_points(two_points: str) -> None:
    heads = ("a:sigmoid:au01:at=eye", "v:regression:valence")
    model = small(backbone=two_points, heads=heads)
    assert model.points.names == ("eye", "features") and model.points.widths == (3, 7)
    outputs, _ = model.block(model.features(faces())[..., 3:])
    kernel, bias = model.head.parts["v"].output_layer.get_weights()
    np.testing.assert_allclose(model(faces())[..., 1:], outputs @ kernel + bias, rtol=1e-4, atol=1e-5)


def test_landmarks_join_the_features_and_no_other_point(two_points: str) -> None:
    heads = ("a:sigmoid:au01:at=eye", "v:regression:valence")
    model = small(backbone=two_points, cell="none", fc=("5",), landmarks_68=True, heads=heads)
    marks = np.random.default_rng(0).uniform(-1, 1, (2, 3, 136)).astype(np.float32)
    moved = model(faces(), landmarks_68=marks).numpy() != model(faces(), landmarks_68=-marks).numpy()
    assert moved[..., 1].all() and not moved[..., 0].any()


def test_only_layers_that_lead_to_a_point_that_is_read_are_trained(two_points: str) -> None:
    model = small(backbone=two_points, cell="none", heads=("a:sigmoid:au01:at=eye",))
    trained = {variable.ref() for variable in trained_variables(model, CASES["2"])}
    layers = (model.backbone.get_layer("common"), model.backbone.get_layer("eye"), model.head)
    assert trained == {variable.ref() for layer in layers for variable in layer.trainable_variables}


def test_a_plain_network_reads_its_features(model: AffWildNet) -> None:
    plain = small(heads=())
    assert plain.points.names == ("features",) and plain.heads == () and isinstance(plain.head, tf.keras.layers.Dense)
    assert plain.options.outputs == ("valence", "arousal")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": ("a:sigmoid:au01:at=eye",)}, "reads 'eye', which this network does not have; read one of features"),
        ({"heads": ("a:sigmoid:au01:at=features",)}, "no head reads 'block'"),
        ({"heads": ("a:sigmoid:au01:at=features",), "cell": "none", "fc": ("4",)}, "no head reads 'fc'"),
    ],
)
def test_heads_that_do_not_fit_the_network_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        small(**options)


def test_a_backbone_without_features_has_heads_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = dataclasses.replace(BACKBONES["small_cnn"], points=("eye",))
    monkeypatch.setitem(BACKBONES, "eyes", entry)
    for options in ({"heads": ()}, {"heads": ("a:sigmoid:au01:at=eye", "v:regression:valence")}):
        with pytest.raises(InputError, match="eyes has no point 'features'"):
            small(backbone="eyes", **options)


def test_a_head_without_labels_in_the_batch_moves_no_weight_of_its_own(model: AffWildNet) -> None:
    labels = np.random.default_rng(0).random((2, 3, 8)).astype(np.float32)
    labels[..., 2:5] = np.nan
    batch = {"labels": tf.constant(labels), "weights": tf.ones([2, 3])}
    features = model.features(faces())
    with tf.GradientTape() as tape:
        raw, _ = model.predict_features(features, model.zero_state(2), training=True, seed=tf.constant([1, 2]))
        losses = network_loss(model, batch, raw, "mse")
    assert list(losses) == ["total", "va", "aus", "expression"] and losses["aus"] == 0
    gradients = tape.gradient(losses["total"], model.head.trainable_variables)
    own = {variable.ref() for variable in model.head.parts["aus"].trainable_variables}
    for gradient, variable in zip(gradients, model.head.trainable_variables, strict=True):
        moved = bool(tf.reduce_any(gradient != 0))
        assert np.isfinite(gradient).all() and moved != (variable.ref() in own)
