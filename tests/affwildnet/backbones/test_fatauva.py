"""FATAUVA-Net's tables, units and wiring."""

import numpy as np
import pytest
import tensorflow as tf

from affwildnet.backbones import BACKBONES
from affwildnet.backbones.backbone import decayed_kernels, leading_to
from affwildnet.backbones.fatauva import SIZES, ResidualUnit, Size, fatauva
from affwildnet.backbones.fatauva_tables import ATTRIBUTES, BLOCKS, DIMENSIONS, FEATURES, POINTS

TINY = Size(width=4, core_units=1)


@pytest.fixture(scope="module")
def tiny() -> tf.keras.Model:
    tf.keras.utils.set_random_seed(1)
    return fatauva(96, TINY)


def part(variable: tf.Variable) -> str:
    return variable.name.split("/")[0]


def test_tables_are_the_papers() -> None:
    assert {branch: set(names) for branch, names in ATTRIBUTES.items()} == {
        "face": {"attractive", "male", "no_beard", "young"},
        "eyebrow": {"arched_eyebrows", "bushy_eyebrows"},
        "eye": {"eyeglasses", "narrow_eyes"},
        "mouth": {"mouth_slightly_open", "smiling"},
    }
    units = {name: (block.reads, set(block.action_units)) for name, block in BLOCKS.items()}
    assert units == {
        "au_6_7": ("eye", {"au06", "au07"}),
        "au_45": ("eye", {"au45"}),
        "au_1": ("eyebrow", {"au01"}),
        "au_2": ("eyebrow", {"au02"}),
        "au_4": ("eyebrow", {"au04"}),
        "au_chin": ("mouth", {"au17", "au26"}),
        "au_lip": ("mouth", set()),
        "au_lip_c": ("au_lip", {"au12", "au15"}),
        "au_lip_u": ("au_lip", {"au10"}),
        "au_mouth": ("mouth", {"au23", "au24", "au25"}),
    }
    assert set(DIMENSIONS["arousal"]) == {"au_45", "au_1", "au_2", "au_4", "au_chin"}
    assert set(DIMENSIONS["valence"]) == {"au_6_7", "au_45", "au_4", "au_lip_c", "au_mouth"}


@pytest.mark.parametrize(("kind", "weights"), [(2, 180_992), (3, 197_632)])
def test_unit_of_128_channels_has_the_re_implementations_weights(kind: int, weights: int) -> None:
    unit = ResidualUnit(kind)
    unit.build(tf.TensorShape([None, 7, 7, 128]))
    unit(tf.zeros([1, 7, 7, 128]))
    assert unit.count_params() == weights


