"""The table of steps: what a reader sees is what is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.errors import StepRefused
from monitor.sessions import rules, steps
from monitor.sessions.recorded import NOTHING
from monitor.sessions.requests import REQUEST
from monitor.sessions.steps import STEPS, Phase, State, Step, possible
from tests.monitor.sessions.helpers import chart, known, minute

WAYS = {
    State.CHECK_IN: (),
    State.BASELINE: ("baseline",),
    State.RUNNING: ("start",),
    State.PAUSED: ("start", "pause"),
    State.STOPPED: ("start", "stop"),
    State.RECOVERY: ("start", "stop", "recovery"),
    State.CLOSED: ("close",),
}
"""How a session comes into each state."""


def in_state(state):
    return chart(*((step, number) for number, step in enumerate(WAYS[state], start=1))).session


def states(cell):
    """The states that a cell of the table names; the phase of the infusion is said before its state."""
    return [State(name.replace("-", "_")) for name in cell.split(", ") if name != "infusion"]


def asked(step):
    """The request for a step, with all that could be asked for said at once."""
    fields = {"by": "bea", "session": "chair-1", "reason": "a test"}
    if step is Step.CLOSE:
        return REQUEST.validate_python({**fields, "verb": "close"})
    return REQUEST.validate_python({**fields, "verb": "phase", "step": step.value, "confirm": True})


def test_the_table_that_a_reader_sees_is_the_one_that_is_followed():
    rows = [line.strip("| ").split(" | ") for line in steps.__doc__.splitlines() if line.startswith("|")]
    assert rows[0] == ["step", "from", "to"]
    table = {Step(step): (frozenset(states(before)), states(to)) for step, before, to in rows[2:]}
    assert list(table) == list(Step) == list(STEPS)
    for step, rule in STEPS.items():
        assert table[step] == (rule.after, [rule.to])


def test_the_document_has_the_same_table():
    document = Path(__file__).parents[3] / "docs" / "sessions.md"
    rows = [line.strip() for line in steps.__doc__.splitlines() if line.startswith("|")]
    assert "\n".join(rows) in document.read_text(encoding="utf-8")


def test_the_table_says_infusion_of_the_states_of_the_infusion_and_of_no_other():
    for line in steps.__doc__.splitlines():
        if line.startswith("|") and not line.startswith(("| step", "|---")):
            to = line.strip("| ").split(" | ")[2]
            [state] = states(to)
            assert ("infusion" in to) == (state.phase is Phase.INFUSION)


def test_every_state_can_be_reached_and_all_but_the_last_can_be_left():
    assert {rule.to for rule in STEPS.values()} | {State.CHECK_IN} == set(State)
    assert [state for state in State if not possible(state)] == [State.CLOSED]


@pytest.mark.parametrize("state", State)
def test_the_way_into_a_state_leads_there(state):
    assert in_state(state).state is state
    assert in_state(state).phase is state.phase


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("step", Step)
def test_a_step_is_done_where_the_table_has_it_and_refused_with_what_is_possible_elsewhere(state, step):
    session = in_state(state)
    if state in STEPS[step].after:
        draft = rules.next_entry(asked(step), session, known(minute(30), NOTHING))
        assert draft.at == minute(30)
        assert draft.kind == ("closed" if step is Step.CLOSE else "step")
        assert draft.content.get("step", "close") == step.value
        assert step in possible(state)
        return
    with pytest.raises(StepRefused) as refusal:
        rules.next_entry(asked(step), session, known(minute(30), NOTHING))
    assert type(refusal.value) is StepRefused
    assert refusal.value.possible == possible(state)
    assert step not in refusal.value.possible
    text = str(refusal.value)
    assert text.startswith(f"{step.value} is not possible: ")
    # Who did the last step, and each that can be done now.
    assert " by anna. " in text
    offered = text.partition("Possible now: ")[2]
    assert offered == (", ".join(possible(state)) or "nothing, it is closed")
