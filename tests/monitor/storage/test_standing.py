import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.errors import JournalUnusable
from monitor.alerts.conditions import ALARM, AUDIO, AlertEvent, AlertState, Kind, Priority, Why
from monitor.storage import standing as standing_module
from monitor.storage.connection import connect
from monitor.storage.rows import alert_row
from monitor.storage.standing import Standing, standing
from tests.monitor.storage.helpers import START, commit, database

ON, LATCHED, ACKNOWLEDGED, OFF, PAUSED = AlertState


def alert(at, state, *, bed="a", rule="spo2_low", **others):
    values = {"kind": Kind.PHYSIOLOGICAL, "priority": Priority.HIGH, "text": "SpO₂ 86 < 90", "vital": "spo2"}
    return AlertEvent(**values | {"bed": bed, "rule": rule, "state": state, "at": at} | others)


def write(folder, *events):
    with database(folder) as writer:
        for event in events:
            commit(writer, rows=[alert_row(event)])


def test_nothing_stands_where_nothing_ever_came_on(tmp_path):
    write(tmp_path)
    assert standing(tmp_path) == []


def test_what_was_told_last_and_since_when_it_is_on(tmp_path):
    again = alert(9, ACKNOWLEDGED, why=Why.OPERATOR, actor="Kim Möller", session="s1", group="spo2", value=84.0)
    write(
        tmp_path,
        alert(1, ON),
        alert(2, ACKNOWLEDGED),
        alert(3, OFF),
        alert(5, ON),
        alert(6, LATCHED),
        alert(7, ON),
        again,
        alert(8, ON, rule="nibp_high"),
        alert(10, OFF, rule="nibp_high"),
    )
    assert standing(tmp_path) == [Standing(again, 5)]
    assert isinstance(standing(tmp_path)[0].event.state, AlertState)


def test_in_the_order_in_which_it_was_told(tmp_path):
    # Not that of time: a reading's own is before the moment at which others were told.
    events = [
        alert(30, ON, bed="b"),
        alert(20, ON, rule="z"),
        alert(10, ON, rule="y"),
        alert(40, ON, bed="", rule="clock_jumped"),
        alert(31, LATCHED, bed="b"),
    ]
    write(tmp_path, *events)
    assert standing(tmp_path) == [
        Standing(events[1], 20),
        Standing(events[2], 10),
        Standing(events[3], 40),
        Standing(events[4], 30),
    ]


@pytest.mark.parametrize("rule", [AUDIO, ALARM])
def test_signals_stand_while_they_are_not_given_as_is_normal(tmp_path, rule):
    paused = [alert(1, PAUSED, rule=rule, kind=Kind.OTHER, value=120.0), alert(2, OFF, rule=rule, kind=Kind.OTHER)]
    write(tmp_path, *paused)
    assert standing(tmp_path) == [Standing(paused[1], 1)]
    write(tmp_path, alert(3, ON, rule=rule, kind=Kind.OTHER))
    assert standing(tmp_path) == []
    write(tmp_path, alert(4, PAUSED, rule=rule, kind=Kind.OTHER))
    assert [found.since for found in standing(tmp_path)] == [4]


EVENTS = st.lists(
    st.builds(
        alert,
        st.integers(START, START + 9),
        st.sampled_from(AlertState),
        bed=st.sampled_from(["", "a", "b 2", "münster"]),
        rule=st.sampled_from(["spo2_low", "spo2", "stale_spo2", AUDIO, ALARM]),
        actor=st.sampled_from(["", "Kim"]),
    ),
    max_size=60,
)


@given(EVENTS)
@settings(max_examples=60)
def test_the_same_as_going_through_all_that_was_told(events):
    expected = {}
    for event in events:
        key = event.bed, event.rule
        before = expected.pop(key, None)
        if event.state is not (ON if event.rule in {AUDIO, ALARM} else OFF):
            expected[key] = Standing(event, before.since if before else event.at)
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), *events)
        assert standing(Path(name)) == list(expected.values())


def steps_of_standing(folder, monkeypatch):
    """How much SQLite does for it, in hundreds of its instructions."""
    steps = []

    def counted(path):
        connection = connect(path)
        connection.set_progress_handler(lambda: steps.append(1), 100)
        return connection

    with monkeypatch.context() as patched:
        patched.setattr(standing_module, "connect", counted)
        assert standing(folder)
    return len(steps)


def test_what_a_start_needs_does_not_grow_with_the_alerts_that_are_over(tmp_path, monkeypatch):
    def turn(at):
        return [alert_row(alert(at, (ON, OFF)[at % 2], bed=bed, rule=f"r{n}")) for bed in "ab" for n in range(9)]

    with database(tmp_path) as writer:
        commit(writer, rows=[row for at in range(4) for row in turn(at)])
        commit(writer, rows=turn(4))
        few = steps_of_standing(tmp_path, monkeypatch)
        commit(writer, rows=[row for at in range(5, 205) for row in turn(at)])
        assert len(standing(tmp_path)) == 18
        assert 0 < steps_of_standing(tmp_path, monkeypatch) < 1.5 * few


def test_no_journal(tmp_path):
    with pytest.raises(JournalUnusable, match="there is no journal"):
        standing(tmp_path)


def test_alert_with_a_word_that_no_station_writes(tmp_path):
    write(tmp_path, alert(1, ON))
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        connection.execute(
            "INSERT INTO alerts SELECT 2, commit_no, bed, 'other', kind, priority, 'awful', at, text, vital, device,"
            " value, threshold, alert_group, why, actor, session FROM alerts"
        )
    connection.close()
    with pytest.raises(JournalUnusable, match=r"cannot be read: .*awful"):
        standing(tmp_path)
