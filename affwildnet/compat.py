"""keras-vggface and tensorflow-addons on tf-keras: the only module that knows their old import paths.

Both import `keras`, which here is Keras 3 or not what they expect. `install_keras_aliases` makes every import of
`keras…` give the module that `tf.keras` itself uses, so no second copy of one is loaded.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
import warnings
from collections.abc import Sequence

from affwildnet.keras_check import require_keras_2

# Modules that moved between the Keras that the packages were written for and tf-keras.
_MOVED = {
    "keras.engine": "tf_keras.src.engine",
    "keras.engine.topology": "tf_keras.src.utils.layer_utils",  # for get_source_inputs
    "keras.utils": "tf_keras.src.utils",
    "keras.utils.data_utils": "tf_keras.src.utils.data_utils",
    "keras.utils.layer_utils": "tf_keras.src.utils.layer_utils",
}


def install_keras_aliases() -> None:
    """Makes `import keras…` give tf-keras's modules in this process; calling it again does nothing.

    Raises:
      RuntimeError: TensorFlow runs with Keras 3, or Keras 3 has been imported already.
    """
    require_keras_2()
    if any(isinstance(finder, _KerasFinder) for finder in sys.meta_path):
        return
    loaded = sys.modules.get("keras")
    if loaded is not None:
        raise RuntimeError(f"Keras {loaded.__version__} was imported before AffWildNet's aliases for Keras 2")
    sys.meta_path.insert(0, _KerasFinder())


def import_vggface() -> types.ModuleType:
    """The module `keras_vggface`, whose `VGGFace` builds on `tf.keras`."""
    install_keras_aliases()
    return importlib.import_module("keras_vggface")


def import_addons() -> tuple[types.ModuleType | None, str]:
    """The module `tensorflow_addons` and an empty string, or None and the reason why it is missing."""
    if importlib.util.find_spec("tensorflow_addons") is None:
        return None, (
            "tensorflow-addons is not installed: its last release has wheels for Python 3.11 and older on x86-64 "
            f"Linux and macOS only, and this is Python {sys.version_info.major}.{sys.version_info.minor}"
        )
    install_keras_aliases()
    with warnings.catch_warnings():
        # It warns that it is no longer developed and does not know this TensorFlow: both known, see docs.
        warnings.filterwarnings("ignore", category=UserWarning, module="tensorflow_addons")
        return importlib.import_module("tensorflow_addons"), ""


class _KerasFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds `keras` and all below it in tf-keras, as the very modules that are already loaded there."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.partition(".")[0] != "keras":
            return None
        return importlib.machinery.ModuleSpec(fullname, self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        real = _MOVED.get(spec.name, "tf_" + spec.name)
        module = importlib.import_module(real)
        # The import machinery overwrites __spec__ of what is returned here; `exec_module` puts it back.
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state
