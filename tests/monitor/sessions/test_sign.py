"""Signing a chart: who signs has seen all of it, and what comes later does not pass for signed."""

from __future__ import annotations

import pytest

from drivers.errors import StepRefused
from monitor.sessions.entries import Kind
from monitor.sessions.requests import SignRequest
from monitor.sessions.rules import next_entry
from monitor.sessions.session import Session
from monitor.sessions.text import text_of
from tests.monitor.sessions.helpers import Chart, chart, known, minute

VISIT = (("baseline", 1), ("start", 10), ("stop", 50), ("recovery", 51), ("close", 60))


def sign(made: Chart, through: int, at: float = 70) -> None:
    draft = next_entry(SignRequest(session="s1", by="lee", through=through), made.session, known(minute(at)))
    assert draft.kind is Kind.SIGNED
    made.add(draft.kind, at, by="lee", **draft.content)


def refused(made: Chart, through: int) -> str:
    with pytest.raises(StepRefused) as refusal:
        sign(made, through)
    return str(refusal.value)


def test_a_closed_session_is_signed_as_far_as_it_was_seen() -> None:
    made = chart(*VISIT)
    assert not made.session.signed
    sign(made, 6)
    session = made.session
    assert session.signed
    assert [(it.entry.author, it.content["through"]) for it in session.signatures] == [("lee", 6)]
    assert text_of(session.entries[-1]) == "chart signed, through entry 6"


def test_an_open_one_is_not() -> None:
    assert "not closed" in refused(chart(*VISIT[:-1]), 5)


@pytest.mark.parametrize("through", [5, 7])
def test_nor_what_the_reviewer_has_not_seen(through: int) -> None:
    assert "has entries through 6" in refused(chart(*VISIT), through)


def test_nor_twice() -> None:
    made = chart(*VISIT)
    sign(made, 6)
    assert "lee signed it" in refused(made, 7)


def test_what_is_entered_later_asks_for_a_new_signature_and_both_versions_remain() -> None:
    made = chart(*VISIT)
    sign(made, 6)
    made.add(Kind.NOTE, 80, text="seen again")
    made.corrected(2, 81, right=2)
    session = made.session
    assert not session.signed
    before = session.as_signed()
    assert before is not None
    assert before.signed
    assert [shown.at for shown in (before.steps[1], session.steps[1])] == [minute(1), minute(2)]
    assert len(before.entries) == 7
    sign(made, 9, at=90)
    assert made.session.signed
    assert len(made.session.signatures) == 2


def test_what_is_opened_again_is_closed_before_it_is_signed() -> None:
    made = chart(*VISIT)
    sign(made, 6)
    made.corrected(6, 75, void=True)
    assert "not closed" in refused(made, 8)
    made.closed(80)
    sign(made, 9, at=90)
    assert made.session.signed


def test_one_that_was_never_signed_has_no_signed_version() -> None:
    session: Session = chart(*VISIT).session
    assert session.as_signed() is None
    assert session.signatures == ()
