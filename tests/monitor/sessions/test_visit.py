"""What the alert engine is told of a session."""

from __future__ import annotations

import pytest

from monitor.alerts.rules import PHASES
from monitor.sessions.settings import CuffEvery, SessionsConfig
from monitor.sessions.steps import Phase
from monitor.sessions.visit import visit_of
from tests.monitor.sessions.helpers import Chart, chart, minute

SETTINGS = SessionsConfig(cuff_every=CuffEvery(baseline=4, infusion=3, recovery=10))
MONOTONIC = 50_000.0


def visit(made, at):
    return visit_of(made.session, SETTINGS, minute(at), MONOTONIC)


@pytest.mark.parametrize(
    ("steps", "phase", "minutes", "cuff_every"),
    [
        ((), "check_in", 60, None),
        ((("baseline", 5),), "baseline", 55, 240),
        ((("start", 10), ("pause", 20)), "infusion", 50, 180),
        ((("start", 10), ("pause", 20), ("resume", 30), ("stop", 40)), "infusion", 50, 180),
        ((("start", 10), ("stop", 30), ("recovery", 40)), "recovery", 20, 600),
        ((("start", 10), ("stop", 30), ("recovery", 40), ("resume", 50)), "infusion", 10, 180),
    ],
)
def test_a_visit_has_the_phase_since_when_and_its_interval_of_cuff_readings(steps, phase, minutes, cuff_every):
    found = visit(chart(*steps), 60)
    assert (found.session, found.phase, found.cuff_every) == ("s1", phase, cuff_every)
    assert found.began == pytest.approx(MONOTONIC - minutes * 60)
    assert found.baseline == {}


def test_every_phase_but_closed_is_one_of_the_engines():
    assert tuple(phase.value for phase in Phase if phase is not Phase.CLOSED) == PHASES


@pytest.mark.parametrize("hours", [5, -5])
def test_a_phase_has_lasted_as_long_whatever_the_clock_is_set_to(hours):
    made = chart(("start", 10))
    made.clock_set(hours * 3600, 20 + hours * 60)
    assert visit(made, 30 + hours * 60).began == pytest.approx(MONOTONIC - 20 * 60)


def test_a_corrected_time_of_a_step_is_when_the_phase_began():
    made = chart(("start", 10))
    made.corrected(2, 20, right=4)
    assert visit(made, 30).began == pytest.approx(MONOTONIC - 26 * 60)


def test_a_closed_session_and_one_without_a_bed_is_no_visit():
    assert visit(chart(("start", 10), ("stop", 20), ("close", 30)), 40) is None
    made = Chart(bed="")
    made.opened()
    assert visit(made, 10) is None
    made.moved("chair-2", 5)
    assert visit(made, 10).phase == "check_in"
