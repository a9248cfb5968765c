"""A digest of the code behind a stage, to notice a change that forgot to raise the stage's version."""

from __future__ import annotations

import ast
import functools
import hashlib
from pathlib import Path

# The packages whose code decides what a stage writes; those above them import nothing into a stage.
_PACKAGES = ("data_pipeline", "tfrecords")
_ROOT = Path(__file__).parents[1]


@functools.cache
def code_digest(module: str) -> str:
    """12 hexadecimal digits of the code of `module` and of all modules of ours that it imports, directly or not.

    Comments, docstrings and layout do not count. It knows nothing of libraries, model files or data.
    """
    sources: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in sources and (path := _path(name)) is not None:
            sources[name], imported = _code(path)
            waiting += imported
    return hashlib.sha256(repr(sorted(sources.items())).encode()).hexdigest()[:12]


def _path(module: str) -> Path | None:
    """The file of one of our modules, or None for what is none (a name imported from a module)."""
    # By name: importlib would import what it looks for, and TensorFlow with it.
    place = _ROOT.joinpath(*module.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)


def _is_main(node: ast.stmt) -> bool:
    if isinstance(node, ast.If):
        return "__main__" in ast.unparse(node.test)
    return isinstance(node, ast.FunctionDef) and node.name == "main"


@functools.cache
def _code(path: Path) -> tuple[str, tuple[str, ...]]:
    """The code of a file without comments and docstrings, and our modules that it may import."""
    tree = ast.parse(path.read_bytes())
    # A binary's main imports the whole pipeline, and no stage runs it.
    tree.body = [node for node in tree.body if not _is_main(node)]
    imported: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body[0] = ast.Pass()
    return ast.unparse(tree), tuple(name for name in imported if name.split(".")[0] in _PACKAGES)
