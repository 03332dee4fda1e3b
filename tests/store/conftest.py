"""Fixtures of the tests of the cache."""

import os

import pytest


@pytest.fixture(autouse=True, scope="package")
def _no_waiting_for_the_disk():
    """Skip the syncs, which cost most of the time: no test pulls the plug."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("fsync", "fdatasync"):
            patch.setattr(os, name, lambda _: None)
        yield
