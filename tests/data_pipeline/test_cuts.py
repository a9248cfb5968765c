import itertools

import numpy as np

from data_pipeline.cuts import CUT, is_cut, thumbnail
from data_pipeline.decode import clip_planes
from data_pipeline.frames import Frame


def _grey(value):
    return Frame((np.full((36, 64, 3), value, np.uint8),))


def test_difference_of_more_than_twenty_is_a_cut_in_either_direction():
    dark, at, above = (thumbnail(_grey(100 + step)) for step in (0, int(CUT), int(CUT) + 1))
    assert not is_cut(dark, at) and is_cut(dark, above) and is_cut(above, dark)


def test_stage_clip_s_shots_are_told_apart(media):
    thumbnails = [thumbnail(frame) for frame in clip_planes(media("short_hamilton_clip.mp4"))]
    cuts = [number for number in range(1, len(thumbnails)) if is_cut(*thumbnails[number - 1 : number + 1])]
    assert cuts == [20, 82, 211]


def test_one_shot_has_no_cut(media):
    thumbnails = [thumbnail(frame) for frame in clip_planes(media("WolfgangLanger_Pexels.mp4"))]
    assert not any(is_cut(*pair) for pair in itertools.pairwise(thumbnails))
