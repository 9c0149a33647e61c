"""The alarm system with its sessions, its journal and its look at itself: a visit, and what breaks in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drivers.events import LinkState
from monitor.alerts.conditions import AUDIO, AlertEvent, AlertState, Why
from monitor.alerts.signals import Acknowledge, Pause
from monitor.self_watch import Space
from monitor.storage.history import History
from tests.monitor.alarm_clinic import HALVES, Clinic, in_infusion, refuse


@pytest.fixture
async def clinic(tmp_path: Path) -> AsyncIterator[Clinic]:
    clinic = await Clinic(tmp_path).start()
    yield clinic
    await clinic.journal.close()


async def test_a_patient_who_is_moved_takes_the_baseline_along(clinic: Clinic) -> None:
    await in_infusion(clinic, 118, 122)
    await clinic.seconds(7, spo2=85)
    clinic.alarms.board.operate("one", Pause("anna", AUDIO))
    await clinic.do("move", session="one", bed="two")
    assert clinic.on() == {}
    assert clinic.alarms.board.signals_of("one").audio.state is AlertState.ON
    await clinic.seconds(1, "two", nibp_sys=150)
    assert clinic.on("two") == {"sys_risen": AlertState.ON}
    assert [event.limit for event in clinic.told if event.rule == "sys_risen"] == [144]


async def test_a_patient_who_is_moved_back_has_the_baseline_still(clinic: Clinic) -> None:
    await in_infusion(clinic, 118, 122)
    await clinic.do("move", session="one", bed="two")
    await clinic.do("move", session="two", bed="one")
    await clinic.seconds(1, nibp_sys=150)
    assert "sys_risen" in clinic.on()


async def test_a_move_does_not_make_a_cuff_overdue_that_has_just_measured(clinic: Clinic) -> None:
    await in_infusion(clinic, 120)
    for _ in range(10):
        await clinic.seconds(120, spo2=97)
        await clinic.seconds(1, spo2=97, nibp_sys=120)
    await clinic.do("move", session="one", bed="two")
    await clinic.seconds(30, "two", spo2=97)
    assert ("cuff_overdue", "on") not in clinic.story


async def test_all_that_ends_with_a_session_is_recorded_as_of_that_session(clinic: Clinic) -> None:
    first = await clinic.do("open", bed="one", reference="P-1")
    await clinic.seconds(3, spo2=97)
    await clinic.seconds(7, spo2=85)
    await clinic.seconds(1, spo2=97)
    assert clinic.on()["spo2_low"] == AlertState.LATCHED
    clinic.alarms.board.operate("one", Pause("anna", AUDIO))
    await clinic.do("close", session="one", reason="not today")
    await clinic.committed()
    assert {event.session for event in History(clinic.folder).alerts(bed="one")} == {first}
    assert (clinic.on(), clinic.story[-1]) == ({}, (AUDIO, "on"))


async def test_a_patient_who_follows_another_gets_none_of_what_ends_there(clinic: Clinic) -> None:
    await in_infusion(clinic, 120)
    await clinic.seconds(7, spo2=85)
    await clinic.seconds(1, spo2=97)
    first = await clinic.do("move", session="one", bed="two")
    second = await clinic.do("open", bed="one", reference="P-2")
    await clinic.seconds(1, "two", spo2=97)
    assert second != first
    assert {event.session for event in clinic.told if event.rule == "spo2_low"} == {first}


async def test_a_session_that_was_closed_by_mistake_has_its_limits_again(clinic: Clinic) -> None:
    await in_infusion(clinic, 120)
    await clinic.phases("one", "stop", "recovery")
    session = await clinic.do("close", session="one", reason="a slip")
    found = await clinic.desk._find(session)
    await clinic.do("correct", session=session, number=len(found.entries), void=True, reason="wrong chair")
    await clinic.do("correct", session=session, number=len(found.entries) - 1, void=True, reason="wrong chair")
    await clinic.do("correct", session=session, number=len(found.entries) - 2, void=True, reason="wrong chair")
    again = clinic.desk.on_bed("one")
    assert again is not None
    assert again.phase.value == "infusion"
    await clinic.seconds(1, nibp_sys=150)
    assert "sys_risen" in clinic.on()


async def test_a_start_that_was_declared_void_goes_on_with_the_baseline(clinic: Clinic) -> None:
    await in_infusion(clinic, 120)
    session = clinic.desk.on_bed("one")
    assert session is not None
    await clinic.do("correct", session="one", number=len(session.entries), void=True, reason="too early")
    await clinic.seconds(1, nibp_sys=180)
    assert clinic.on() == {}, "no limit of the infusion"
    await clinic.seconds(2, nibp_sys=180)
    await clinic.phases("one", "start")
    await clinic.seconds(1, nibp_sys=185)
    assert clinic.on() == {"sys_high": "on"}, "the baseline is 180 now: 185 is no rise"


async def test_a_limit_is_in_force_at_once_and_the_profile_s_again_at_once(clinic: Clinic) -> None:
    await in_infusion(clinic, 160)
    await clinic.do("limit", session="one", rule="sys_high", limit=150.0, reason="a small person")
    await clinic.seconds(1, nibp_sys=155)
    assert clinic.on() == {"sys_high": AlertState.ON}
    await clinic.do("limit", session="one", rule="sys_high", limit=None, reason="as usual")
    await clinic.seconds(1, nibp_sys=155)
    assert clinic.on() == {}


async def test_a_limit_for_one_session_is_judged_in_the_phases_of_its_rule_alone(clinic: Clinic) -> None:
    await clinic.do("open", bed="one", reference="P-1")
    await clinic.seconds(1, nibp_sys=170)
    await clinic.do("limit", session="one", rule="sys_high", limit=160.0, reason="a small person")
    await clinic.seconds(1, nibp_sys=170)
    assert clinic.on() == {}, "the rule is of the infusion"


async def test_a_session_keeps_the_profile_that_it_was_opened_with(clinic: Clinic) -> None:
    await in_infusion(clinic, 120)
    await clinic.do("limit", session="one", rule="sys_high", limit=150.0, reason="a small person")
    rules = {**HALVES["rules"], "spo2_low": {"vital": "spo2", "below": 80}}
    del rules["sys_high"]
    clinic.profile = {"profile": "halves", "rules": rules}
    await clinic.restart()
    await clinic.seconds(1, spo2=97, nibp_sys=151)
    await clinic.seconds(7, spo2=88)
    assert clinic.on().keys() >= {"sys_high", "spo2_low"}, "of the session, as it was opened"
    await clinic.seconds(1, "two", spo2=97)
    await clinic.seconds(7, "two", spo2=88)
    assert "spo2_low" not in clinic.on("two"), "of the configuration, where there is no session"


@pytest.mark.parametrize("hours", [-5, 5])
async def test_a_clock_that_is_set_moves_no_alert_pause_or_escalation(tmp_path: Path, hours: int) -> None:
    clinic = Clinic(tmp_path)
    rules = {**HALVES["rules"], "pr_low": {"vital": "pulse_rate", "below": 50, "priority": "medium"}}
    clinic.profile = {"profile": "halves", "rules": rules, "signals": {"escalate": {"medium": 120}}}
    await clinic.start()
    await in_infusion(clinic, 120)
    await clinic.seconds(3, spo2=97, pulse_rate=70)
    await clinic.seconds(10, spo2=85, pulse_rate=45)
    clinic.alarms.board.operate("one", Acknowledge("anna", ("spo2_low", "spo2_falls")))
    clinic.alarms.board.operate("two", Pause("anna", AUDIO, 60))
    clinic.clock.jump(hours * 3600)
    await clinic.seconds(40, spo2=85, pulse_rate=45)
    assert [(event.bed, event.rule) for event in clinic.told if event.why in {Why.TIME, Why.ESCALATED}] == []
    await clinic.seconds(80, spo2=85, pulse_rate=45)
    assert [(event.bed, event.rule) for event in clinic.told if event.why in {Why.TIME, Why.ESCALATED}] == [
        ("two", AUDIO),
        ("one", "pr_low"),
    ]
    await clinic.seconds(1, spo2=97, pulse_rate=70)
    await clinic.committed()
    assert clinic.recorded("spo2_low") == ["on", "acknowledged", "off"]
    await clinic.journal.close()


async def test_alerts_of_a_time_without_a_journal_are_told_at_once_and_recorded_later(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    await clinic.seconds(3, spo2=97)
    await clinic.committed()
    take_again = refuse(clinic.journal, monkeypatch)
    await clinic.seconds(7, spo2=85)
    await clinic.noticed(lambda: clinic.journal.health.error is not None)
    await clinic.seconds(1, spo2=85)
    assert [story for story in clinic.story if "spo2_low" in story or "journal_unwritable" in story] == [
        ("spo2_low", "on"),
        ("journal_unwritable", "on"),
    ]
    assert clinic.recorded("spo2_low") == []
    take_again()
    await clinic.committed()
    await clinic.seconds(8, spo2=85)
    await clinic.committed()
    assert clinic.recorded("spo2_low") == ["on"]
    assert clinic.recorded("journal_unwritable") == ["on", "off"]


async def test_a_notifier_that_fails_is_told_once_and_so_is_that_it_works_again(clinic: Clinic) -> None:
    for _ in range(120):
        await clinic.clock.advance(1)
        clinic.alarms.tick([], {"pager": "no route"})
    for _ in range(10):
        await clinic.clock.advance(1)
        clinic.alarms.tick([], {"pager": ""})
    assert clinic.story == [("notifier_failed_pager", "on"), ("notifier_failed_pager", "off")]


async def test_a_disk_that_is_nearly_full_is_told_on_and_off(clinic: Clinic) -> None:
    clinic.alarms.disk.space = Space(10**6, 10**11)
    await clinic.seconds(20)
    clinic.alarms.disk.space = Space(10**10, 10**11)
    await clinic.seconds(20)
    assert clinic.story == [("disk_nearly_full", "on"), ("disk_nearly_full", "off")]


async def test_an_alert_that_no_page_shows_is_itself_told_until_somebody_has_seen_it(clinic: Clinic) -> None:
    await clinic.seconds(3, spo2=97)
    await clinic.seconds(30, spo2=85)
    assert clinic.story[2:] == [("unseen_alert", "on")]
    clinic.alarms.board.operate("one", Acknowledge("anna"))
    await clinic.seconds(30, spo2=85)
    assert clinic.story[-1] == ("unseen_alert", "off")
    assert clinic.story.count(("unseen_alert", "on")) == 1


async def test_a_device_that_is_lost_and_found_while_the_patient_changes(clinic: Clinic) -> None:
    first = await clinic.do("open", bed="one", reference="P-1")
    await clinic.seconds(3, spo2=97)
    clinic.alarms.board.link_changed("one", "oxi", LinkState.LOST, "", clinic.clock.now_ns())
    await clinic.seconds(20)
    await clinic.restart()
    clinic.alarms.board.link_changed("one", "oxi", LinkState.LOST, "", clinic.clock.now_ns())
    await clinic.do("close", session="one", reason="not today")
    await clinic.seconds(60)
    second = await clinic.do("open", bed="one", reference="P-2")
    clinic.alarms.board.link_changed("one", "oxi", LinkState.RECEIVING, "", clinic.clock.now_ns())
    await clinic.committed()
    of_device: list[AlertEvent] = [it for it in History(clinic.folder).alerts() if it.rule == "device_lost_oxi"]
    assert [(it.state.value, it.session) for it in of_device] == [("on", first), ("off", second)]


async def test_twenty_beds_that_alternate_at_every_reading_hold_nothing_up_and_fill_no_memory(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path, [f"chair-{number}" for number in range(20)])
    clinic.profile = {
        "profile": "halves",
        "rules": {
            "spo2_low": {"vital": "spo2", "below": 90, "priority": "high"},
            "hr_low": {"vital": "heart_rate", "below": 50},
            "both": {"all": ["spo2_low", "hr_low"], "priority": "high"},
        },
    }
    await clinic.start()
    for second in range(240):
        await clinic.clock.advance(1)
        for bed in clinic.beds:
            low = second % 2
            clinic.read(bed, spo2=85 if low else 97, heart_rate=45 if low else 70)
        clinic.alarms.tick([], {})
        if second % 60 == 0:
            await clinic.committed()
    assert all(len(clinic.on(bed)) <= 3 for bed in clinic.beds)
    await clinic.committed()
    assert clinic.journal.health.dropped_rows == 0
    told = sum(event.bed != "" for event in clinic.told)
    assert sum(event.bed != "" for event in History(tmp_path).alerts()) == told
    await clinic.journal.close()


async def test_a_session_of_a_bed_that_was_renamed_takes_its_baseline_to_the_new_one(clinic: Clinic) -> None:
    await in_infusion(clinic, 120)
    session = clinic.desk.on_bed("one")
    assert session is not None
    clinic.beds = ("chair", "two")
    await clinic.restart()
    await clinic.do("move", session=session.id, bed="chair")
    await clinic.seconds(1, "chair", nibp_sys=150)
    assert "sys_risen" in clinic.on("chair")
