"""Fixtures that tests of every floor share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from drivers.clock import ManualClock
from tests.influxd import Influxd

# Examples are the same in every run, and no example is timed: a busy machine must not decide.
settings.register_profile("project", deadline=None, derandomize=True)
settings.load_profile("project")

RECORDINGS = Path(__file__).parents[2] / "shared" / "recordings"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influxd]:
    """A real InfluxDB that the tests of a module share."""
    with Influxd(tmp_path_factory.mktemp("influxd")) as server:
        yield server


@pytest.fixture
def bucket(server: Influxd, request: pytest.FixtureRequest) -> str:
    """A bucket of the test's own there."""
    # A test with parameters has them in its name.
    name: str = request.node.name
    server.create_bucket(name, 0)
    return name


@pytest.fixture
def ivy_capture() -> bytes:
    """15 KB from the serial port of a real Ivy 450C."""
    path = RECORDINGS / "dev_ivy450c" / "Ivy450C.1.data"
    if not path.exists():
        pytest.skip(f"no recordings at {RECORDINGS}")
    return path.read_bytes()
