import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from data_pipeline.detectors.face import Face
from data_pipeline.filters.clip_tracks import root_histogram
from data_pipeline.tracks import HOLD, LIVE_HOLD, MIN_FACES, People, SeenFace, follow_people

RED, GREEN, BLUE = (200, 20, 20), (20, 200, 20), (20, 20, 200)


def _colours(colour):
    return root_histogram(np.full((4, 4, 3), colour, np.uint8))


def _mixed(part):
    """The colours of a face of which `part` of the pixels are green and the others red."""
    picture = np.full((100, 1, 3), RED, np.uint8)
    picture[: round(100 * part)] = GREEN
    return root_histogram(picture)


def _seen(x, colours, known=0, side=50.0):
    return SeenFace(Face(x, 0.0, side, side, 0.9, np.zeros((6, 2), np.float32)), colours, x, known)


def _follow(frames, people=None, cuts=(), hold=HOLD):
    """[[(person, x), …], …] of frames given as lists of (x, colours), each face carrying its x along."""
    given_frames = (
        (number, number in cuts, [_seen(face[0], face[1]) for face in frame]) for number, frame in enumerate(frames)
    )
    found = list(follow_people(given_frames, people or People(), hold))
    assert all(face.x == payload for frame in found for _, face, payload in frame)
    return [[(person, payload) for person, _, payload in frame] for frame in found]


def test_face_in_3_frames_only_is_nobody():
    assert _follow([[]] * 5 + [[(10, _colours(RED))]] * 3 + [[]] * 60) == [[]] * 68


def test_first_frames_of_a_person_are_filled_in():
    assert _follow([[]] * 3 + [[(10, _colours(RED))]] * 8) == [[]] * 3 + [[(1, 10)]] * 8
    assert _follow([[(10, _colours(RED))]] * 8, hold=LIVE_HOLD) == [[(1, 10)]] * 8


def test_person_counts_from_the_fifth_face_on():
    assert _follow([[(10, _colours(RED))]] * (MIN_FACES - 1)) == [[]] * 4
    assert _follow([[(10, _colours(RED))]] * MIN_FACES) == [[(1, 10)]] * 5


def test_face_that_flickers_at_first_counts_once_it_stays():
    flicker = [[(10, _colours(RED))], [], [], [], [(10, _colours(RED))], [], [], [], []]
    found = _follow([*flicker, *[[(10, _colours(RED))]] * 20])
    assert found[:4] == [[]] * 4 and found[9:] == [[(1, 10)]] * 20


def test_reverse_shots_in_the_same_place_are_two_people_and_each_is_known_again():
    shots = [[(10, _colours(RED))]] * 20 + [[(30, _colours(BLUE))]] * 20
    found = _follow([*shots, *shots], cuts=(20, 40, 60))
    assert [frame[0][0] for frame in found] == [1] * 20 + [2] * 20 + [1] * 20 + [2] * 20


def test_person_who_was_away_for_minutes_keeps_the_number():
    found = _follow([[(10, _colours(RED))]] * 10 + [[]] * 5000 + [[(300, _colours(RED))]] * 10)
    assert found[0] == [(1, 10)] and found[-1] == [(1, 300)]


def test_two_people_who_pass_each_other_keep_their_numbers():
    frames = [[(5.0 * t, _colours(RED)), (300 - 5.0 * t, _colours(BLUE))] for t in range(60)]
    assert _follow(frames) == [[(1, 5.0 * t), (2, 300 - 5.0 * t)] for t in range(60)]


def test_people_who_are_alike_are_two_where_one_frame_shows_both():
    people = People()
    found = _follow([[(10, _colours(RED)), (200, _colours(RED))]] * 20, people)
    assert found == [[(1, 10), (2, 200)]] * 20 and people.joined() == {1: 1, 2: 2}


def test_who_was_taken_for_two_at_first_is_one_at_the_end():
    people = People()
    # The second time the person comes in other light, which then goes back to the first.
    later = [(10, _mixed(part)) for part in [0.15] * 11 + [0.0] * 200]
    found = _follow([[(10, _mixed(0.0))]] * 20 + [[]] * 60 + [[face] for face in later], people)
    assert {person for frame in found for person, _ in frame} == {1, 2}
    assert people.joined() == {1: 1, 2: 1}


def test_known_faces_keep_their_number_and_others_come_after_them():
    frames = [(number, False, [_seen(10, _colours(RED), known=1), _seen(200, _colours(RED))]) for number in range(20)]
    found = list(follow_people(frames, People(first_number=2)))
    assert [[(person, x) for person, _, x in frame] for frame in found] == [[(1, 10), (2, 200)]] * 20


def test_frames_come_out_at_most_hold_frames_late():
    taken = []

    def frames():
        for number in range(100):
            taken.append(number)
            yield number, False, [_seen(10, _colours(RED))]

    for number, _ in enumerate(follow_people(frames(), People())):
        assert len(taken) <= number + HOLD + 1


_FACES = st.lists(
    st.tuples(st.integers(0, 20).map(lambda n: 25.0 * n), st.sampled_from([RED, GREEN, BLUE])), max_size=4
)


@given(st.lists(_FACES, max_size=60), st.sets(st.integers(1, 59)))
def test_every_frame_comes_back_once_and_nobody_twice_in_a_frame(frames, cuts):
    people = People()
    found = _follow([[(x, _colours(colour)) for x, colour in frame] for frame in frames], people, cuts)
    joined = people.joined()
    assert len(found) == len(frames)
    for given_faces, kept in zip(frames, found, strict=True):
        numbers = [person for person, _ in kept]
        assert numbers == sorted(set(numbers)) and {x for _, x in kept} <= {x for x, _ in given_faces}
        assert len({joined[number] for number in numbers}) == len(numbers)
