"""Fixtures that tests of every floor share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from drivers.clock import ManualClock

# Examples are the same in every run, and no example is timed: a busy machine must not decide.
settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")

RECORDINGS = Path(__file__).parents[2] / "shared" / "recordings"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ivy_capture() -> bytes:
    """15 KB from the serial port of a real Ivy 450C."""
    path = RECORDINGS / "dev_ivy450c" / "Ivy450C.1.data"
    if not path.exists():
        pytest.skip(f"no recordings at {RECORDINGS}")
    return path.read_bytes()
