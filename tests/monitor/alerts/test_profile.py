"""What a profile may say, that every fault is named with its line, and what the shipped one says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import ConfigError
from drivers.vitals import VITALS
from monitor.alerts import profile_file
from monitor.alerts.conditions import Priority
from monitor.alerts.profile import ProfileConfig
from monitor.alerts.profile_checks import check_profile
from monitor.alerts.rules import (
    PHASES,
    CombinedRule,
    Devices,
    LimitRule,
    OverdueRule,
    ProbeOffRule,
    RateRule,
    Signals,
    StaleRule,
    Threshold,
    applies,
)

OURS = """\
profile: ours
title: Our clinic
rules:
  spo2_low: SpO2 < 90 for 10 s, clears at 92, high
  hr_high: {vital: HR, above: 120, for: 10, hysteresis: 3}
  hr_low:
    vital: HR
    below: 50
    bounds: [40, 60]
  sys_risen: {vital: SBP, above: {infusion: +25 %, recovery: "+30"}, readings: 2 of 3, hysteresis: 5}
  spo2_falls: {vital: spo2, falls: 6, within: 30}
  both: {all: [spo2_low, hr_low], for: 10}
  cuff_overdue: {overdue: nibp_sys}
  stale: {stale_after: 10, priority: low}
  probe_off: {probe_off_after: 5}
signals:
  escalate: {medium: 120}
