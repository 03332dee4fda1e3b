"""How busy a worker is."""

import threading
import time

from smolctl.runner.activity import Activity


def test_requests_count_while_they_are_under_way():
    activity = Activity()
    with activity.request():
        with activity.request():
            assert activity.busy == 2
            assert activity.idle_for() == 0
        assert activity.busy == 1
    assert activity.busy == 0


def test_idleness_begins_with_the_end_of_the_last_request():
    activity = Activity()
    before = time.monotonic()
    with activity.request():
        pass
    assert before <= activity.idle_since <= time.monotonic()
    assert activity.idle_for() >= 0


def test_a_request_that_fails_is_over():
    activity = Activity()
    try:
        with activity.request():
            raise OSError
    except OSError:
        pass
    assert activity.busy == 0


def test_who_waits_is_told_when_the_last_request_ends():
    activity = Activity()
    begun, go_on = threading.Event(), threading.Event()

    def request():
        with activity.request():
            begun.set()
            go_on.wait(10)

    thread = threading.Thread(target=request)
    thread.start()
    begun.wait(10)
    assert not activity.wait_idle(0)
    go_on.set()
    assert activity.wait_idle(10)
    thread.join()
