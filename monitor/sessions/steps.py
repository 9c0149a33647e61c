"""Which step may follow which: one table.

| step | from | to |
|---|---|---|
| baseline | check-in | baseline |
| start | check-in, baseline | infusion, running |
| pause | running | infusion, paused |
| resume | paused, stopped, recovery | infusion, running |
| stop | running, paused | infusion, stopped |
| recovery | stopped | recovery |
| close | check-in, baseline, stopped, recovery | closed |
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Phase(StrEnum):
    """The parts of a visit."""

    CHECK_IN = "check_in"
    BASELINE = "baseline"
    INFUSION = "infusion"
    RECOVERY = "recovery"
    CLOSED = "closed"


class State(StrEnum):
    """Where a session stands: its phase, and in the infusion whether it runs."""

    CHECK_IN = "check_in"
    BASELINE = "baseline"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    RECOVERY = "recovery"
    CLOSED = "closed"

    @property
    def phase(self) -> Phase:
        """The phase that it belongs to."""
        return Phase.INFUSION if self in _INFUSION else Phase(self.value)


_INFUSION = frozenset({State.RUNNING, State.PAUSED, State.STOPPED})


class Step(StrEnum):
    """What a person can do next."""

    BASELINE = "baseline"
    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    RECOVERY = "recovery"
    CLOSE = "close"


class Rule(NamedTuple):
    """A row of the table."""

    after: frozenset[State]
    to: State
    done: str
    """As people say that it was done."""


STEPS: dict[Step, Rule] = {
    Step.BASELINE: Rule(frozenset({State.CHECK_IN}), State.BASELINE, "baseline begun"),
    Step.START: Rule(frozenset({State.CHECK_IN, State.BASELINE}), State.RUNNING, "infusion started"),
    Step.PAUSE: Rule(frozenset({State.RUNNING}), State.PAUSED, "infusion paused"),
    Step.RESUME: Rule(frozenset({State.PAUSED, State.STOPPED, State.RECOVERY}), State.RUNNING, "infusion resumed"),
    Step.STOP: Rule(frozenset({State.RUNNING, State.PAUSED}), State.STOPPED, "infusion stopped"),
    Step.RECOVERY: Rule(frozenset({State.STOPPED}), State.RECOVERY, "recovery begun"),
    Step.CLOSE: Rule(
        frozenset({State.CHECK_IN, State.BASELINE, State.STOPPED, State.RECOVERY}), State.CLOSED, "session closed"
    ),
}


def possible(state: State) -> tuple[Step, ...]:
    """The steps that may follow."""
    return tuple(step for step, rule in STEPS.items() if state in rule.after)
