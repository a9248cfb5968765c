"""What import-linter cannot tell: which modules load TensorFlow when they are imported."""

import pkgutil
import subprocess
import sys

import data_pipeline

# Pipeline workers import these; TensorFlow would cost each of them seconds and half a gigabyte.
TFRECORDS_WITHOUT_TENSORFLOW = ["tfrecords.errors", "tfrecords.options", "tfrecords.workspace"]

IMPORT_ALL = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
    if "tensorflow" in sys.modules:
        sys.exit(name + " imports tensorflow at module level")
"""


def test_the_pipeline_imports_without_tensorflow() -> None:
    pipeline = [module.name for module in pkgutil.walk_packages(data_pipeline.__path__, "data_pipeline.")]
    assert pipeline
    command = [sys.executable, "-c", IMPORT_ALL, *TFRECORDS_WITHOUT_TENSORFLOW, *pipeline]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