"""


def write(tmp_path: Path, text: str, name: str = "ours.yaml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def load(tmp_path: Path, text: str) -> ProfileConfig:
    return profile_file.load(write(tmp_path, text))


def faults(tmp_path: Path, text: str) -> list[str]:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        profile_file.load(path)
    return [fault.removeprefix(f"{path}:") for fault in caught.value.faults]


def test_every_kind_of_rule_is_compiled(tmp_path: Path) -> None:
    profile = load(tmp_path, OURS).compiled()
    assert profile.name == "ours"
    assert profile.rules == (
        LimitRule("spo2_low", Priority.HIGH, vital="spo2", side="low", threshold=Threshold(90), delay=10, hysteresis=2),
        LimitRule("hr_high", vital="heart_rate", side="high", threshold=Threshold(120), delay=10, hysteresis=3),
        LimitRule("hr_low", vital="heart_rate", side="low", threshold=Threshold(50), bounds=(40, 60)),
        LimitRule(
            "sys_risen",
            phases=frozenset({"infusion", "recovery"}),
            vital="nibp_sys",
            side="high",
            by_phase={"infusion": Threshold(percent=25), "recovery": Threshold(by=30)},
            hysteresis=5,
            readings=2,
            of=3,
        ),
        RateRule("spo2_falls", vital="spo2", side="low", change=6, within=30),
        CombinedRule("both", members=("spo2_low", "hr_low"), delay=10),
        OverdueRule("cuff_overdue", vital="nibp_sys", grace=120),
        StaleRule("stale", Priority.LOW, after=10),
        ProbeOffRule("probe_off", after=5),
    )
    assert profile.devices == Devices()
    sides = {"spo2_low": "low", "hr_high": "high", "hr_low": "low", "sys_risen": "high"}
    assert profile.signals == Signals(escalate={Priority.MEDIUM: 120}, sides=sides)


def test_minutes_of_a_phase_are_seconds_of_the_engine(tmp_path: Path) -> None:
    text = OURS.replace("{stale_after: 10,", "{stale_after: 10, phases: [recovery], phase_since: 60,")
    rule = load(tmp_path, text).compiled().rules[-2]
    assert (rule.phases, rule.phase_since) == ({"recovery"}, 3600)


def test_a_limit_of_one_session_stays_in_the_phases_of_the_rule(tmp_path: Path) -> None:
    profile = load(tmp_path, OURS).compiled().with_limits({"sys_risen": 170})
    rule = next(rule for rule in profile.rules if rule.id == "sys_risen")
    assert [phase for phase in (None, *PHASES) if applies(rule, phase, 0)] == ["infusion", "recovery"]


HR_LOW, SPO2_LOW = "    below: 50\n", "SpO2 < 90 for 10 s, clears at 92, high"
RISEN = "{infusion: +25 %, "
EXPECTED = "expected a sentence like `SpO2 < 90 for 10 s, clears at 92, high`, or the keys of a rule"


@pytest.mark.parametrize(
    ("change", "to", "expected"),
    [
        ("title:", "titel:", "2: titel: unknown key"),
        ("profile: ours\n", "", "1: profile: is missing"),
        ("    vital: HR", "    vital: HR\n    belwo: 3", "8: rules.hr_low.belwo: unknown key"),
        ("    vital: HR", "    vital: HR\n    vital: PR", '8: found duplicate key "vital"'),
        ("  hr_high: {", "  hr_low: {", '6: found duplicate key "hr_low"'),
        ("    vital: HR", "    vital: HRR", "7: rules.hr_low.vital: there is no vital 'HRR'; there are: heart_rate, "),
        ("escalate:", "esclate:", "17: signals.esclate: unknown key"),
        # sentences
        (SPO2_LOW, "SpO2 under 90", f"4: rules.spo2_low: {EXPECTED}; got 'SpO2 under 90'"),
        (SPO2_LOW, "SpO2 < 90 for 10", f"4: rules.spo2_low: {EXPECTED}"),
        (SPO2_LOW, "SpO2 < 90, urgent", f"4: rules.spo2_low: {EXPECTED}"),
        (SPO2_LOW, "SpO9 < 90", "4: rules.spo2_low.vital: there is no vital 'SpO9'"),
        (SPO2_LOW, "5", f"4: rules.spo2_low: {EXPECTED}; got 5"),
        (SPO2_LOW, "SpO2 < 90 for 900 s", "4: rules.spo2_low.for: input should be less than or equal to 300; got 900"),
        # what it is about
        (HR_LOW, "", "6: rules.hr_low: does not say what it is about: give one of below, above, falls"),
        (HR_LOW, HR_LOW + "    above: 9\n", "6: rules.hr_low: has below and above: a rule has one of them"),
        ("falls: 6", "falls: 6, rises: 6", "11: rules.spo2_falls: has falls and rises"),
        # limits
        (HR_LOW, "    below: 500\n", "8: rules.hr_low.below: 500 /min is outside what heart_rate can be, 0 to 390"),
        (SPO2_LOW, "SpO2 < 0.9", "4: rules.spo2_low.below: 0.9 % is outside what spo2 can be, 20 to 100"),
        (HR_LOW, "    below: -20\n", "8: rules.hr_low.below: -20 /min is outside"),
        (HR_LOW, "    below: .nan\n", "8: rules.hr_low.below: input should be a finite number"),
        (HR_LOW, "    below: +15\n", '8: rules.hr_low.below: +15 is the same as 15; write that, or "+15" for so much'),
        (HR_LOW, "    below: 20 %\n", "8: rules.hr_low.below: expected a number, or by how much from the baseline, wi"),
        (HR_LOW, "    below: [50]\n", "8: rules.hr_low.below: input should be a valid number"),
        (HR_LOW, "    below: +20 %\n", "8: rules.hr_low.below: the baseline itself would be below that: give it with "),
        (HR_LOW, "    below: -100 %\n", "8: rules.hr_low.below: -100 % of the baseline is outside -100 to +300"),
        (RISEN, '{infusion: "+900", ', "10: rules.sys_risen.above.infusion: +900 mmHg is more than nibp_sys can"),
        (RISEN, "{infusion: 25 %, ", "10: rules.sys_risen.above.infusion: expected a number, or by how much"),
        (RISEN, "{infusion: 999, ", "10: rules.sys_risen.above.infusion: 999 mmHg is outside"),
        # phases
        (RISEN, "{ifusion: +25 %, ", "10: rules.sys_risen.above.ifusion: input should be 'check_in', 'baseline', "),
        (RISEN, "{baseline: +25 %, ", "10: rules.sys_risen.above.baseline: there is no baseline yet in baseline"),
        (RISEN, "{check_in: +25 %, ", "10: rules.sys_risen.above.check_in: there is no baseline yet in check_in"),
        (
            RISEN,
            "{recovery: 180}, phases: [infusion], x: {",
            "10: rules.sys_risen.x: unknown key",
        ),
        (
            "readings: 2 of 3,",
            "phases: [infusion],",
            "10: rules.sys_risen.above.recovery: recovery is not among the rule's `phases`",
        ),
        (
            HR_LOW,
            "    below: -20 %\n    phases: [infusion, baseline]\n",
            "9: rules.hr_low.phases[1]: there is no baseline yet in baseline: the limit needs one",
        ),
        (HR_LOW, HR_LOW + "    phases: [closed]\n", "9: rules.hr_low.phases[0]: input should be 'check_in', 'base"),
        (HR_LOW, HR_LOW + "    phases: []\n", "9: rules.hr_low.phases: at least one is needed"),
        (
            HR_LOW,
            HR_LOW + "    phase_since: -1\n",
            "9: rules.hr_low.phase_since: input should be greater than or equal",
        ),
        # where it goes off
        (HR_LOW, HR_LOW + "    clears_at: 48\n", "9: rules.hr_low.clears_at: 48 is on the wrong side: above 50 is in"),
        ("hysteresis: 3}", "clears_at: 121}", "5: rules.hr_high.clears_at: 121 is on the wrong side: below 120 is in"),
        ("clears at 92", "clears at 101", "4: rules.spo2_low.clears_at: the alert would go off only at 101 %, outside"),
        ("hysteresis: 3}", "hysteresis: 121}", "5: rules.hr_high.hysteresis: the alert would go off only at -1 /min"),
        ("hysteresis: 3}", "hysteresis: -1}", "5: rules.hr_high.hysteresis: input should be greater than or equal"),
        (
            "hysteresis: 3}",
            "hysteresis: 3, clears_at: 117}",
            "5: rules.hr_high.hysteresis: give clears_at or hysteresis, one of the two",
        ),
        ("hysteresis: 5}", "clears_at: 150}", "10: rules.sys_risen.clears_at: where the limit is not one number, give"),
        ("falls: 6, within: 30", "falls: 6, within: 30, hysteresis: 6", "11: rules.spo2_falls.hysteresis: the alert"),
        # a low limit and a high one
        (HR_LOW, "    below: 120\n    clears_at: 120\n", "8: rules.hr_low.below: low limit 120 is not below the high"),
        (HR_LOW, HR_LOW + "    hysteresis: 71\n", "8: rules.hr_low.below: the alert would go off only at 121, above"),
        ("hysteresis: 3}", "hysteresis: 71}", "8: rules.hr_low.below: hr_high would go off only at 49, below the low"),
        # n of m, rates, bounds
        ("2 of 3", "3 of 2", "10: rules.sys_risen.readings: expected `n of m` with n at most m, and m at most 10"),
        ("2 of 3", "2 of 11", "10: rules.sys_risen.readings: expected `n of m` with n at most m, and m at most 10"),
        ("2 of 3", "0 of 3", "10: rules.sys_risen.readings: expected how many of the last readings, like `2 of 3`"),
        ("2 of 3", "2", "10: rules.sys_risen.readings: expected how many of the last readings, like `2 of 3`; got 2"),
        ("falls: 6", "falls: 81", "11: rules.spo2_falls.falls: 81 % is more than spo2 can change"),
        (", within: 30", "", "11: rules.spo2_falls.within: is missing"),
        ("[40, 60]", "[51, 60]", "9: rules.hr_low.bounds: the limit itself, 50, is not between 51 and 60"),
        ("[40, 60]", "[60, 40]", "9: rules.hr_low.bounds: 60 is not below 40"),
        ("[40, 60]", "[40, 400]", "9: rules.hr_low.bounds[1]: 400 /min is outside what heart_rate can be"),
        ("[40, 60]", "[40]", "9: rules.hr_low.bounds[1]: is missing"),
        (
            "[40, 60]",
            "[40, 389]\n    hysteresis: 2",
            "9: rules.hr_low.bounds[1]: with that limit the alert would go off only at 391 /min, outside 0 to 390",
        ),
        # combinations
        ("[spo2_low, hr_low]", "[spo2_low, hr]", "12: rules.both.all[1]: there is no rule 'hr'"),
        ("[spo2_low, hr_low]", "[both, hr_low]", "12: rules.both.all[0]: a combination is no part of itself"),
        ("[spo2_low, hr_low]", "[stale, hr_low]", "12: rules.both.all[0]: stale is neither a limit nor a rate"),
        ("[spo2_low, hr_low]", "[hr_low, hr_low]", "12: rules.both.all[1]: there is already a part called 'hr_low'"),
        ("[spo2_low, hr_low]", "[]", "12: rules.both.all: at least one is needed"),
        # names of rules
        ("hr_high:", "HR-high:", "5: rules.HR-high: string should match pattern"),
        ("hr_high:", f"{'h' * 33}:", f"5: rules.{'h' * 33}: string should match pattern"),
        ("hr_high:", "audio:", "5: rules.audio: 'audio' is the station's own word for the signals of a bed"),
        ("hr_high:", "alarm:", "5: rules.alarm: 'alarm' is the station's own word for the signals of a bed"),
        ("hr_high:", "device_lost_a:", "5: rules.device_lost_a: what begins with device_lost_ is no rule's"),
        ("hr_high:", "low_battery_a:", "5: rules.low_battery_a: what begins with low_battery_ is no rule's"),
        ("hr_high:", "device_alarm_a:", "5: rules.device_alarm_a: what begins with device_alarm_ is no rule's"),
        ("hr_high:", "device_status_a:", "5: rules.device_status_a: what begins with device_status_ is no rule's"),
        ("hr_high:", "session_forgotten:", "5: rules.session_forgotten: what begins with session_ is no rule's"),
        ("hr_high:", "stale_spo2:", "5: rules.stale_spo2: stale makes conditions of such names"),
        ("hr_high:", "probe_off_oximeter:", "5: rules.probe_off_oximeter: probe_off makes conditions of such names"),
        # signals
        ("escalate:", "latching: [none]\n  escalate:", "17: signals.latching[0]: what has the priority none has no si"),
        ("{medium: 120}", "{high: 60}", "17: signals.escalate.high: there is no priority above high"),
        ("{medium: 120}", "{none: 60}", "17: signals.escalate.none: what has the priority none is told to nobody"),
        ("{medium: 120}", "{urgent: 60}", "17: signals.escalate.urgent: input should be 'none', 'low'"),
        ("escalate:", "audio_pause: 400\n  escalate:", "17: signals.audio_pause: 400 s is longer than longest_pause"),
        (
            "signals:",
            "devices: {lost: urgent}\nsignals:",
            "16: devices.lost: input should be 'none', 'low', 'medium' or",
        ),
        # its name, and what it extends
        ("profile: ours", "profile: adult_infusion", "1: profile: 'adult_infusion' is a shipped profile: give yours"),
        ("profile: ours", "profile: Our Clinic", "1: profile: string should match pattern"),
        (
            "title:",
            "extends: adult\ntitle:",
            "2: extends: there is no profile 'adult' to extend; there are: adult_infu",
        ),
        ("title:", "extends: ours\ntitle:", "2: extends: there is no profile 'ours' to extend"),
        (SPO2_LOW, "null", "4: rules.spo2_low: null takes out a rule of the profile that is extended"),
        ("Our clinic", "on", "2: title: on means different things to different readers of YAML"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path: Path, change: str, to: str, expected: str) -> None:
    assert change in OURS
    found = faults(tmp_path, OURS.replace(change, to, 1))
    assert any(fault.startswith(expected) for fault in found), found


def test_a_fault_is_said_once(tmp_path: Path) -> None:
    assert faults(tmp_path, OURS.replace("below: 50", "below: 500")) == [
        "8: rules.hr_low.below: 500 /min is outside what heart_rate can be, 0 to 390",
        "8: rules.hr_low.below: low limit 500 is not below the high limit 120 of hr_high",
        "9: rules.hr_low.bounds: the limit itself, 500, is not between 40 and 60",
    ]


def test_a_combination_cannot_be_a_part_of_another(tmp_path: Path) -> None:
    text = OURS.replace("[spo2_low, hr_low]", "[second, hr_low]").replace(
        "  stale:", "  second: {any: [both, hr_low]}\n  stale:"
    )
    assert faults(tmp_path, text) == [
        "12: rules.both.all[0]: second is a combination itself: name its parts",
        "14: rules.second.any[0]: both is a combination itself: name its parts",
    ]


def test_limits_may_cross_where_they_do_not_meet(tmp_path: Path) -> None:
    """In different phases, against a baseline, or as a part that alerts nobody."""
    rules = (
        "  low: {vital: SBP, below: 100, phases: [infusion]}\n"
        "  high: {vital: SBP, above: 90, phases: [recovery]}\n"
        "  fell: {vital: SBP, below: -5 %}\n"
        "  part: {vital: SBP, below: 200, priority: none}\n"
    )
    load(tmp_path, f"profile: a\nrules:\n{rules}")
    text = f"profile: a\nrules:\n{rules.replace('recovery', 'infusion')}"
    assert faults(tmp_path, text) == [
        "3: rules.low.below: low limit 100 is not below the high limit 90 of high in infusion"
    ]


def test_a_saturation_limit_below_85_is_for_the_clinician_to_decide(tmp_path: Path) -> None:
    load(tmp_path, "profile: a\nrules:\n  low: SpO2 < 80\n")


BASE = """\
profile: base
title: The base
notice: Not for patients
rules:
  a: {vital: spo2, below: 90, for: 10, hysteresis: 2, priority: high, bounds: [85, 95]}
  b: SpO2 < 80
  c: HR > 120 for 5 s, clears at 115
