"""The alert profile that a session is opened with, and the limits of it that a nurse sets for that session alone."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from drivers.errors import StepRefused
from monitor.alerts.profile import ProfileConfig
from monitor.sessions import rules, view
from monitor.sessions.entries import Kind
from monitor.sessions.recorded import NOTHING
from monitor.sessions.requests import REQUEST
from monitor.sessions.settings import SessionsConfig
from monitor.sessions.text import text_of
from tests.monitor.sessions.helpers import SITE, Chart, known, minute

RULES = SITE.model_dump(mode="json", exclude_defaults=True)


def asked(**fields):
    about = {"verb": "limit", "session": "chair-1", "by": "bea", "reason": "her usual"}
    return REQUEST.validate_python({**about, **fields})


def opening(**fields):
    return REQUEST.validate_python({"verb": "open", "bed": "chair-1", "reference": "P-1", "by": "bea", **fields})


@pytest.fixture
def made():
    chart = Chart()
    chart.opened(profile="site", rules=RULES)
    return chart


def limited(chart, rule, limit, at=5):
    return chart.add(Kind.LIMIT, at, rule=rule, limit=limit, reason="her usual")


@pytest.mark.parametrize(("said", "name"), [({}, "site"), ({"profile": "other"}, "other"), ({"profile": None}, "site")])
def test_the_opening_keeps_the_rules_of_its_profile_as_they_are_then(said, name):
    content = rules.opening(opening(**said), known(minute(0))).content
    assert content["profile"] == name
    assert ProfileConfig.model_validate(content["rules"]).compiled() == SITE.compiled()


def test_a_profile_that_there_is_not_is_refused_with_those_that_there_are():
    with pytest.raises(StepRefused, match="no alert profile 'loud'; there are: site, other") as refusal:
        rules.opening(opening(profile="loud"), known(minute(0)))
    assert refusal.value.possible == ("site", "other")


@pytest.mark.parametrize(
    ("rule", "limit"), [("spo2_low", 85), ("spo2_low", 88.5), ("spo2_low", 92), ("sys_high", 190.5), ("spo2_low", None)]
)
def test_a_limit_is_set_within_its_bounds_the_ends_among_them(made, rule, limit):
    draft = rules.next_entry(asked(rule=rule, limit=limit), made.session, known(minute(7)))
    assert (draft.kind, draft.at, draft.bed) == (Kind.LIMIT, minute(7), "chair-1")
    assert draft.content == {"rule": rule, "limit": limit, "reason": "her usual"}


@pytest.mark.parametrize(
    ("rule", "limit", "text"),
    [
        ("spo2_low", 84.9, "from 85 to 92; 84.9 is outside"),
        ("spo2_low", 92.1, "from 85 to 92; 92.1 is outside"),
        ("sys_high", 191, "from 140 to 190.5; 191 is outside"),
        ("pulse_low", 40, "but of: spo2_low (85 to 92), sys_high (140 to 190.5)"),
        ("pulse_low", None, "but of: spo2_low (85 to 92), sys_high (140 to 190.5)"),
        ("etco2_low", 20, "profile site lets nobody set a limit of 'etco2_low'"),
    ],
)
def test_any_other_limit_is_refused_with_what_can_be_set(made, rule, limit, text):
    with pytest.raises(StepRefused) as refusal:
        rules.next_entry(asked(rule=rule, limit=limit), made.session, known(minute(7)))
    assert text in str(refusal.value)
    if rule not in {"spo2_low", "sys_high"}:
        assert refusal.value.possible == ("spo2_low", "sys_high")


def test_the_bounds_are_those_of_the_profile_as_it_was_at_the_opening(made):
    wider = ProfileConfig.model_validate(
        {"profile": "site", "rules": {"spo2_low": {"vital": "spo2", "below": 90, "bounds": [70, 95]}}}
    )
    now = rules.Known(SessionsConfig(), frozenset({"chair-1"}), minute(7), {"site": wider}, "site")
    with pytest.raises(StepRefused, match="from 85 to 92"):
        rules.next_entry(asked(rule="spo2_low", limit=75), made.session, now)


def test_a_closed_session_takes_no_limit(made):
    made.closed(6)
    with pytest.raises(StepRefused, match="is closed"):
        rules.next_entry(asked(rule="spo2_low", limit=88), made.session, known(minute(7)))


def test_a_session_of_before_profiles_has_no_rules_and_takes_no_limit():
    made = Chart()
    made.opened()
    assert (made.session.profile, made.session.rules, made.session.limits) == ("default", {}, {})
    with pytest.raises(StepRefused, match="older than alert profiles"):
        rules.next_entry(asked(rule="spo2_low", limit=88), made.session, known(minute(7)))


def test_rules_that_another_version_stored_take_no_limit():
    made = Chart()
    made.opened(profile="site", rules={**RULES, "moods": {}})
    with pytest.raises(StepRefused, match="another version"):
        rules.next_entry(asked(rule="spo2_low", limit=88), made.session, known(minute(7)))


@pytest.mark.parametrize(
    "fields",
    [
        {"rule": "spo2_low"},
        {"rule": "spo2_low", "limit": float("nan")},
        {"rule": "spo2_low", "limit": float("inf")},
        {"rule": "spo2_low", "limit": "88"},
        {"rule": "spo2_low", "limit": True},
        {"limit": 88},
        {"rule": "spo2_low", "limit": 88, "reason": " "},
        {"rule": "spo2_low", "limit": 88, "at": "2026-01-01T00:00:00Z"},
    ],
)
def test_what_says_no_limit_is_no_request(fields):
    with pytest.raises(ValidationError):
        asked(**fields)


def test_the_last_limit_of_each_rule_stands_until_it_is_the_profiles_again(made):
    assert made.session.limits == {}
    limited(made, "spo2_low", 88)
    limited(made, "sys_high", 170)
    limited(made, "spo2_low", 86)
    assert made.session.limits == {"spo2_low": 86, "sys_high": 170}
    limited(made, "spo2_low", None)
    assert made.session.limits == {"sys_high": 170}
    limited(made, "spo2_low", 87)
    assert made.session.limits == {"spo2_low": 87, "sys_high": 170}


def test_the_last_limit_stands_also_where_the_clock_went_back_a_little(made):
    limited(made, "spo2_low", 88, at=5)
    limited(made, "spo2_low", 86, at=4.99)
    assert made.session.limits == {"spo2_low": 86}


def test_a_void_limit_was_never_set(made):
    limited(made, "spo2_low", 88)
    second = limited(made, "spo2_low", 86)
    made.corrected(second, 6, void=True)
    assert made.session.limits == {"spo2_low": 88}
    reset = limited(made, "spo2_low", None)
    made.corrected(reset, 7, void=True)
    assert made.session.limits == {"spo2_low": 88}


@pytest.mark.parametrize("change", [{"value": 87}, {"text": "x"}, {"at": "2026-01-01T00:01:00Z"}, {}])
def test_a_limit_is_not_corrected_but_void(made, change):
    number = limited(made, "spo2_low", 88)
    fields = {"verb": "correct", "session": "chair-1", "by": "bea", "reason": "a slip", "number": number}
    with pytest.raises(StepRefused):
        rules.next_entry(REQUEST.validate_python({**fields, **change}), made.session, known(minute(7)))
    draft = rules.next_entry(REQUEST.validate_python({**fields, "void": True}), made.session, known(minute(7)))
    assert draft.content == {"corrects": number, "void": True, "reason": "a slip"}


def test_limits_are_shown_with_the_profile_and_in_words(made):
    limited(made, "spo2_low", 88)
    limited(made, "sys_high", 170.5)
    limited(made, "sys_high", None)
    shown = view.full(made.session, SessionsConfig(), NOTHING, minute(9))
    assert (shown["profile"], shown["limits"]) == ("site", {"spo2_low": 88})
    assert [text_of(entry) for entry in made.entries[1:]] == [
        "limit of spo2_low set to 88: her usual",
        "limit of sys_high set to 170.5: her usual",
        "limit of sys_high back to the profile's: her usual",
    ]
