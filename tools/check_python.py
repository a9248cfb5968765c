"""Ends with one sentence where the running Python is not supported. Also written for Pythons as old as 2.7."""

import sys

OLDEST = (3, 11)
NEWEST = (3, 13)
REQUIRES = ">=%d.%d,<%d.%d" % (OLDEST + (NEWEST[0], NEWEST[1] + 1))


def complaint(version=None):
    """The sentence about an unsupported Python, or None; `version` starts with major and minor."""
    version = tuple(version or sys.version_info)
    if OLDEST <= version[:2] <= NEWEST:
        return None
    return (
        "error: AffWildNet needs Python %d.%d to %d.%d and this is Python %d.%d; "
        "name a supported one, for example: make demo PYTHON=python3.12" % (OLDEST + NEWEST + version[:2])
    )


if __name__ == "__main__":
    sys.exit(complaint())
