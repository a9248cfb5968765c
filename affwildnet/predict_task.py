"""A prediction as a task among many: what fails is set aside with its reason, and listed in ``failures.csv``."""

from __future__ import annotations

import errno
import shlex
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from affwildnet.predict_job import Predicted, predict_source
from affwildnet.predict_options import PredictOptions
from affwildnet.predict_sources import FAILURES, Source
from tfrecords.errors import InputError
from tfrecords.options import to_flags
from tfrecords.workspace import write_csv

FAILURE_COLUMNS = ("video", "reason", "command")


def guarded_prediction(
    source: Source, chosen: PredictOptions, stamp: str, seconds: float = 0.0, bar: bool = False
) -> Predicted:
    """`predict_source`, whose error becomes the reason.

    Raises:
      InputError: the disk is full, which is no fault of the video.
    """
    try:
        return predict_source(source, chosen, stamp, seconds, bar)
    except InputError as error:
        return Predicted(reason=str(error))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            remedy = "make room, then run the same command again: it goes on where it stopped"
            raise InputError(chosen.output, "the disk is full", remedy) from None
        remedy = "check its rights and the disk"
        return Predicted(reason=str(InputError(source.place, f"it cannot be used ({error})", remedy)))
    except Exception as error:  # a fault of ours or of a library must not cost the other videos their prediction
        traceback.print_exception(error)
        return Predicted(reason=f"{source.place}: {type(error).__name__}: {error}")


def write_failures(
    output: Path, sources: Sequence[Source], outcomes: Mapping[Source, Predicted], chosen: PredictOptions
) -> int:
    """Lists the videos of this run that were set aside; without any there is no file. Returns their number."""
    path = output / f"{FAILURES}.csv"
    failed = [source for source in sources if source in outcomes and outcomes[source].reason]
    if not failed:
        path.unlink(missing_ok=True)
        return 0
    flags = to_flags(chosen)
    rows = [
        {
            "video": source.place,
            "reason": outcomes[source].reason,
            "command": shlex.join(["python", "-m", "affwildnet.predict", source.place, *flags]),
        }
        for source in failed
    ]
    write_csv(path, FAILURE_COLUMNS, rows)
    return len(failed)
