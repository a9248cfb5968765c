"""The clips that the annotator's tests work on, see conftest.py."""

SECONDS = 3
CODED = "1-30-320x240"  # one person; frame n carries n as eight black or white squares at its top
TWO = "2-30-320x240"  # two people, the one on the right with known boxes; subtitles; begins at 1 s of its source
