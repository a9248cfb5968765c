"""How a subject is named outside the workspace: by a digest, so that a model's folder or a log holds nobody's id."""

from __future__ import annotations

import hashlib


def subject_digest(subject: str) -> str:
    """The first 16 hexadecimal digits of the id's SHA-256.

    Whoever has the id can find it in a list of digests, and whoever has not cannot read it there; an id that can be
    guessed can be tried, though, so this hides ids from readers and is no anonymity.
    """
    return hashlib.sha256(subject.encode()).hexdigest()[:16]
