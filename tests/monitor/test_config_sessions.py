"""What a configuration may say of sessions, and that every fault of it is named with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitor import config_file
from monitor.sessions.scales import SCALES
from monitor.sessions.settings import SessionsConfig
from tests.monitor.program import call
from tests.monitor.test_config import GOOD, faults, write

SITE = """\
sessions:
  cuff_every: {infusion: 10}
  checklist:
    - {id: consent, text: Consent given}
    - {id: escort, text: Escort named}
  baseline:
    spo2: {low: 92, high: 99}
    nibp_sys: {required: true}
  events:
    - {id: oxygen, text: Oxygen given}
    - {id: nausea, text: Nausea}
  scales:
    - {id: mood, title: Mood, version: first, lowest: 1, highest: 7}
    - {id: sleepy, title: Sleepiness, version: "2", lowest: -3, highest: 3, help: "3: asleep"}
  discharge:
    scores:
      mood: {at_least: 3, at_most: 7}
    vitals:
      spo2: {by: 3}
    checklist:
      - {id: escort_here, text: Escort is here}
"""
FIRST = GOOD.count("\n") + 1
"""The line of `sessions:` where SITE follows GOOD."""


def sessions(tmp_path: Path, text: str) -> SessionsConfig:
    return config_file.load(write(tmp_path, GOOD + text)).sessions


def test_the_shipped_section_is_what_a_site_without_one_gets(tmp_path: Path) -> None:
    assert "\nsessions:\n" in config_file.default_path().read_text(encoding="utf-8")
    assert config_file.load(config_file.default_path()).sessions == SessionsConfig()
    assert sessions(tmp_path, "") == SessionsConfig()


def test_every_key_of_the_section_is_written_out_in_the_shipped_one() -> None:
    text = config_file.default_path().read_text(encoding="utf-8").partition("\nsessions:\n")[2]
    written_out = json.loads(SessionsConfig().model_dump_json(exclude_none=True))
    keys = set(written_out) | set(written_out["cuff_every"]) | set(written_out["discharge"])
    assert {key for key in keys if f"{key}:" not in text} == set()


def test_the_shipped_one_is_good_and_so_is_its_scale_in_the_comment(tmp_path: Path) -> None:
    assert call("check", str(config_file.default_path())).stdout.startswith("ok\n")
    text = config_file.default_path().read_text(encoding="utf-8")
    text = text.replace("  scales: []\n", "").replace("  # - {id: mood,", "  scales:\n  - {id: mood,")
    (mood,) = config_file.load(write(tmp_path, text)).sessions.scales
    assert (mood.lowest, mood.highest, mood.help) == (0, 10, "0: worst, 10: best")


def test_what_a_site_gives_takes_the_place_of_the_default_and_of_nothing_else(tmp_path: Path) -> None:
    own = sessions(tmp_path, SITE)
    assert (own.cuff_every.baseline, own.cuff_every.infusion, own.cuff_every.recovery) == (5, 10, 15)
    assert [item.id for item in own.checklist] == ["consent", "escort"]
    assert list(own.baseline) == ["spo2", "nibp_sys"]
    assert list(own.discharge.scores) == ["mood"]
    assert (own.planned_minutes, own.discharge.minutes_since_start) == (40, 120)


def test_a_site_may_do_without(tmp_path: Path) -> None:
    lists = "{checklist: [], baseline: {}, events: [], discharge: {scores: {}, vitals: {}, checklist: []}}"
    own = sessions(tmp_path, f"sessions: {lists}\n")
    assert (own.checklist, own.baseline, own.events) == ((), {}, ())
    assert (own.discharge.scores, own.discharge.vitals, own.discharge.checklist) == ({}, {}, ())


def test_the_sites_own_scales_stand_after_the_shipped_ones(tmp_path: Path) -> None:
    scales = sessions(tmp_path, SITE).all_scales
    assert list(scales) == [*SCALES, "mood", "sleepy"]
    assert (scales["sleepy"].title, scales["sleepy"].version, scales["sleepy"].lowest) == ("Sleepiness", "2", -3)
    assert [(scale.lowest, scale.highest) for scale in SCALES.values()] == [(0, 5), (0, 10), (0, 92)] + [(0, 10)] * 3


@pytest.mark.parametrize(
    ("change", "to", "line", "expected"),
    [
        ("infusion: 10", "infusion: 121", 1, "cuff_every.infusion: input should be less than or equal to 120; got 121"),
        ("infusion: 10", "infusion: 0", 1, "cuff_every.infusion: input should be greater than or equal to 1; got 0"),
        ("infusion: 10", "check-in: 10", 1, "cuff_every.check-in: unknown key"),
        ("id: consent", "id: Consent", 3, "checklist[0].id: string should match pattern"),
        ("Consent given", '" "', 3, "checklist[0].text: string should match pattern"),
        ("Consent given", r'"Consent\ngiven"', 3, "checklist[0].text: string should match pattern"),
        (", text: Consent given", "", 3, "checklist[0].text: is missing"),
        ("id: escort,", "id: consent,", 4, "checklist[1].id: there is already a checklist item called 'consent'"),
        ("Escort named", "Consent given", 4, "checklist[1].text: there is already a checklist item called 'Consent g"),
        (
            "id: escort_here",
            "id: escort",
            20,
            "discharge.checklist[0].id: there is already a checklist item called 'escort'",
        ),
        ("spo2: {low: 92", "spo3: {low: 92", 6, "baseline.spo3: there is no vital 'spo3'; there are: heart_rate, "),
        ("low: 92", "low: 99", 6, "baseline.spo2.low: low bound 99 is not below high bound 99"),
        ("low: 92", "low: 0.92", 6, "baseline.spo2.low: 0.92 % is outside what spo2 can be, 20 to 100"),
        ("high: 99", "high: 101", 6, "baseline.spo2.high: 101 % is outside what spo2 can be, 20 to 100"),
        ("low: 92", "low: .inf", 6, "baseline.spo2.low: input should be a finite number"),
        ("required: true", "required: false", 7, "baseline.nibp_sys: give low, high or `required: true`"),
        ("id: nausea", "id: oxygen", 10, "events[1].id: there is already a one-touch event called 'oxygen'"),
        (
            "text: Nausea",
            "text: Oxygen given",
            10,
            "events[1].text: there is already a one-touch event called 'Oxygen given'",
        ),
        ("id: sleepy", "id: pain", 13, "scales[1].id: 'pain' is the shipped scale Pain: give yours another id"),
        ("lowest: -3", "lowest: 3", 13, "scales[1].lowest: lowest 3 is not below highest 3"),
        ("lowest: -3", "lowest: 0.5", 13, "scales[1].lowest: input should be a valid integer"),
        (', version: "2"', "", 13, "scales[1].version: is missing"),
        (
            "mood: {at_least",
            "mode: {at_least",
            16,
            "discharge.scores.mode: there is no scale 'mode'; there are: moaas, ",
        ),
        ("at_least: 3", "at_least: 0", 16, "discharge.scores.mood.at_least: 0 is outside Mood, 1 to 7"),
        ("at_most: 7", "at_most: 8", 16, "discharge.scores.mood.at_most: 8 is outside Mood, 1 to 7"),
        ("at_most: 7", "at_most: 2", 16, "discharge.scores.mood.at_least: at_least 3 is above at_most 2"),
        ("at_least: 3, at_most: 7", "", 16, "discharge.scores.mood: give at_least, at_most or both"),
        ("spo2: {by", "spo3: {by", 18, "discharge.vitals.spo3: there is no vital 'spo3'"),
        ("by: 3", "by: 3, percent: 5", 18, "discharge.vitals.spo2: give percent (of the baseline) or by (in %), one"),
        ("{by: 3}", "{}", 18, "discharge.vitals.spo2: give percent (of the baseline) or by (in %), one of the two"),
        ("by: 3", "by: 0", 18, "discharge.vitals.spo2.by: input should be greater than 0; got 0"),
        ("by: 3", "percent: 120", 18, "discharge.vitals.spo2.percent: input should be less than or equal to 100"),
        (
            "  discharge:",
            "  planned_minutes: 721\n  discharge:",
            14,
            "planned_minutes: input should be less than or equ",
        ),
        ("  discharge:", "  ask_after: 0\n  discharge:", 14, "ask_after: input should be greater than or equal to 1"),
        (
            "discharge:\n",
            "discharge:\n    minutes_since_start: 2h\n",
            15,
            "discharge.minutes_since_start: input should",
        ),
    ],
)
def test_a_fault_of_a_session_is_named_with_its_line(
    tmp_path: Path, change: str, to: str, line: int, expected: str
) -> None:
    assert SITE.count(change) == 1
    (fault,) = faults(tmp_path, GOOD + SITE.replace(change, to))
    assert fault.startswith(f"{FIRST + line}: sessions.{expected}")


def test_a_scale_of_the_site_that_is_there_twice_is_a_fault(tmp_path: Path) -> None:
    found = faults(tmp_path, GOOD + SITE.replace("id: sleepy", "id: mood"))
    assert f"{FIRST + 13}: sessions.scales[1].id: there is already a scale called 'mood'" in found
