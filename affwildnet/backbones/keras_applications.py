"""Networks of `tf.keras.applications`, cut before their tops: controls beside the thesis's own layouts."""

from __future__ import annotations

import tensorflow as tf


def vgg16(input_size: int = 96) -> tf.keras.Model:
    """VGG-16, the control for objects against VGGFace's faces: the last pool flattened, (N, 4608) at 96 pixels."""
    cut = tf.keras.applications.VGG16(include_top=False, weights=None, input_shape=(input_size, input_size, 3))
    return tf.keras.Model(cut.input, tf.keras.layers.Flatten(name="features")(cut.output), name="vgg16")


def resnet50_keras(input_size: int = 96) -> tf.keras.Model:
    """ResNet-50 with strides in each block's first 1x1 convolution, and biases: the global average pool, (N, 2048)."""
    return _pooled(tf.keras.applications.ResNet50, input_size, "resnet50_keras")


def densenet121_keras(input_size: int = 96) -> tf.keras.Model:
    """DenseNet-121 with even padding: the global average pool, (N, 1024)."""
    return _pooled(tf.keras.applications.DenseNet121, input_size, "densenet121_keras")


def densenet169_keras(input_size: int = 96) -> tf.keras.Model:
    """DenseNet-169 with even padding: the global average pool, (N, 1664)."""
    return _pooled(tf.keras.applications.DenseNet169, input_size, "densenet169_keras")


def densenet201_keras(input_size: int = 96) -> tf.keras.Model:
    """DenseNet-201 with even padding: the global average pool, (N, 1920)."""
    return _pooled(tf.keras.applications.DenseNet201, input_size, "densenet201_keras")


def _pooled(application: type, input_size: int, name: str) -> tf.keras.Model:
    shape = (input_size, input_size, 3)
    cut = application(include_top=False, weights=None, input_shape=shape)
    pool = tf.keras.layers.GlobalAveragePooling2D(name="features")
    return tf.keras.Model(cut.input, pool(cut.output), name=name)
