"""The simulated patient: the same for the same seed, within what a patient can be, and moving as published."""

from __future__ import annotations

from statistics import mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import ConfigError, UnknownDriver
from drivers.vitals import VITALS
from simulators.device_side import make_side
from simulators.patient import Episode, Patient
from simulators.scenario import load_scenario, scenario_names

seconds = st.floats(0, 4 * 3600)


@given(st.integers(0, 10_000), seconds)
def test_the_same_seed_is_the_same_patient(seed: int, t: float) -> None:
    one, two = Patient(seed=seed), Patient(seed=seed)
    assert (one.heart_rate(t), one.spo2(t), one.pressure(t)) == (two.heart_rate(t), two.spo2(t), two.pressure(t))


@given(st.integers(0, 10_000), seconds)
def test_every_value_is_one_that_a_patient_can_have(seed: int, t: float) -> None:
    patient = Patient(seed=seed)
    pressure = patient.pressure(t)
    for vital, value in [
        ("heart_rate", patient.heart_rate(t)),
        ("spo2", patient.spo2(t)),
        ("resp_rate", patient.resp_rate(t)),
        ("nibp_sys", pressure.sys),
        ("perfusion_index", patient.perfusion_index(t)),
    ]:
        low, high = VITALS[vital].plausible
        assert low <= value <= high
    assert pressure.dia < pressure.mean < pressure.sys


def test_the_rise_under_ketamine_is_that_of_the_published_cohorts() -> None:
    rises = []
    for seed in range(400):
        patient = Patient(seed=seed, infusion_at=0)
        rises.append(patient.pressure(40 * 60).sys - patient.pressure(-100).sys)
    # The mean and the spread that the patient is drawn from, with the noise of two cuffs of 4 mmHg each; falls are cut.
    assert mean(rises) == pytest.approx(14.5, abs=1.5)
    assert stdev(rises) == pytest.approx(11.5, abs=2)


def test_the_effect_fades_after_the_infusion() -> None:
    patient = Patient(seed=1, infusion_at=0)
    rise = patient._base["sys_rise"]
    assert patient.pressure(40 * 60 + 90 * 60).sys - patient._base["sys"] == pytest.approx(rise * 0.027, abs=13)


def test_an_episode_comes_goes_and_comes_again() -> None:
    episode = Episode(first=20, duration=30, every=180, spo2_falls_by=15)
    patient = Patient(seed=2, episodes=(episode,))
    assert patient.spo2(19) > 95
    assert patient.spo2(35) < 87
    assert patient.spo2(60) > 95
    assert patient.spo2(35 + 180) < 87


def test_a_cuff_determination_has_its_own_time() -> None:
    patient = Patient()
    assert patient.last_cuff_at(0) == -10
    assert patient.last_cuff_at(289) == -10
    assert patient.last_cuff_at(290) == 290
    assert not patient.cuff_busy(100)
    assert patient.cuff_busy(275)


def test_every_shipped_scenario_is_read() -> None:
    assert {"infusion", "desaturation"} <= set(scenario_names())
    for name in scenario_names():
        assert load_scenario(name).says


def test_what_there_is_not_is_named_with_what_there_is() -> None:
    with pytest.raises(ConfigError, match="desaturation, infusion"):
        load_scenario("none")
    with pytest.raises(UnknownDriver):
        make_side("none", Patient())