devices: {lost: high}
signals: {audio_pause: 60, reminder: 90, escalate: {medium: 120}}
"""


def extended(tmp_path: Path, text: str) -> ProfileConfig:
    base = profile_file.load(write(tmp_path, BASE, "base.yaml"))
    path = write(tmp_path, f"profile: ours\nextends: base\n{text}")
    return profile_file.load(path, {"base": base})


def test_an_extending_profile_says_only_what_differs(tmp_path: Path) -> None:
    profile = extended(
        tmp_path,
        "rules:\n"
        "  a: {below: 91, clears_at: 94, bounds: null}\n"
        "  b: null\n"
        "  c: HR > 130\n"
        "  d: RR < 8\n"
        "devices: {alarm: low}\n"
        "signals: {reminder: null, escalate: {low: 300}}\n",
    )
    assert (profile.profile, profile.title, profile.notice) == ("ours", "", "Not for patients")
    compiled = profile.compiled()
    assert compiled.rules == (
        LimitRule("a", Priority.HIGH, vital="spo2", side="low", threshold=Threshold(91), delay=10, hysteresis=3),
        LimitRule("c", vital="heart_rate", side="high", threshold=Threshold(130)),
        LimitRule("d", vital="resp_rate", side="low", threshold=Threshold(8)),
    )
    assert compiled.devices == Devices(lost=Priority.HIGH, alarm=Priority.LOW)
    assert compiled.signals == Signals(
        audio_pause=60, reminder=None, escalate={Priority.LOW: 300}, sides={"a": "low", "c": "high", "d": "low"}
    )


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("  a: {above: 95}", "4: rules.a: base has `below` there, which `above` cannot replace: give this rule an"),
        ("  a: {stale_after: 9}", "4: rules.a: base has `below` there, which `stale_after` cannot replace"),
        ("  x: null", "4: rules.x: base has no such rule to take out"),
        ("  a: {below: 99}", "4: rules.a.bounds: the limit itself, 99, is not between 85 and 95"),
        ("  both: {all: [b, c]}\n  b: null", "4: rules.both.all[0]: there is no rule 'b'"),
        ("  x: {below: 9}", "4: rules.x.vital: is missing"),
        ("  c: {above: 110}", "4: rules.c.clears_at: 115 is on the wrong side: below 110 is inside"),
    ],
)
def test_a_fault_of_an_extending_profile_is_in_its_own_file(tmp_path: Path, rules: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        extended(tmp_path, f"rules:\n{rules}\n")
    assert any(fault.startswith(f"{tmp_path / 'ours.yaml'}:{expected}") for fault in caught.value.faults), caught.value


def test_what_is_extended_is_whole(tmp_path: Path) -> None:
    """It does not change any more when the other does, and is read back without it."""
    profile = extended(tmp_path, "rules:\n  a: {below: 91}\n")
    assert ProfileConfig.model_validate(stored(profile)) == profile


def test_files_of_a_site_extend_each_other_in_any_order(tmp_path: Path) -> None:
    first = write(tmp_path, "profile: a\nextends: b\nrules: {hr: {above: 130}}\n", "a.yaml")
    second = write(tmp_path, "profile: b\nextends: adult_infusion\nrules: {hr: HR > 120}\n", "b.yaml")
    found = profile_file.load_all([first, second])
    assert set(found) == {"a", "b", *profile_file.SHIPPED}
    assert list(found["a"].rules) == list(found["b"].rules) == [*found["adult_infusion"].rules, "hr"]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (
            ["profile: a\nextends: b\n", "profile: b\nextends: a\n", "profile: c\nextends: a\n"],
            [
                "0.yaml:2: extends: b, which extends a: none of them is the first",
                "1.yaml:2: extends: a, which extends b: none of them is the first",
            ],
        ),
        (["profile: a\nextends: a\n"], ["0.yaml:2: extends: a profile cannot extend itself"]),
        (["profile: a\n", "profile: a\n"], ["1.yaml:1: profile: there is already a profile called 'a', in 0.yaml"]),
        (
            ["profile: adult_infusion\n", "profile: b\nrules: {x: HR > 999}\n", "profile: c\nextends: b\n", "- 3: 4\n"],
            [
                "0.yaml:1: profile: 'adult_infusion' is a shipped profile: give yours another name, and extend it",
                "1.yaml:2: rules.x.above: 999 /min is outside what heart_rate can be, 0 to 390",
                "3.yaml:1: [0]: expected a sentence like",
            ],
        ),
        (["profile: a\nextends: [b]\n"], ["0.yaml:2: extends: there is no profile ['b'] to extend"]),
    ],
)
def test_faults_between_the_files_of_a_site(tmp_path: Path, texts: list[str], expected: list[str]) -> None:
    paths = [write(tmp_path, text, f"{number}.yaml") for number, text in enumerate(texts)]
    with pytest.raises(ConfigError) as caught:
        profile_file.load_all(paths)
    found = sorted(fault.replace(f"{tmp_path}/", "") for fault in caught.value.faults)
    assert len(found) == len(expected)
    for fault, beginning in zip(found, expected, strict=True):
        assert fault.startswith(beginning)


@pytest.mark.parametrize("text", ["", "- a: b\n", "5\n", "profile: [\n", "profile: a\nrules: 5\n"])
def test_what_is_no_profile_at_all_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    assert len(faults(tmp_path, text)) == 1


def test_a_file_can_be_a_sentence_or_several(tmp_path: Path) -> None:
    profile = profile_file.load(write(tmp_path, "SpO2 < 90 for 10 s, clears at 92\n", "Plain one.yaml"))
    assert profile.profile == "plain_one"
    (rule,) = profile.compiled().rules
    assert rule == LimitRule("spo2_low", vital="spo2", side="low", threshold=Threshold(90), delay=10, hysteresis=2)
    profile = load(tmp_path, "- SpO2 < 90, low\n- SpO2 < 85\n- HR > 120\n- SpO2 < 80, high\n")
    assert list(profile.rules) == ["spo2_low", "spo2_low_2", "heart_rate_high", "spo2_low_3"]


def test_a_profile_is_named_or_a_file_or_a_sentence(tmp_path: Path) -> None:
    assert profile_file.named_or_file("adult_infusion") is profile_file.shipped("adult_infusion")
    assert profile_file.named_or_file(str(write(tmp_path, OURS))).profile == "ours"
    assert list(profile_file.named_or_file("PR > 120 for 10 s").rules) == ["pulse_rate_high"]
    with pytest.raises(ConfigError, match=r"none\.yaml: there is no such file, and no such shipped profile \(adult_in"):
        profile_file.named_or_file("none.yaml")
    with pytest.raises(ConfigError, match="SpO2 < 9: 9 % is outside"):
        profile_file.named_or_file("SpO2 < 9")


NUMBERS = st.integers(1, 299).map(lambda number: number / 2)


@given(
    name=st.sampled_from([name for v in VITALS.values() for name in (v.key, v.label, v.label.upper(), v.key.title())]),
    sign=st.sampled_from("<>"),
    limit=NUMBERS,
    delay=st.none() | NUMBERS,
    clears=st.none() | NUMBERS,
    priority=st.none() | st.sampled_from(Priority),
    spaces=st.booleans(),
)
def test_a_sentence_says_the_same_as_the_keys(name, sign, limit, delay, clears, priority, spaces) -> None:
    parts = [f"{name} {sign} {limit:g}" if spaces else f"{name}{sign}{limit:g}"]
    keys = {"vital": name, "below" if sign == "<" else "above": limit}
    if delay is not None:
        parts[0] += f" for {delay:g} s"
        keys["for"] = delay
    if clears is not None:
        parts.append(f"clears at {clears:g}")
        keys["clears_at"] = clears
    if priority is not None:
        parts.append(priority.value)
        keys["priority"] = priority
    said = ProfileConfig.model_validate({"profile": "a", "rules": {"x": ", ".join(parts)}})
    assert said == ProfileConfig.model_validate({"profile": "a", "rules": {"x": keys}})
    assert said.rules["x"].vital in VITALS


ONE = NUMBERS | st.builds("{}{} %".format, st.sampled_from("+-"), st.integers(1, 99)) | st.just("+15")
COMMON = {
    "priority": st.sampled_from(Priority).map(str),
    "phases": st.lists(st.sampled_from(PHASES), min_size=1, unique=True),
    "phase_since": st.integers(0, 90),
}
VITAL = st.sampled_from(sorted(VITALS))
LIMIT = {
    "for": st.floats(0, 300),
    "hysteresis": st.floats(0, 9),
    "readings": st.sampled_from(["1 of 1", "2 of 2", "2 of 3", "10 of 10"]),
    "gap": st.integers(1, 600),
    "questionable": st.booleans(),
    "bounds": st.tuples(NUMBERS, NUMBERS).map(list),
}


def with_common(required: dict, optional: dict) -> st.SearchStrategy:
    return st.fixed_dictionaries(required, optional={**COMMON, **optional})


LIMITS = ONE | st.dictionaries(st.sampled_from(PHASES), ONE, min_size=1)
MEMBERS = st.lists(st.sampled_from(["r0", "r1", "r2"]), min_size=1)
RULE = st.one_of(
    with_common({"vital": VITAL, "below": LIMITS}, LIMIT),
    with_common({"vital": VITAL, "above": LIMITS}, LIMIT),
    with_common({"vital": VITAL, "above": NUMBERS, "clears_at": NUMBERS}, {}),
    with_common({"vital": VITAL, "falls": NUMBERS, "within": NUMBERS}, {"hysteresis": NUMBERS}),
    with_common({"vital": VITAL, "rises": NUMBERS, "within": NUMBERS}, {"questionable": st.booleans()}),
    with_common({"all": MEMBERS}, {"for": st.floats(0, 300)}),
    with_common({"any": MEMBERS}, {}),
    with_common({"overdue": VITAL}, {"grace": st.integers(0, 3600)}),
    with_common({"stale_after": NUMBERS}, {}),
    with_common({"probe_off_after": NUMBERS}, {}),
)
PROFILE = st.fixed_dictionaries(
    {
        "profile": st.just("site"),
        "rules": st.lists(RULE, max_size=5).map(lambda found: {f"r{n}": rule for n, rule in enumerate(found)}),
    },
    optional={
        "title": st.text(max_size=9),
        "devices": st.fixed_dictionaries({}, optional={"lost": st.sampled_from(["none", "high"])}),
        "signals": st.fixed_dictionaries(
            {},
            optional={
                "latching": st.lists(st.sampled_from(["low", "medium", "high"])),
                "reminder": st.none() | NUMBERS,
                "escalate": st.dictionaries(st.sampled_from(["low", "medium"]), NUMBERS),
                "may_switch_off": st.booleans(),
            },
        ),
    },
)


def stored(profile: ProfileConfig) -> dict:
    """As it comes back from the journal."""
    return json.loads(json.dumps(profile.model_dump(mode="json", exclude_defaults=True)))


@given(PROFILE)
def test_a_profile_that_is_stored_comes_back_the_same(keys: dict) -> None:
    profile = ProfileConfig.model_validate(keys)
    assert profile == ProfileConfig.model_validate_json(json.dumps(keys))
    again = ProfileConfig.model_validate(stored(profile))
    assert again == profile
    assert again.compiled() == profile.compiled()
    assert list(check_profile(again)) == list(check_profile(profile))


# The shipped profile

SHIPPED = profile_file.shipped("adult_infusion")
BASELINE = {"nibp_sys": 120.0, "nibp_dia": 75.0}
MINUTE = 60.0


def outside(vital: str, value: float, phase: str | None, in_phase_for: float = 0.0) -> Priority | None:
    """The most urgent limit rule that the value is outside of."""
    found = [
        rule.priority
        for rule in SHIPPED.compiled().rules
        if isinstance(rule, LimitRule)
        and rule.vital == vital
        and applies(rule, phase, in_phase_for)
        and (limit := rule.limit(phase, BASELINE.get(vital))) is not None
        and rule.outside(value, limit)
    ]
    return max(found, key=list(Priority).index, default=None)


LOW, MEDIUM, HIGH = Priority.LOW, Priority.MEDIUM, Priority.HIGH


@pytest.mark.parametrize("phase", [None, *PHASES])
@pytest.mark.parametrize(
    ("vital", "value", "expected"),
    [
        *[
            (vital, value, expected)
            for vital in ("heart_rate", "pulse_rate")
            for value, expected in (
                (100, None),
                (101, LOW),
                (121, MEDIUM),
                (141, HIGH),
                (55, None),
                (54, LOW),
                (49, MEDIUM),
                (39, HIGH),
            )
        ],
        ("spo2", 92, None),
        ("spo2", 91, MEDIUM),
        ("spo2", 87, HIGH),
        ("nibp_sys", 79, HIGH),
        ("nibp_sys", 181, HIGH),
        ("nibp_dia", 111, HIGH),
    ],
)
def test_the_shipped_limits_of_all_phases(phase: str | None, vital: str, value: float, expected: Priority) -> None:
    assert outside(vital, value, phase) == expected


@pytest.mark.parametrize(
    ("phase", "minutes", "vital", "value", "expected"),
    [
        (None, 0, "nibp_sys", 175, None),
        ("baseline", 0, "nibp_sys", 140, None),
        ("baseline", 0, "nibp_sys", 141, LOW),
        ("baseline", 0, "nibp_dia", 91, LOW),
        ("baseline", 0, "nibp_sys", 161, MEDIUM),
        ("baseline", 0, "nibp_dia", 101, MEDIUM),
        ("infusion", 0, "nibp_sys", 143, None),
        ("infusion", 0, "nibp_sys", 145, LOW),
        ("infusion", 0, "nibp_sys", 151, MEDIUM),
        ("infusion", 0, "nibp_dia", 101, MEDIUM),
        ("recovery", 59, "nibp_sys", 134, None),
        ("recovery", 60, "nibp_sys", 134, LOW),
        ("recovery", 0, "nibp_sys", 151, MEDIUM),
        ("recovery", 0, "nibp_dia", 101, MEDIUM),
    ],
)
def test_the_shipped_pressures_by_phase(phase, minutes, vital, value, expected) -> None:
    assert outside(vital, value, phase, minutes * MINUTE) == expected


def test_the_shipped_profile_says_that_it_is_not_set_yet() -> None:
    assert SHIPPED.notice == "TO BE SET BY THE RESPONSIBLE CLINICIAN"
    assert "adult_infusion" in profile_file.SHIPPED


def test_the_shipped_delays_and_confirmations() -> None:
    rules = {rule.id: rule for rule in SHIPPED.compiled().rules}
    assert [rules[f"spo2_{name}"].delay for name in ("low", "very_low", "extremely_low")] == [15, 8, 0]
    # The alarm of a heart rate comes within 10 s (IEC 60601-2-27).
    assert max(rule.delay for rule in rules.values() if getattr(rule, "vital", "").endswith("_rate")) <= 10
    for name in ("nibp_sys_extremely_high", "nibp_dia_extremely_high"):
        assert (rules[name].readings, rules[name].of) == (2, 2)
    signals = SHIPPED.compiled().signals
    assert (signals.latching, signals.escalate) == ({HIGH}, {MEDIUM: 120})
