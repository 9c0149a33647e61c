"""What the API tells, as its description has it. Nothing is made of these forms: what is told is held to them by tests.

More fields may come with later versions: who reads an answer passes over what it does not know.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class _Told(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


Number = float | None
Urgent = Literal["low", "medium", "high"]


class AlertLine(_Told):
    """An alert that stands, as one line for people."""

    rule: str
    group: str
    """Alerts of one group are one line: what is acknowledged together."""
    kind: Literal["physiological", "technical"]
    priority: Urgent
    state: Literal["on", "latched", "acknowledged"]
    since: str
    text: str
    value: Number
    limit: Number
    vital: str
    device: str
    present: bool
    """Whether the condition is still there."""
    actor: str
    """Who acknowledged it."""


class AlertChange(_Told):
    """What became of an alert, or of the signals of a bed (`audio` and `alarm` in place of a rule)."""

    bed: str
    rule: str
    kind: Literal["physiological", "technical", "other"]
    priority: Literal["none", "low", "medium", "high"]
    state: Literal["on", "latched", "acknowledged", "off", "paused"]
    at: str
    text: str
    vital: str
    device: str
    value: Number
    limit: Number
    group: str
    why: str
    actor: str
    session: str


class AlertChanges(_Told):
    """The newest first."""

    alerts: list[AlertChange]
    more: bool
    """Whether there are older ones than these since then."""


class Activation(_Told):
    """Whether alerts sound, or are given at all."""

    state: Literal["on", "paused", "off"]
    for_s: Number
    """Seconds that a pause lasts yet."""
    since: str | None
    by: str


class VitalNow(_Told):
    """The newest of a vital, and how far it may be believed."""

    label: str
    unit: str
    colour: str
    episodic: bool
    """Measured now and then: it has an age, and does not go stale within seconds."""
    decimals: int
    state: Literal["fresh", "stale", "old", "invalid", "missing"]
    value: Number
    """Only where it is fresh or stale."""
    validity: Literal["valid", "questionable", "invalid"] | None
    cause: str
    """Words of the program, joined by commas."""
    reason: str
    """The same for people."""
    observed_at: str | None
    age_s: Number
    device: str | None


class DeviceNow(_Told):
    """A device and its link."""

    id: str
    title: str
    state: Literal["connecting", "receiving", "silent", "undecodable", "lost", "refused", "ended"]
    detail: str
    notices: list[str]
    """What it says is wrong."""
    work: list[str]
    """What it says that it does."""
    since: str
    for_s: float
    quiet_s: Number
    """Seconds since it last gave anything; null where it never did."""


class SessionNow(_Told):
    """The session on a bed, in short."""

    session: str
    reference: str
    phase: Literal["check_in", "baseline", "infusion", "recovery", "closed"]
    state: Literal["check_in", "baseline", "running", "paused", "stopped", "recovery", "closed"]
    planned_minutes: int
    elapsed_s: Number
    running: bool
    overrun_s: float
    entries: int
    """How many: where it changes, there is more to be asked of the bed."""


class Cuff(_Told):
    """When a cuff reading is due."""

    every_min: float
    due_s: float
    """Seconds; negative where it is overdue."""


class Limits(_Told):
    """The innermost of a vital."""

    low: Number
    high: Number


class BedNow(_Told):
    """A bed now."""

    id: str
    label: str
    vitals: dict[str, VitalNow]
    devices: list[DeviceNow]
    session: SessionNow | None
    cuff: Cuff | None
    limits: dict[str, Limits]
    alerts: list[AlertLine]
    audio: Activation
    alarm: Activation
    audible: Urgent | None
    """What is to be heard of it."""


class Snapshot(_Told):
    """The present of all beds."""

    station: str
    boot: str
    """Another word at each start of the station."""
    notice: str
    """What is wrong with the station itself; empty when nothing is."""
    now: str
    moment: float
    """The same on a clock that nobody sets; who acknowledges says by it what they saw (`seen`)."""
    station_alerts: list[AlertLine]
    audible_station: Urgent | None
    beds: list[BedNow]


class BedName(_Told):
    """A bed."""

    id: str
    label: str


class Choice(_Told):
    """An event that is noted by one touch."""

    id: str
    text: str


class Scale(_Told):
    """A scale of scores: whole numbers."""

    id: str
    title: str
    version: str
    lowest: int
    highest: int
    help: str


class Pause(_Told):
    """How long alerts may be silenced."""

    seconds: float
    longest: float
    may_switch_off: bool


class Offer(_Told):
    """What people may choose from."""

    planned_minutes: int
    profile: str
    profiles: list[str]
    events: list[Choice]
    scales: list[Scale]
    pause: Pause


class Limit(_Told):
    """A limit in force now."""

    rule: str
    vital: str
    label: str
    unit: str
    side: Literal["low", "high"]
    limit: float
    priority: Literal["none", "low", "medium", "high"]
    delay_s: float
    set_for_session: bool
    bounds: tuple[float, float] | None
    """Between these it may be set for one session."""


class SessionDetails(_Told):
    """All of a session, as `infusion-monitor session show --json` has it."""

    session: str
    reference: str
    bed: str
    phase: str
    state: str
    opened_at: str
    closed_at: str | None
    planned_minutes: int
    profile: str
    infusion: dict[str, Any] | None
    possible: list[str]
    """The steps that may follow."""
    beds: list[dict[str, Any]]
    limits: dict[str, float]
    """Those that were set for it, by rule."""
    cuff: dict[str, Any] | None
    checklist: list[dict[str, Any]]
    baseline: dict[str, dict[str, Any]]
    discharge: list[dict[str, Any]]
    asked: str | None
    """Why the station asks whether it is over."""
    entries: list[dict[str, Any]]


class BedDetails(_Told):
    """All that the page of a chair shows."""

    bed: BedName
    session: SessionDetails | None
    journal_read: bool
    """False where the journal could not be read: what was measured is then missing from the session."""
    offer: Offer
    limits: list[Limit]


class Column(_Told):
    """A vital in a chart: lists of one length."""

    label: str
    unit: str
    colour: str
    decimals: int
    episodic: bool
    t: list[float]
    """UTC seconds: the beginning of a step, or the time of a reading that stands for itself."""
    low: list[Number]
    high: list[Number]
    questionable: list[int]
    """How many readings of the step."""
    invalid: list[int]


class PhaseOf(_Told):
    """A part of a session."""

    session: str
    phase: str
    state: str
    since: str
    until: str | None


class Chart(_Told):
    """A span of a bed's vitals."""

    bed: str
    since: str
    until: str
    step_s: float
    journal_read: bool
    """False where the journal could not be read: then there is what memory has, at most the last hours since the
    station's start, and of phases those of the session that is open."""
    vitals: dict[str, Column]
    phases: list[PhaseOf]


