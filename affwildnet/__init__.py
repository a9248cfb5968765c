"""Sequences -> models -> checkpoints -> metrics -> predictions."""

import os

# See tfrecords/__init__.py: set before anything imports TensorFlow.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
