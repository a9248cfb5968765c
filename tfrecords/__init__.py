"""Labelled frames -> records -> sequences, and the workspace that all packages meet at."""

import os

# tensorflow-addons and keras-vggface need Keras 2; the choice is read when TensorFlow is first imported.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
