"""Filters by name: which detection of a frame shows the right person. A new filter is one new file and one entry here.

A filter takes a clip's detections (`ClipFaces`) and how many people are to be followed, one or two. It returns for each
of ``clip.frames`` and each person the index of the chosen detection, or -1, and the distance that decided (NaN where
none was measured). `choose_face` has made sure that some frame shows as many faces as people are followed.
"""

from __future__ import annotations

from collections.abc import Callable

from data_pipeline.filters.clip_faces import Choice, ClipFaces
from data_pipeline.filters.first_by_name import first_by_name
from data_pipeline.filters.kaze_histogram import kaze_histogram
from data_pipeline.filters.kcf import kcf
from data_pipeline.filters.rgb_histogram import rgb_histogram
from data_pipeline.filters.tracks import tracks
from data_pipeline.filters.two_people import two_people, two_people_literal

Filter = Callable[[ClipFaces, int], list[list[Choice]]]
FILTERS: dict[str, Filter] = {
    "first_by_name": first_by_name,
    "kaze_histogram": kaze_histogram,
    "kcf": kcf,
    "rgb_histogram": rgb_histogram,
    "tracks": tracks,
    "two_people": two_people,
    "two_people_literal": two_people_literal,
}
# Rules for clips with two subjects only.
FOR_TWO = {"two_people", "two_people_literal"}
