"""Recorded sessions that the tests of the review share; they are only read."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.review.chart import Chart
from tests.conftest import RECORDINGS
from tests.monitor.review import recorded_session


@pytest.fixture(scope="session")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal's folder with `visit-1`, made up of traps, and `visit-2`, which is open."""
    return recorded_session.made_up(tmp_path_factory.mktemp("made_up"))


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal's folder with `real`: two hours of a real patient."""
    if not recorded_session.REAL.exists():
        pytest.skip(f"no recordings at {RECORDINGS}")
    return recorded_session.real(tmp_path_factory.mktemp("real"))


@pytest.fixture(scope="session")
def visit(made_up: Path) -> Chart:
    """The chart of `visit-1`."""
    return recorded_session.chart_of(made_up)


@pytest.fixture(scope="session")
def real_visit(real: Path) -> Chart:
    """The chart of `real`."""
    return recorded_session.chart_of(real, "real")