class SessionLine(_Told):
    """A session in the list of all."""

    session: str
    reference: str
    bed: str
    """The last one."""
    beds: list[str]
    phase: str
    state: str
    opened_at: str
    closed_at: str | None
    planned_minutes: int
    profile: str
    infusion: dict[str, Any] | None
    entries: int
    status: Literal["open", "unsigned", "signed", "amended"]
    """How far its chart is; amended: something was entered since it was signed."""
    signed: bool
    amended: bool


class SessionList(_Told):
    """The newest first."""

    sessions: list[SessionLine]
    more: bool
    """Whether there are more: ask for those `before` the last of these."""


class ReviewedChart(_Told):
    """The chart of a session: all but its readings. Durations are seconds, values in the unit of their vital."""

    session: dict[str, Any]
    """With its `entries`, as they stand and as they were written first."""
    version: Literal["now", "signed"]
    checklist: list[dict[str, Any]]
    discharge: list[dict[str, Any]]
    signatures: list[dict[str, Any]]
    signed: bool
    amended: bool
    may_sign: bool
    """Whether who asks may sign it as it is."""
    mark: str | None
    """For `infusion-monitor verify --head`: a row of the journal's chain that binds all of this; null where there is
    none yet."""
    span: dict[str, Any]
    stays: list[dict[str, Any]]
    phases: list[dict[str, Any]]
    vitals: list[dict[str, Any]]
    """What was measured by which devices, and where there is no value."""
    cuff_readings: list[dict[str, Any]]
    baseline: dict[str, float]
    """Medians of the baseline phase."""
    alerts: list[dict[str, Any]]
    """Each with its whole life."""
    silences: list[AlertChange]
    limits: list[dict[str, Any]]
    """Which were in force when."""
    equipment: list[dict[str, Any]]
    device_events: list[dict[str, Any]]
    summary: dict[str, Any]
    earlier: list[SessionLine]
    """Of the same reference, the newest first."""


class ReviewedVitals(_Told):
    """A span of a session's vitals."""

    session: str
    since: str
    until: str
    step_s: float
    vitals: dict[str, Column]


class Run(_Told):
    """Samples without a gap."""

    begins_at: float
    """UTC seconds; to be sent back as `after`."""
    samples: list[int]


class Pleth(_Told):
    """The newest of a waveform; numbers as the device sends them, without a scale."""

    name: str
    rate: Number
    """Samples a second; null where there are none."""
    runs: list[Run]


class Alive(_Told):
    """Whether the station runs."""

    status: Literal["ok", "stopping"]


class Ready(_Told):
    """Whether the station does all that it is there for."""

    status: Literal["ok", "degraded", "unavailable", "stopping"]
    notice: str
    """What is wrong, for people."""
    journal: Literal["ok", "not_written"] | None
    sinks: dict[str, Literal["forwarding", "waiting", "stopped"]]
    devices: dict[str, int]
    """By the state of their links, how many."""
