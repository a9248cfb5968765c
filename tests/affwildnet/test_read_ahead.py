import threading
import time

import pytest

from affwildnet.read_ahead import read_ahead


def test_items_come_in_order_and_the_thread_is_a_few_ahead_at_most():
    taken = []

    def items():
        for number in range(50):
            taken.append(number)
            yield number

    with read_ahead(items(), 4) as ready:
        for number, item in enumerate(ready):
            assert item == number and len(taken) <= number + 7
    assert len(taken) == 50


def test_error_of_the_reader_comes_where_the_item_would_have():
    def items():
        yield 1
        raise ValueError("broken")

    with read_ahead(items(), 4) as ready:
        assert next(ready) == 1
        with pytest.raises(ValueError, match="broken"):
            next(ready)


def test_thread_ends_with_the_block_and_closes_what_it_read():
    closed = threading.Event()

    def items():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    before = threading.active_count()
    with read_ahead(items(), 2) as ready:
        next(ready)
    assert closed.is_set() and threading.active_count() == before


def test_newest_leaves_out_the_oldest_and_never_waits():
    done = threading.Event()

    def items():
        yield from range(1000)
        done.set()

    with read_ahead(items(), 8, newest=True) as ready:
        assert done.wait(10)
        time.sleep(0.05)
        left = list(ready)
    # The end itself takes a place.
    assert left == list(range(993, 1000))
