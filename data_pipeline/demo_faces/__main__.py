"""Makes the demo database: ``python -m data_pipeline.demo_faces --workspace=FOLDER``."""

from __future__ import annotations

from pathlib import Path

from absl import flags

from data_pipeline.demo_faces.database import DemoFacesOptions, write_demo_database
from tfrecords.options import from_flags, run_main
from tfrecords.workspace import Workspace

_WORKSPACE = flags.DEFINE_string("workspace", None, "The folder to write to.", required=True)


def main(argv: list[str]) -> None:
    del argv
    workspace = Workspace(Path(_WORKSPACE.value))
    write_demo_database(workspace, from_flags(DemoFacesOptions))
    print(f"The demo database is in {workspace.root}: a synthetic one, of a single warped portrait.")


if __name__ == "__main__":
    run_main(main, DemoFacesOptions)
