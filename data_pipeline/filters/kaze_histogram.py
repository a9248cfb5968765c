"""The thesis's main filter (§3.2.3): KAZE key points with the colour histogram as a second witness."""

from __future__ import annotations

import numpy as np

from data_pipeline.filters.clip_faces import Choice, ClipFaces
from data_pipeline.filters.kaze import cosine_distance, kaze_vector
from data_pipeline.filters.rgb_histogram import colour_histogram, hellinger_distance
from data_pipeline.filters.two_people import two_people

# A lone detection farther than this from both references shows somebody else, or no face.
MAX_DISTANCE = 0.5


def kaze_histogram(clip: ClipFaces, people: int) -> list[list[Choice]]:
    """Follows one person; of a clip with two the thesis's rule for two people does.

    The first frame's first crop is kept unconditionally and is the reference. After it a frame's only crop is dropped
    only if its KAZE and its histogram distance both exceed 0.5; one without key points is kept and moves the histogram
    reference alone. Of several the nearest by KAZE is kept, the first by name of equally near ones; crops without key
    points are passed over. What is kept becomes the reference. The distance in the answer is KAZE's.

    What the original leaves open: while no reference has key points, KAZE has nothing to object, so that a lone crop,
    or the first of several, with key points is kept and becomes the reference.
    """
    if people > 1:
        return two_people(clip, people)
    vector: np.ndarray | None = None
    histogram: np.ndarray | None = None
    choices: list[list[Choice]] = []
    for found in clip.frames:
        crops = found.crops()
        vectors = [kaze_vector(crop) for crop in crops]
        face, distance = 0, float("nan")
        if histogram is not None:
            distances = [_distance(vector, other) for other in vectors]
            usable = [face for face, other in enumerate(vectors) if other is not None]
            if len(crops) > 1:
                face = min(usable, key=lambda face: np.nan_to_num(distances[face]), default=-1)
            elif distances[0] > MAX_DISTANCE:
                face = 0 if hellinger_distance(histogram, colour_histogram(crops[0])) <= MAX_DISTANCE else -1
            distance = distances[max(face, 0)]
        if face >= 0:
            histogram = colour_histogram(crops[face])
            vector = vector if vectors[face] is None else vectors[face]
        choices.append([(face, distance)])
    return choices


def _distance(reference: np.ndarray | None, other: np.ndarray | None) -> float:
    return float("nan") if reference is None or other is None else cosine_distance(reference, other)
