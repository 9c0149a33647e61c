"""The newest seconds of waveforms."""

from __future__ import annotations

from drivers.clock import NS
from drivers.events import Waveform, measured
from monitor.waves import Waves

START = 1_790_000_000


def run(second: float, rate: float = 75.0, name: str = "pleth") -> Waveform:
    at = round((START + second) * NS)
    return Waveform(name, (1, 2, 3), rate, at, at)


def begun(waves: Waves, after: float, moment: float, name: str = "pleth") -> list[float]:
    return [it.observed_at / NS - START for it in waves.newest("one", name, START + after, moment)]


def test_runs_are_kept_for_ten_seconds_since_they_came() -> None:
    waves = Waves()
    for second in range(20):
        waves.receive("one", "oximeter", [run(second)], float(second))
    assert begun(waves, 0, 19) == [float(it) for it in range(9, 20)]
    assert begun(waves, 17, 19) == [18, 19]
    assert begun(waves, 19, 19) == []
    assert begun(waves, 0, 25) == [15, 16, 17, 18, 19]
    assert begun(waves, 0, 60) == []


def test_beds_and_waveforms_are_told_apart_and_readings_are_none() -> None:
    waves = Waves()
    now = START * NS
    waves.receive("one", "monitor", [run(0), run(0, name="ecg"), measured("spo2", 97, now, now)], 0)
    waves.receive("two", "monitor", [run(0)], 0)
    assert begun(waves, -1, 0) == begun(waves, -1, 0, "ecg") == [0]
    assert begun(waves, -1, 0, "resp") == []


def test_a_device_gone_wild_fills_no_memory() -> None:
    waves = Waves()
    for place in range(50):
        waves.receive("one", "oximeter", [run(place + it / 1000) for it in range(1000)], place / 100)
    assert len(waves.newest("one", "pleth", 0, 0.5)) == 2000


def test_two_devices_or_rates_are_not_one_line() -> None:
    waves = Waves()
    waves.receive("one", "old", [run(0)], 0)
    waves.receive("one", "new", [run(1, 60.0)], 1)
    waves.receive("one", "new", [run(2)], 2)
    assert begun(waves, 0, 2) == [2]
    waves.receive("one", "new", [run(3)], 3)
    assert begun(waves, 0, 3) == [2, 3]


def test_where_the_clock_was_set_back_all_that_there_is_is_new() -> None:
    waves = Waves()
    waves.receive("one", "oximeter", [run(0), run(1)], 1)
    assert begun(waves, 3600, 1) == [0, 1]
