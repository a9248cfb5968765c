"""Runs the pipeline's stages in order: ``python -m data_pipeline.build --workspace=W``."""

from __future__ import annotations

import dataclasses

from data_pipeline.cluster import ClusterOptions
from data_pipeline.pipeline import ORDER, BuildOptions
from data_pipeline.stage_binary import build_and_print, option_classes, options_from_flags
from tfrecords import options
from tfrecords.options import option


@dataclasses.dataclass(frozen=True)
class BuildRange:
    """Which stages run."""

    from_stage: str = option(ORDER[0], "first stage to run", choices=ORDER, flag="from")
    to_stage: str = option(ORDER[-1], "last stage to run", choices=ORDER, flag="to")


def main(argv: list[str]) -> int:
    chosen, span = options.from_flags(BuildOptions), options.from_flags(BuildRange)
    names = ORDER[ORDER.index(span.from_stage) : ORDER.index(span.to_stage) + 1]
    return build_and_print(chosen, names, options_from_flags())


def run() -> None:
    options.run_main(main, BuildOptions, ClusterOptions, BuildRange, *option_classes().values())


if __name__ == "__main__":
    run()
