"""Whatever happens on a bed, a board that is restored in the middle of it says what the board says that went on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.errors import AlertActionRefused
from drivers.events import Cause, DeviceStatus, LinkState, Reading, measured, missing
from drivers.vitals import VITALS
from monitor.alerts.board import AlertBoard
from monitor.alerts.conditions import ALARM, AUDIO, AlertEvent, AlertState, Kind, Priority, Why
from monitor.alerts.in_force import Visit
from monitor.alerts.rules import (
    CombinedRule,
    LimitRule,
    OverdueRule,
    ProbeOffRule,
    Profile,
    RateRule,
    Signals,
    StaleRule,
    Threshold,
)
from monitor.alerts.signals import Acknowledge, Pause
from tests.monitor.alerts.hand import Hand

PROFILE = Profile(
    "test",
    (
        LimitRule("spo2_low", Priority.HIGH, vital="spo2", threshold=Threshold(90), delay=4, hysteresis=2),
        LimitRule("spo2_poor", Priority.LOW, vital="spo2", threshold=Threshold(94), questionable=False),
        LimitRule("hr_low", Priority.NONE, vital="heart_rate", threshold=Threshold(50)),
        LimitRule(
            "hr_high", Priority.MEDIUM, vital="heart_rate", side="high", threshold=Threshold(120), gap=5, delay=3
        ),
        LimitRule(
            "sys_risen",
            Priority.MEDIUM,
            phases=frozenset({"infusion"}),
            vital="nibp_sys",
            side="high",
            threshold=Threshold(percent=20),
        ),
        LimitRule("sys_high", Priority.HIGH, vital="nibp_sys", side="high", threshold=Threshold(160), readings=2, of=2),
        RateRule("spo2_falls", Priority.LOW, vital="spo2", change=6, within=20, hysteresis=2),
        CombinedRule("slow_and_low", Priority.HIGH, members=("spo2_poor", "hr_low"), delay=2),
        OverdueRule("cuff_overdue", Priority.LOW, vital="nibp_sys", grace=5),
        StaleRule("stale", Priority.LOW, after=5),
        StaleRule("stale_long", Priority.MEDIUM, phases=frozenset({"infusion"}), after=9),
        ProbeOffRule("probe_off", Priority.LOW, after=3),
    ),
    signals=Signals(reminder=15),
)
DEVICES = {"spo2": "oxi", "heart_rate": "ecg", "nibp_sys": "cuff"}
VALUES = {"spo2": [97, 93, 89, 85], "heart_rate": [70, 45, 130], "nibp_sys": [120, 150, 170]}
LAST = 60
"""As `restart.LAST`."""


Act = tuple[str, ...]
"""What happens: its name, and what it is about."""


@dataclass
class Ward:
    """One bed under a board, and what a journal would have of it."""

    clock: Hand
    told: list[AlertEvent] = field(default_factory=list)
    readings: list[tuple[float, str, Reading]] = field(default_factory=list)
    visit: Visit | None = None
    since: float = 0.0
    """When the session came to the bed."""
    sessions: int = 0

    def __post_init__(self) -> None:
        self.board = AlertBoard({"bed": PROFILE}, PROFILE, self.clock)
        self.board.add_listener(lambda _bed, events: self.told.extend(events))

    def do(self, act: Act) -> None:
        what, *about = act
        getattr(self, what)(*about)

    def read(self, vital: str, value: str, how: str) -> None:
        at = self.clock.now_ns()
        reading = missing(vital, at, at, Cause.SEARCHING)
        if how == "off":
            reading = missing(vital, at, at, Cause.SENSOR_OFF)
        elif how != "gone":
            doubts = {"valid": (), "doubt": (Cause.LOW_PERFUSION,), "provisional": (Cause.PROVISIONAL,)}[how]
            reading = measured(vital, float(value), at, at, doubts)
        self.readings.append((self.clock.t, DEVICES[vital], reading))
        self.board.receive("bed", DEVICES[vital], [reading])

    def link(self, device: str, state: str) -> None:
        self.board.link_changed("bed", device, LinkState(state), "", self.clock.now_ns())

    def status(self, code: str, active: str) -> None:
        event = DeviceStatus(code, active == "on", "text", self.clock.now_ns())
        self.board.receive("bed", "oxi", [event])

    def session(self, phase: str) -> None:
        self.sessions += 1
        self.since = self.clock.t
        self.visit = Visit(f"s{self.sessions}", phase, self.clock.t, 10)
        self.board.visit_changed("bed", self.visit, PROFILE)

    def acknowledge(self) -> None:
        try:
            self.board.operate("bed", Acknowledge("A. Nurse"))
        except AlertActionRefused:
            assert not self.board.signals_of("bed").alerts

    def pause(self, what: str) -> None:
        self.board.operate("bed", Pause("A. Nurse", what, 30))

    def tick(self) -> None:
        self.board.tick()

    def restored(self) -> Ward:
        """Another board that takes up what the journal has, as `AlarmSystem.take_up` does."""
        again = Ward(self.clock, list(self.told), list(self.readings), self.visit, self.since, self.sessions)
        if self.visit is not None:
            visit = self.visit._replace(baseline=self.board.learned("bed").baseline)
            again.board.visit_changed("bed", visit, PROFILE)
        for t, device, reading in self.readings:
            if t >= self.since and (t >= self.clock.t - LAST or VITALS[reading.vital].episodic):
                again.board.replay("bed", device, [reading], t)
        again.board.restore(stood(self.told), frozenset())
        return again

    def says(self) -> dict[str, tuple[object, ...]]:
        state = self.board.signals_of("bed")
        alerts = {
            rule: (signal.event.state, signal.event.priority, signal.present, signal.begun)
            for rule, signal in state.alerts.items()
        }
        return {**alerts, AUDIO: (state.audio.state, state.audio.until), ALARM: (state.alarm.state, state.alarm.until)}

    def of_patient(self) -> dict[str, tuple[object, ...]]:
        """The part that has to be the same at every moment: what is missing may be missed from the restart on."""
        alerts = self.board.signals_of("bed").alerts
        physiological = {rule for rule, it in alerts.items() if it.event.kind is Kind.PHYSIOLOGICAL}
        return {rule: what for rule, what in self.says().items() if rule in physiological}


def stood(told: Sequence[AlertEvent]) -> list[tuple[AlertEvent, int]]:
    """As `storage.standing` has it."""
    last: dict[str, tuple[AlertEvent, int]] = {}
    for event in told:
        since = last.pop(event.rule, (event, event.at))[1]
        if event.state is not (AlertState.ON if event.rule in {AUDIO, ALARM} else AlertState.OFF):
            last[event.rule] = event, since
    return list(last.values())


def given_of(vital: str) -> st.SearchStrategy[Act | None]:
    """What a device says of a vital for some seconds; None where nothing."""
    how = st.sampled_from(["valid"] * 4 + ["doubt", "off", "gone"])
    return st.none() | st.tuples(st.just("read"), st.just(vital), st.sampled_from(list(map(str, VALUES[vital]))), how)


ACTS = st.one_of(
    st.tuples(st.just("acknowledge")),
    st.tuples(st.just("pause"), st.sampled_from([AUDIO, ALARM])),
    st.tuples(st.just("session"), st.sampled_from(["check_in", "baseline", "infusion"])),
    st.tuples(st.just("link"), st.sampled_from(["oxi", "ecg"]), st.sampled_from(["lost", "receiving", "silent"])),
    st.tuples(st.just("status"), st.sampled_from(["low_battery", "other"]), st.sampled_from(["on", "off"])),
)
READS = st.tuples(*map(given_of, VALUES)).map(lambda given: [act for act in given if act is not None])


def stretches(acts: st.SearchStrategy[list[Act]], most: int) -> st.SearchStrategy[list[list[Act]]]:
    """Seconds, of which several in a row are the same, as conditions last for a while."""
    stretch = st.tuples(acts, READS, st.integers(1, 12))
    several = st.lists(stretch.map(lambda it: [it[0] + it[1], *[it[1]] * (it[2] - 1)]), min_size=1, max_size=most)
    return several.map(lambda parts: [second for part in parts for second in part])


EACH: list[Act] = [("read", vital, str(values[0]), "valid") for vital, values in VALUES.items()]


def go_on(wards: Sequence[Ward], clock: Hand, seconds: Sequence[Sequence[Act]]) -> None:
    for acts in seconds:
        for act in acts:
            clock.t += 0.125
            for ward in wards:
                ward.do(act)
        clock.t += 1 - 0.125 * len(acts)
        for ward in wards:
            ward.tick()


@settings(max_examples=400, deadline=None)
@given(stretches(st.lists(ACTS, max_size=2), 5), stretches(st.just([]), 2))
def test_a_restart_in_the_middle_loses_nothing_and_tells_nothing_twice(
    before: list[list[Act]], after: list[list[Act]]
) -> None:
    clock = Hand(1000.0)
    ward = Ward(clock)
    go_on([ward], clock, before)
    again = ward.restored()
    for second in after:
        go_on([ward, again], clock, [second])
        assert again.of_patient() == ward.of_patient()
    go_on([ward, again], clock, [EACH])
    assert again.says() == ward.says()
    assert_each_change_is_one(again.told)


def assert_each_change_is_one(told: Sequence[AlertEvent]) -> None:
    """Of each rule: it comes on when it is not on, ends when it stands, is acknowledged while it is on."""
    follows: dict[AlertState, set[AlertState | None]] = {
        AlertState.ON: {None, AlertState.OFF, AlertState.LATCHED},
        AlertState.LATCHED: {AlertState.ON},
        AlertState.ACKNOWLEDGED: {AlertState.ON},
        AlertState.OFF: {AlertState.ON, AlertState.ACKNOWLEDGED, AlertState.LATCHED},
    }
    last: dict[str, AlertState] = {}
    for event in told:
        if event.kind is Kind.OTHER or event.why in {Why.REMINDER, Why.ESCALATED}:
            continue
        assert last.get(event.rule) in follows[event.state], event
        last[event.rule] = event.state
