import contextlib
import math
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.clock import NS
from drivers.errors import JournalUnusable
from drivers.events import Cause, Validity, measured, missing
from monitor.storage.blocks import BLOCK, FURTHEST, SLOT
from monitor.storage.history import EARLIEST, LATEST, History
from tests.monitor.storage.helpers import (
    START,
    ask,
    change,
    commit,
    database,
    seal_all,
    traces_expected,
    traces_of,
)

BEDS = ["a", "b"]
# Anywhere in an hour and a bit, and often just at the edges of slots and blocks.
OFFSETS = st.integers(-BLOCK, 6 * BLOCK) | st.builds(
    lambda edge, off: edge * SLOT + off, st.integers(-20, 120), st.sampled_from([-1, 0, 1])
)
READINGS = st.builds(
    lambda vital, offset, late, value, cause: (
        missing(vital, START + offset, START + offset + late, *cause)
        if value is None
        else measured(vital, value, START + offset, START + offset + late, cause)
    ),
    st.sampled_from(["spo2", "pulse_rate"]),
    OFFSETS,
    st.integers(0, 10 * NS),
    st.none() | st.sampled_from([97.0, 86.5, 5.0, -1.0, 300.0]),
    st.lists(st.sampled_from([Cause.SENSOR_OFF, Cause.ARTIFACT]), max_size=2, unique=True),
)
COMMITS = st.lists(
    st.tuples(
        st.sampled_from(BEDS), st.sampled_from(["monitor", "oximeter"]), st.lists(READINGS, max_size=12), st.booleans()
    ),
    max_size=8,
)
SPANS = st.lists(st.tuples(OFFSETS, OFFSETS, st.integers(2, 40)), min_size=1, max_size=4)


@contextlib.contextmanager
def journal_of(commits):
    """A folder with a journal of these commits, sealed after each or not: late ones come to blocks."""
    with tempfile.TemporaryDirectory() as folder, database(Path(folder)) as writer:
        for bed, device, readings, sealed in commits:
            commit(writer, readings, bed=bed, device=device)
            if sealed:
                seal_all(writer)
        yield Path(folder)


@given(COMMITS, SPANS)
@settings(max_examples=60)
def test_chart_is_the_rows(commits, spans):
    with journal_of(commits) as folder:
        for first, second, _ in spans:
            since, until = START + min(first, second), START + max(first, second)
            for bed in BEDS:
                assert traces_of(folder, bed, since, until) == traces_expected(folder, bed, since, until)


def bands_of(folder, since, until, width, bed=None):
    """By series, the steps of `History.overview`; and how long each is."""
    found = {}
    steps = set()
    for band in History(folder).overview(since, until, width, bed):
        steps.add(band.step)
        columns = (band.begins_at, band.lowest, band.highest, band.total, band.questionable, band.invalid)
        assert len({len(column) for column in columns}) == 1
        assert len(band.begins_at) <= width
        assert (np.diff(band.begins_at) > 0).all()
        rows = zip(*(column.tolist() for column in columns), strict=True)
        found[band.bed, band.device, band.vital] = [tuple(None if math.isnan(it) else it for it in row) for row in rows]
    return found, steps.pop() if steps else None


