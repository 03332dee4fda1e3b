"""How many examples a property is tried with: few by the fast tests, the rest by CI."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

_UNHURRIED = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
"""A machine that does other things too makes no test fail."""

settings.register_profile("thorough", max_examples=100, **_UNHURRIED)
settings.register_profile("fast", max_examples=20, **_UNHURRIED)
settings.load_profile("fast")  # or the one that `--hypothesis-profile` names


def examples(thorough: int) -> settings:
    """Return the settings with so many examples, or with as much fewer as the profile has."""
    of_a_hundred = settings().max_examples
    return settings(max_examples=max(5, thorough * of_a_hundred // 100))
