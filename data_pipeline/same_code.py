"""Whether a worker is what the build takes it for: the same code and versions, and a view of the same workspace."""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import sys
from pathlib import Path

from data_pipeline.code_digest import code_digest


@dataclasses.dataclass(frozen=True)
class CodeFacts:
    """What must be the same in the build and its workers: name -> version, and the digest of the pipeline's code."""

    versions: tuple[tuple[str, str], ...]
    digest: str


@functools.cache
def code_facts() -> CodeFacts:
    """Those of this process."""
    versions = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    versions |= {name: importlib.metadata.version(name) for name in ("dask", "distributed", "numpy")}
    return CodeFacts(tuple(versions.items()), code_digest("data_pipeline.engine"))


@functools.cache
def complaint(wanted: CodeFacts, manifest: Path) -> str:
    """What of this process is not as the build's, and the remedy, as ``what; remedy``; empty where all is.

    It is asked once a process: a worker may join a build at any time.
    """
    ours = dict(code_facts().versions)
    for name, version in wanted.versions:
        if ours[name] != version:
            return f"has {name} {ours[name]}, the build {version}; start scheduler and workers in this environment"
    if code_facts().digest != wanted.digest:
        return "runs other code of data_pipeline; start the workers again, with this code"
    if not manifest.exists():
        return "does not see this manifest.csv; put the workspace on a file system that all workers share"
    return ""
