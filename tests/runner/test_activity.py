"""How busy a worker is."""

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
    with activity.request():
        begun = time.monotonic()
    assert 0 <= activity.idle_for() <= time.monotonic() - begun


def test_a_request_that_fails_is_over():
    activity = Activity()
    try:
        with activity.request():
            raise OSError
    except OSError:
        pass
    assert activity.busy == 0
