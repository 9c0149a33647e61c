"""`docs/nurse-station.md` is true: what it quotes stands on the page, and its numbers are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from drivers.device import LATE_AFTER
from monitor import live, self_watch
from monitor.accounts.people import Role
from monitor.alerts import profile_file
from monitor.alerts.profile_file import DEFAULT
from monitor.sessions.steps import State, possible
from monitor.web.settings import WebConfig

ROOT = Path(__file__).parents[1]
STATIC = ROOT / "monitor" / "web" / "static"
PAGE = (ROOT / "docs" / "nurse-station.md").read_text(encoding="utf-8")
ALERTS = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
PROSE, ALERTS_PROSE = (re.sub(r"\s+", " ", text) for text in (PAGE, ALERTS))
SHOWN = "\n".join(path.read_text(encoding="utf-8") for path in [*STATIC.glob("*.js"), *STATIC.glob("*.html")])
SCRIPTS = re.sub(r"\s+", " ", SHOWN) + " ".join(live.REASONS.values())


def script(name: str) -> str:
    """A script, as it is in English."""
    return re.sub(r'\bt\(("[^"]*")\)', r"\1", (STATIC / f"{name}.js").read_text(encoding="utf-8"))


def mapping(text: str, name: str) -> dict[str, str]:
    """A constant of a script, with the text of each of its values."""
    body = re.search(rf"const {name} = {{\n(.*?)^}};", text, re.MULTILINE | re.DOTALL)
    assert body is not None, name
    return dict(re.findall(r"^  (\w+): (.*),$", body[1], re.MULTILINE))


def number(text: str, name: str) -> float:
    """A constant of a script."""
    found = re.search(rf"const {name} = ([\d.]+);", text)
    assert found is not None, name
    return float(found[1])


QUOTED = sorted(set(re.findall("“([^”]+)”", PROSE)) - {"these marks"})


@pytest.mark.parametrize("quoted", QUOTED)
def test_what_is_quoted_can_be_read_on_the_page(quoted: str) -> None:
    assert quoted.removesuffix("…") in SCRIPTS


STEPS = {step: re.search(r'"([^"]+)"', both)[1] for step, both in mapping(script("chair_steps"), "STEPS").items()}
NEXT = {state: step.strip('"') for state, step in mapping(script("chair_steps"), "NEXT").items()}
STATES = {state: name.strip('"') for state, name in mapping(script("terms"), "STATES").items()}


@pytest.mark.parametrize("state", [state for state in State if state is not State.CLOSED])
def test_the_steps_that_are_offered_stand_there(state: State) -> None:
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| “{STATES[state]}” | “")]
    first = STEPS[NEXT[state]]
    others = [STEPS[step] for step in possible(state) if step != NEXT[state]]
    _, large, beside, _ = (cell.strip() for cell in row.removeprefix("|").split("|"))
    assert large == f"“{first}”"
    assert sorted(re.findall("“([^”]+)”", beside)) == sorted(others)


def test_every_word_about_sound_stands_there() -> None:
    for said in mapping(script("sound"), "WORDS").values():
        assert f"“{said.strip(chr(34))}”" in PAGE


SIGNALS = mapping(script("bursts").replace("export ", ""), "SIGNALS")
PULSES = {
    name: re.findall(r"[\d.]+", re.search(rf"const {name} = {{(.*?)}};", script("bursts"))[1])
    for name in ("QUICK", "CALM")
}


@pytest.mark.parametrize("signal", SIGNALS)
def test_the_numbers_of_the_sounds_are_those_of_the_code(signal: str) -> None:
    about = dict(re.findall(r'(\w+): ("[^"]*"|[\w.]+)', SIGNALS[signal]))
    length, spacing = (f"{float(it):g} s" for it in PULSES[about["pulse"]])
    again, other = (f"{float(about[key]):g} s" for key in ("interval", "least"))
    (told,) = [line for line in PAGE.splitlines() if re.match(rf"\| `{signal}` \| \d", line)]
    assert told.endswith(f"| {length} | {spacing} | {again} | {other} |")
    rows = [line for line in ALERTS.splitlines() if line.startswith(f"| `{signal}` |") and line.endswith("pulses |")]
    melody, level = about["melody"].strip('"'), about["level"]
    tones = f"| `{melody}` | {length} | {spacing} | {level} | {again} | {other} | {about['pulses']} pulses |"
    assert [line.endswith(tones) for line in rows] == [True]
    halves = [str(sum(letter.isalpha() for letter in part)) for part in re.split(r"[- ]", melody)]
    assert told.split("|")[2].strip().startswith(", ".join(halves[:2]))


def test_the_pitches_stand_in_the_document_of_alerts() -> None:
    tones = dict(re.findall(r"(\w): ([\d.]+)", re.search(r"const TONES = {(.*?)}", script("bursts"))[1]))
    assert len(tones) == 3
    for letter, hertz in tones.items():
        assert re.search(rf"`{letter}` (is )?{float(hertz):g} Hz", ALERTS_PROSE)
    assert f"the blank is {number(script('bursts'), 'HALVES_APART'):g} s" in ALERTS_PROSE
    assert f"pulse's; it takes {number(script('bursts'), 'RISE'):.0%} of".replace("%", " %") in ALERTS_PROSE


@pytest.mark.parametrize("role", Role)
def test_every_role_stands_there(role: Role) -> None:
    assert f"| `{role}` |" in PAGE


def test_its_times_are_those_of_the_code() -> None:
    signals = profile_file.shipped(DEFAULT).signals
    login = WebConfig.model_fields["login_hours"]
    assert f"for {signals.audio_pause / 60:g} minutes" in PROSE
    assert f"nobody acknowledges for {signals.escalate['medium'] / 60:g} minutes" in PROSE
    assert f"a continuous value {live.STALE_AFTER:g} s old, a cuff pressure {LATE_AFTER / 120:g} min old" in PROSE
    assert f"more than {live.OLD_AFTER:g} s, a cuff pressure of more than {LATE_AFTER / 60:g} min" in PROSE
    assert f"`login_hours` ({login.default:g};" in PROSE
    assert f"high priority for {self_watch.UNSEEN_AFTER:g} s" in PROSE
    assert f"from the station for {number(script('connection'), 'OLDEST') / 1000:g} seconds" in PROSE
    assert f"more than {number(script('connection'), 'SLOW') / 1000:g} s behind" in PROSE
    assert f"more than {number(script('connection'), 'CLOCKS_APART') / 1000:g} s off" in PROSE
    assert f"never below {number(script('sound'), 'QUIETEST'):g} of 100" in PROSE


def test_its_pictures_and_documents_are_there() -> None:
    for link in re.findall(r"\]\(([^)#]+)", PAGE):
        assert (ROOT / "docs" / link).is_file(), link
