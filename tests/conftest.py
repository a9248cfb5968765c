"""Settings that hold for all tests."""

import os
from pathlib import Path

# Before anything imports TensorFlow: see tfrecords/__init__.py.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import pytest

GOLDEN_DIR = Path(os.environ.get("GOLDEN_DIR", Path(__file__).parent / "data" / "golden"))


@pytest.fixture
def golden_dir() -> Path:
    """The folder of golden vectors: what GOLDEN_DIR names, else tests/data/golden."""
    return GOLDEN_DIR


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with the argument `golden_cell_file` runs once for every cell's golden file of the folder."""
    if "golden_cell_file" in metafunc.fixturenames:
        files = sorted(GOLDEN_DIR.glob("*_T*_attn*.npz"))
        metafunc.parametrize("golden_cell_file", files, ids=[file.stem for file in files])
