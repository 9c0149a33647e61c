"""`docs/alerts.md` is true: its tables are those of the code, its examples load, its commands exist."""

from __future__ import annotations

import base64
import hmac
import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from pydantic import BaseModel

from drivers.vitals import VITALS
from monitor import config_file, self_watch
from monitor.alerts import passing, profile_file, profile_rules
from monitor.alerts.conditions import AlertState, Kind, Priority, Why
from monitor.alerts.profile import DevicesConfig, ProfileConfig, SignalsConfig
from monitor.alerts.profile_file import DEFAULT
from monitor.alerts.rules import (
    PHASES,
    CombinedRule,
    LimitRule,
    OverdueRule,
    ProbeOffRule,
    RateRule,
    Rule,
    StaleRule,
)
from monitor.cli.main import app
from monitor.notify import outbox, pager, webhook
from monitor.sessions.desk import FORGOTTEN

PAGE = (Path(__file__).parents[1] / "docs" / "alerts.md").read_text(encoding="utf-8")
SHIPPED = profile_file.shipped(DEFAULT)
BED = "beds: [{id: chair-1, devices: [{id: oximeter, driver: nonin, url: /dev/ttyUSB0}]}]\n"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def limits(rule: LimitRule) -> str:
    about = VITALS[rule.vital]
    sign = "<" if rule.side == "low" else ">"
    if not rule.by_phase:
        return f"{about.label} {sign} {rule.threshold.value:g} {about.unit_label}"
    several = (
        f"{sign} {limit.value:g} {about.unit_label} ({phase})"
        if limit.percent is None
        else f"{sign} {limit.percent:+g} % ({phase})"
        for phase, limit in rule.by_phase.items()
    )
    return f"{about.label} {', '.join(several)}"


def condition(rule: Rule) -> tuple[str, str, str]:
    """What it is about, how long it must hold, and how far back inside it goes off."""
    match rule:
        case LimitRule():
            several = f"{rule.readings} of {rule.of} readings" if rule.of > 1 else ""
            held = f"{rule.delay:g} s" if rule.delay else several or "-"
            return limits(rule), held, f"{rule.hysteresis:g}"
        case RateRule():
            about = VITALS[rule.vital]
            way = "falls" if rule.side == "low" else "rises"
            text = f"{about.label} {way} by {rule.change:g} {about.unit_label} within {rule.within:g} s"
            return text, "-", f"{rule.hysteresis:g}"
        case CombinedRule():
            members = (" and " if rule.every else " or ").join(f"`{member}`" for member in rule.members)
            return members, f"{rule.delay:g} s" if rule.delay else "-", "-"
        case OverdueRule():
            return f"no {VITALS[rule.vital].label} for the interval and {rule.grace:g} s", "-", "-"
        case StaleRule():
            return "a continuous vital without a value", f"{rule.after:g} s", "-"
        case ProbeOffRule():
            return "a sensor off the patient", f"{rule.after:g} s", "-"
    raise AssertionError(rule)


def row(rule: Rule) -> str:
    """A rule's row, without its last cell: the source."""
    phases = "always" if rule.phases is None else ", ".join(phase for phase in PHASES if phase in rule.phases)
    if rule.phase_since:
        phases += f", after {rule.phase_since / 60:g} min"
    bounds = "-"
    if isinstance(rule, LimitRule) and rule.bounds is not None:
        bounds = f"{rule.bounds[0]:g} to {rule.bounds[1]:g}"
    text, held, back = condition(rule)
    return f"| `{rule.id}` | {text} | {held} | {back} | {rule.priority} | {phases} | {bounds} |"


