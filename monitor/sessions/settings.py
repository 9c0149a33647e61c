"""What a site's configuration says of its sessions: checklists, bounds, buttons, scales and the discharge.

Every clinical number here is an example, to be set by the responsible clinician; `config.yaml` has the same ones.
Where they come from: blood pressure above 140/90 before a dose is where the label of esketamine has one weigh a delay,
its observation lasts at least two hours from the start, and MOAA/S 5 is alert. Cuff readings every 5 minutes in
sedation and every 5 to 15 in recovery are in the ASA's guidelines. A modified Aldrete score of 9 and blood pressure
within 20 % of before (full marks for circulation) are that score's own. The bounds below and of SpO2, heart and pulse
rate, and 3 % for SpO2, are the authors' suggestion.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from monitor.config_base import Name, Section
from monitor.sessions.scales import SCALES, Scale

Text = Annotated[str, Field(pattern=r"^\S(.*\S)?$", max_length=120)]
"""One line for people, without blanks at its ends."""
Interval = Annotated[int, Field(ge=1, le=120)]
"""Minutes."""


class CuffEvery(Section):
    """Minutes from one cuff reading to when the next is due, by phase. Nothing here starts a cuff."""

    baseline: Interval = 5
    infusion: Interval = 5
    recovery: Interval = 15


class Item(Section):
    """A line of a checklist, or an event with its own button."""

    id: Name
    text: Text


class VitalBounds(Section):
    """What a vital may be before the infusion without a confirmation being asked for; in the vital's unit."""

    low: float | None = None
    high: float | None = None
    required: bool = False
    """Whether a confirmation is asked for also where there is no reading of it."""


class OwnScale(Section):
    """A scale of the site's own."""

    id: Name
    title: Text
    version: Text
    lowest: int
    highest: int
    help: str = ""

    def scale(self) -> Scale:
        """The same, as the shipped ones are."""
        return Scale(self.id, self.title, self.version, self.lowest, self.highest, self.help)


class ScoreCriterion(Section):
    """What the last score on a scale has to be; both ends are met by the number itself."""

    at_least: int | None = None
    at_most: int | None = None


class VitalCriterion(Section):
    """How near to its baseline a vital has to be, above or below: one of the two."""

    percent: Annotated[float, Field(gt=0, le=100)] | None = None
    """Of the baseline."""
    by: Annotated[float, Field(gt=0)] | None = None
    """In the vital's unit."""


class DischargeConfig(Section):
    """When a patient may leave. It is shown as met or open, and closing a session in spite of it takes a reason."""

    minutes_since_start: Annotated[int, Field(ge=0, le=1440)] = 120
    """Since the infusion was started."""
    scores: dict[str, ScoreCriterion] = Field(
        default_factory=lambda: {"moaas": ScoreCriterion(at_least=5), "aldrete": ScoreCriterion(at_least=9)}
    )
    """By the scale's id."""
    vitals: dict[str, VitalCriterion] = Field(
        default_factory=lambda: {
            "nibp_sys": VitalCriterion(percent=20),
            "nibp_dia": VitalCriterion(percent=20),
            "spo2": VitalCriterion(by=3),
        }
    )
    checklist: tuple[Item, ...] = (Item(id="escort_here", text="Escort is here"),)


class SessionsConfig(Section):
    """What belongs to every session of the site."""

    planned_minutes: Annotated[int, Field(ge=1, le=720)] = 40
    """Of the infusion, where a session is opened without a number of its own."""
    cuff_every: CuffEvery = CuffEvery()
    ask_after: Annotated[int, Field(ge=1, le=1440)] = 120
    """Minutes after the planned end and without an entry, until the station asks whether a session is over."""
    checklist: tuple[Item, ...] = (
        Item(id="identity", text="Identity confirmed"),
        Item(id="candidacy", text="Candidacy and intake forms complete"),
        Item(id="consent", text="Consent given"),
        Item(id="fasting", text="Fasting confirmed"),
        Item(id="escort", text="Escort named"),
        Item(id="allergies", text="Allergies reviewed"),
    )
    """Before the infusion."""
    baseline: dict[str, VitalBounds] = Field(
        default_factory=lambda: {
            "nibp_sys": VitalBounds(low=90, high=140, required=True),
            "nibp_dia": VitalBounds(low=50, high=90, required=True),
            "spo2": VitalBounds(low=92, required=True),
            "heart_rate": VitalBounds(low=50, high=100),
            "pulse_rate": VitalBounds(low=50, high=100),
        }
    )
    """Of vitals before the infusion."""
    events: tuple[Item, ...] = (
        Item(id="position", text="Position changed"),
        Item(id="oxygen", text="Oxygen given"),
        Item(id="nausea", text="Nausea"),
        Item(id="vomiting", text="Vomiting"),
        Item(id="anxiety", text="Anxiety"),
        Item(id="medication", text="Medication given"),
        Item(id="provider", text="Provider called"),
        Item(id="bathroom", text="Bathroom"),
    )
    """Noted by one touch."""
    scales: tuple[OwnScale, ...] = ()
    discharge: DischargeConfig = DischargeConfig()

    @property
    def all_scales(self) -> Mapping[str, Scale]:
        """The shipped scales and then the site's own, by id."""
        return {**SCALES, **{own.id: own.scale() for own in self.scales}}