@pytest.mark.parametrize("kind", [2, 3])
def test_unit_sums_its_input_and_steps(kind: int) -> None:
    tf.keras.utils.set_random_seed(2)
    unit = ResidualUnit(kind)
    x = np.random.default_rng(3).normal(size=(2, 5, 6, 3)).astype(np.float32)
    unit(x)
    for weight in unit.weights:
        weight.assign_add(tf.random.stateless_normal(weight.shape, (1, len(weight.shape)), stddev=0.1))
    steps = [x.astype(np.float64)]
    for convolution, slope in zip(unit.convolutions, unit.slopes, strict=True):
        kernel, bias = (weight.numpy().astype(np.float64) for weight in convolution.weights)
        half = kernel.shape[0] // 2
        padded = np.pad(steps[-1], [(0, 0), (half, half), (half, half), (0, 0)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape[:2], axis=(1, 2))
        y = np.einsum("nhwcij,ijcf->nhwf", windows, kernel) + bias
        steps.append(np.where(y > 0, y, y * slope.alpha.numpy()))
    expected = steps[0] + steps[1] + steps[3] if kind == 2 else steps[0] + steps[1] + steps[2] + steps[4]
    np.testing.assert_allclose(unit(x), expected, rtol=1e-4, atol=1e-4)


def test_slopes_start_at_a_quarter_a_channel() -> None:
    unit = ResidualUnit(3)
    unit(tf.zeros([1, 7, 7, 5]))
    assert [slope.alpha.shape for slope in unit.slopes] == [(1, 1, 5)] * 4
    assert all((slope.alpha.numpy() == 0.25).all() for slope in unit.slopes)


def test_full_network_has_the_weights_that_its_parts_add_up_to() -> None:
    core = 11 * 11 * 3 * 256 + 9 * 9 * 256 * 128 + 4 * (256 + 128) + 8 * 180_992
    model = fatauva(96, SIZES["fatauva"])
    assert model.count_params() == core + 4 * 2 * 180_992 + (7 * 2 + 3) * 197_632
    widths = {name: value.shape[1] for name, value in model.output.items()}
    assert widths.pop("features") == 8 * 128
    assert widths == {name: 7 * 7 * 128 * (5 if name in DIMENSIONS else 1) for name in POINTS[:-1]}


def test_maps_of_the_re_implementations_faces_have_its_size(tiny: tf.keras.Model) -> None:
    shape = (None, 170, 170, 3)
    for name in ("core/conv1", "core/conv2"):
        shape = tiny.get_layer(name).compute_output_shape(shape)
    assert shape[1:3] == (16, 16)


def test_pooled_points_are_the_means_of_the_maps(tiny: tf.keras.Model) -> None:
    pooled = fatauva(96, Size(width=4, core_units=1, pooled=True))
    pooled.set_weights(tiny.get_weights())
    faces = tf.random.stateless_normal([2, 96, 96, 3], (0, 1))
    flat, means = tiny(faces), pooled(faces)
    for name in ("eye", "au_lip_u", "valence"):
        maps = tf.reshape(flat[name], [2, 49, -1])
        np.testing.assert_allclose(means[name], tf.reduce_mean(maps, axis=1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dimension", sorted(DIMENSIONS))
def test_a_dimension_moves_its_own_blocks_and_no_other(tiny: tf.keras.Model, dimension: str) -> None:
    with tf.GradientTape() as tape:
        points = tiny(tf.random.stateless_normal([2, 96, 96, 3], (0, 2)), training=True)
        loss = tf.reduce_sum(tf.square(points[dimension]))
    gradients = tape.gradient(loss, tiny.trainable_variables)
    moved = {part(v) for v, g in zip(tiny.trainable_variables, gradients, strict=True) if g is not None}
    shared = {"core", "eye", "eyebrow", "mouth", "au_4", "au_45"}
    own = {"arousal": {"au_1", "au_2", "au_chin"}, "valence": {"au_6_7", "au_lip", "au_lip_c", "au_mouth"}}
    assert moved == shared | own[dimension]
    for variable, gradient in zip(tiny.trainable_variables, gradients, strict=True):
        assert gradient is None or np.any(gradient), variable.name


def test_upper_lip_and_face_feed_neither_and_the_features_join_what_does(tiny: tf.keras.Model) -> None:
    read = {part(variable) for variable in leading_to(tiny, list(DIMENSIONS)).trainable_variables}
    assert read == {"core", "eye", "eyebrow", "mouth", "au_lip", *FEATURES}
    assert {part(v) for v in leading_to(tiny, ["features"]).trainable_variables} == read
    assert {part(v) for v in leading_to(tiny, ["au_lip_u"]).trainable_variables} == {
        "core",
        "mouth",
        "au_lip",
        "au_lip_u",
    }


def test_points_do_not_depend_on_batching_and_frozen_it_keeps_its_averages(tiny: tf.keras.Model) -> None:
    faces = tf.random.stateless_normal([3, 96, 96, 3], (0, 3))
    together = tiny(faces)["valence"]
    alone = tf.concat([tiny(faces[i : i + 1])["valence"] for i in range(3)], axis=0)
    np.testing.assert_allclose(alone, together, rtol=1e-3, atol=1e-4)
    tiny.trainable = False
    try:
        np.testing.assert_array_equal(tiny(faces, training=True)["valence"], together)
    finally:
        tiny.trainable = True


def test_kernels_inside_units_are_among_all_kernels(tiny: tf.keras.Model) -> None:
    assert {v.ref() for v in decayed_kernels(tiny)} == {v.ref() for v in tiny.weights if v.name.endswith("kernel:0")}


def test_registry_has_the_sizes_with_these_points() -> None:
    assert all(BACKBONES[name].points == POINTS for name in SIZES)