@pytest.mark.parametrize("rule", SHIPPED.compiled().rules, ids=lambda rule: rule.id)
def test_each_shipped_rule_stands_in_the_table_as_it_is(rule: Rule) -> None:
    (found,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{rule.id}` |")]
    assert found.startswith(row(rule))
    assert found.removeprefix(row(rule)).strip(" |"), "it has no source"


def test_no_other_rule_does() -> None:
    table = PAGE.partition("| rule | condition |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == set(SHIPPED.rules)


def said(value: object) -> str:
    """A default as the document has it."""
    if value is None or isinstance(value, bool):
        return {None: "none", False: "no", True: "yes"}[value]
    if isinstance(value, tuple | dict):
        return ", ".join(f"{one} {value[one]:g} s" if isinstance(value, dict) else one for one in value) or "none"
    return f"{value:g} s" if isinstance(value, float) else str(value)


@pytest.mark.parametrize("section", [SHIPPED.devices, SHIPPED.signals], ids=["devices", "signals"])
def test_every_default_of_a_section_stands_there(section: DevicesConfig | SignalsConfig) -> None:
    for key in type(section).model_fields:
        assert f"| `{key}` | {said(getattr(section, key))} |" in PAGE


@pytest.mark.parametrize("words", [AlertState, Why, Priority, Kind])
def test_every_word_that_an_event_can_have_is_explained(words: type[AlertState | Why | Priority | Kind]) -> None:
    for word in words:
        assert f"| `{word}` |" in PAGE


@pytest.mark.parametrize(
    "rule",
    [
        *("device_lost_DEVICE", "low_battery_DEVICE", "device_status_DEVICE_CODE", "device_alarm_DEVICE_CODE"),
        FORGOTTEN,
        f"{passing.HELD_BACK}RULE",
        *(self_watch.NOT_RECORDING, self_watch.DAMAGED, self_watch.DISK, self_watch.CLOCK, self_watch.UNSEEN),
        *(f"{rule}_NAME" for rule in (self_watch.SINK_STOPPED, self_watch.SINK_BEHIND, self_watch.NOTIFIER)),
    ],
)
def test_every_condition_that_is_no_rule_stands_there(rule: str) -> None:
    assert f"| `{rule}` |" in PAGE


def keys(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield field.alias or name


@pytest.mark.parametrize(
    "model",
    [
        profile_rules.LimitConfig,
        profile_rules.RateConfig,
        profile_rules.CombinationConfig,
        profile_rules.OverdueConfig,
        profile_rules.StaleConfig,
        profile_rules.ProbeOffConfig,
        ProfileConfig,
    ],
)
def test_every_key_of_a_profile_is_explained(model: type[BaseModel]) -> None:
    for key in keys(model):
        assert f"`{key}`" in PAGE


@pytest.mark.parametrize("block", blocks("yaml"))
def test_each_example_loads(tmp_path: Path, block: str) -> None:
    path = tmp_path / "example.yaml"
    if block.startswith(("alerts:", "notify:", "mqtt:")):
        # What else a configuration has; the files and secrets that it names are on no machine of ours.
        (tmp_path / "our_clinic.yaml").write_text("profile: our_clinic\n")
        path.write_text(block + BED, encoding="utf-8")
        config_file.load(path, here=False)
    else:
        path.write_text(block, encoding="utf-8")
        assert profile_file.load(path).rules


def test_each_command_is_one() -> None:
    commands = re.findall(r"^\$ infusion-monitor (.*?)(?: *  #.*)?$", "".join(blocks("console")), re.MULTILINE)
    assert len(commands) >= 10
    for command in commands:
        found, words = typer.main.get_command(app), shlex.split(command)
        while children := getattr(found, "commands", None):
            found = children[words.pop(0)]
        # Raises where an option or an argument is none of the command's.
        found.make_context("", words)


@pytest.mark.parametrize(("seconds_ago", "tampered", "genuine"), [(0, b"", True), (0, b" ", False), (600, b"", False)])
def test_its_five_lines_verify_a_post(*, seconds_ago: int, tampered: bytes, genuine: bool) -> None:
    secret = "whsec_" + base64.b64encode(bytes(range(32))).decode() + "\n"
    key = base64.b64decode(secret.strip().removeprefix("whsec_"))
    headers = webhook.signed(key, "an-id", int(time.time()) - seconds_ago, b"{}")
    (lines,) = blocks("python")
    names = {
        "base64": base64,
        "hmac": hmac,
        "time": time,
        "secret": secret,
        "headers": headers,
        "body": b"{}" + tampered,
    }
    exec(lines, names)
    assert names["genuine"] is genuine


def test_its_numbers_are_those_of_the_code() -> None:
    for text in (
        f"{passing.CUFF_HOLDS:g} s from the beginning of an inflation",
        f"{passing.AFTER_CUFF:g} s after the cuff is done",
        f"within {passing.TOLD_AGAIN_WITHIN:g} s",
        f"{self_watch.SETTLE:g} s long",
        f"{self_watch.UNSEEN_AFTER:g} s with no page open",
        f"{self_watch.JUMP:g} s or more",
        f"{self_watch.JUMP_STANDS / 60:g} min",
        f"{self_watch.SINK_BEHIND_AFTER / 60:g} min",
        f"{self_watch.FREE_PART * 100:g} % of the disk",
        f"{self_watch.MOST_FREE / 1e9:g} GB",
        f"{self_watch.LEAST_FREE / 1e6:g} MB",
        f"{webhook.KEPT / 3600:g} h",
        f"{pager.KEPT / 60:g} min",
        f"{outbox.MOST_WAITING:,} events",
        f"{outbox.FAILING:g} s",
    ):
        assert text in " ".join(PAGE.split())