def bands_expected(folder, since, until, step, bed=None):
    """The same, slowly: every reading of every half minute of which a part lies in the span."""
    steps = {}
    for row in History(folder).readings(bed=bed):
        slot = row.observed_at // SLOT * SLOT
        if slot + SLOT > since and slot < until:
            key = (row.bed, row.device, row.vital)
            steps.setdefault(key, {}).setdefault(slot // step * step, []).append(row)
    return {
        key: [
            (
                begins_at,
                min((row.value for row in rows if row.value is not None), default=None),
                max((row.value for row in rows if row.value is not None), default=None),
                len(rows),
                sum(row.validity is Validity.QUESTIONABLE for row in rows),
                sum(row.validity is Validity.INVALID for row in rows),
            )
            for begins_at, rows in sorted(steps[key].items())
        ]
        for key in steps
    }


@given(COMMITS, SPANS)
@settings(max_examples=60)
def test_overview_is_what_a_slow_count_says(commits, spans):
    with journal_of(commits) as folder:
        for first, second, width in spans:
            since, until = START + min(first, second), START + max(first, second) + 1
            found, step = bands_of(folder, since, until, width)
            if step is None:
                assert not bands_expected(folder, since, until, SLOT)
                continue
            assert found == bands_expected(folder, since, until, step)
            for bed in BEDS:
                of_bed, _ = bands_of(folder, since, until, width, bed)
                assert of_bed == {key: rows for key, rows in found.items() if key[0] == bed}
            # As fine as the width allows.
            assert step % SLOT == 0
            assert step == SLOT or (step - SLOT) * (width - 1) < until - since


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """Eight hours of a value every two seconds, one of them low; a part without a value; the last hour not sealed."""
    folder = tmp_path_factory.mktemp("night")
    with database(folder) as writer:
        for hour in range(8):
            readings = []
            for second in range(hour * 3600, (hour + 1) * 3600, 2):
                at = START + second * NS
                if 3600 * 3 <= second < 3600 * 4:
                    readings.append(missing("spo2", at, at, Cause.SENSOR_OFF))
                else:
                    readings.append(measured("spo2", 61.0 if second in {10_000, 27_000} else 97.0, at, at))
            commit(writer, readings)
            if hour < 7:
                seal_all(writer)
    return folder


@pytest.mark.parametrize("width", [2, 3, 50, 200, 1000])
def test_no_step_hides_a_single_low_value(night, width):
    [band] = History(night).overview(START, START + 8 * 3600 * NS, width)
    assert len(band.begins_at) <= width
    assert band.total.sum() == 14_400
    low = [(int(begins_at) - START) // NS for begins_at in band.begins_at[band.lowest == 61.0]]
    seconds = band.step // NS
    assert low == sorted({10_000 // seconds * seconds, 27_000 // seconds * seconds})
    assert np.nanmax(band.highest) == 97.0


@given(st.integers(0, 8 * 3600 * NS), st.integers(1, 8 * 3600 * NS), st.integers(2, 700))
def test_no_span_has_more_steps_than_the_width(night, first, length, width):
    for band in History(night).overview(START + first, START + first + length, width):
        assert 0 < len(band.begins_at) <= width


@pytest.mark.parametrize("width", [2, 3, 10, 600])
def test_span_that_cuts_through_steps_at_both_ends_has_no_more_of_them(night, width):
    for since in (START, START + 1, START + SLOT - 1):
        [band] = History(night).overview(since, since + width * SLOT, width)
        assert len(band.begins_at) <= width


def test_steps_without_any_value_are_visible_as_such(night):
    [band] = History(night).overview(START, START + 8 * 3600 * NS, 500)
    empty = np.isnan(band.lowest)
    assert (empty == np.isnan(band.highest)).all()
    assert (band.invalid[empty] == band.total[empty]).all()
    assert (band.total > 0).all()
    assert band.begins_at[empty].tolist() == list(range(START + 3 * 3600 * NS, START + 4 * 3600 * NS, band.step))


def test_sealing_changes_nothing_of_what_is_seen(tmp_path):
    since, until = START + 3 * NS, START + 100 * NS
    with database(tmp_path) as writer:
        commit(writer, [measured("spo2", 60.0 + second, START + second * NS, START) for second in range(130)])
        before = bands_of(tmp_path, since, until, 10), traces_of(tmp_path, "a", since, until)
        seal_all(writer)
        assert (bands_of(tmp_path, since, until, 10), traces_of(tmp_path, "a", since, until)) == before


def test_all_of_time(tmp_path):
    times = [-FURTHEST + 5, -1, 0, START, FURTHEST - 1]
    with database(tmp_path) as writer:
        for sealed in (True, False):
            commit(writer, [measured("spo2", 97.0, at - 5 * sealed, at) for at in times])
            if sealed:
                seal_all(writer)
        assert traces_of(tmp_path, "a", EARLIEST, LATEST) == traces_expected(tmp_path, "a", EARLIEST, LATEST)
        [band] = History(tmp_path).overview(EARLIEST, LATEST, 1000)
        assert band.total.sum() == 10
        assert len(band.begins_at) == 5
        for first in (-FURTHEST, FURTHEST - BLOCK):
            [fine] = History(tmp_path).overview(first, first + BLOCK, 1000)
            assert fine.total.tolist() == [2]


def test_reading_from_another_age_is_refused_and_sealing_goes_on(tmp_path):
    far = [EARLIEST, EARLIEST + 1, -FURTHEST - 1, FURTHEST, LATEST]
    with database(tmp_path) as writer:
        for at in far:
            assert commit(writer, [measured("spo2", 97.0, moment, moment) for moment in (START, at)])[1] == 1
        seal_all(writer)
        assert traces_of(tmp_path, "a", EARLIEST, LATEST) == traces_expected(tmp_path, "a", EARLIEST, LATEST)
        assert ask(tmp_path, "SELECT observed_at FROM readings") == [(START,)]


def test_nothing_there(tmp_path):
    with database(tmp_path) as writer:
        history = History(tmp_path)
        assert history.chart("a", START, START + BLOCK) == []
        assert history.overview(START, START + BLOCK, 100) == []
        commit(writer, [measured("spo2", 97.0, START, START)])
        seal_all(writer)
        assert history.chart("b", START, START + BLOCK) == []
        assert history.chart("a", START + 1, START + BLOCK) == []
        assert history.chart("a", START + 1, START) == []
        assert history.overview(START + SLOT, START + BLOCK, 100) == []
        assert history.overview(START + BLOCK, START, 100) == []
        [trace] = history.chart("a", START, START + 1)
        assert (trace.bed, trace.device, trace.vital) == ("a", "oximeter", "spo2")


def test_block_that_rotted_is_said(tmp_path):
    with database(tmp_path) as writer:
        commit(writer, [measured("spo2", 97.0, START, START)])
        seal_all(writer)
        change(tmp_path, "UPDATE blocks SET packed = x'00'")
        with pytest.raises(JournalUnusable, match="damaged block"):
            History(tmp_path).chart("a", START, START + BLOCK)
        assert ask(tmp_path, "SELECT count(*) FROM readings") == [(1,)]
        assert math.isclose(History(tmp_path).overview(START, START + BLOCK, 10)[0].lowest[0], 97.0)
