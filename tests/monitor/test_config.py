"""What a configuration may say, and that every fault is named with its line."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path

import pytest

from drivers.errors import ConfigError
from monitor import config_file
from monitor.alerts import profile_file
from monitor.cli.simulated import cannot_simulate
from monitor.config import InfluxdbConfig
from tests.monitor.program import ROOT

GOOD = """\
site: demo
beds:
  - id: chair-1
    devices:
      - id: ox
        driver: nonin
        url: /dev/ttyUSB0
alerts:
  profile: adult_infusion
  profiles: []
journal: {keep_days: 3650}
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(tmp_path: Path, text: str) -> list[str]:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        config_file.load(path)
    return [fault.removeprefix(f"{path}:") for fault in caught.value.faults]


def test_a_good_one_is_read(tmp_path: Path) -> None:
    config = config_file.load(write(tmp_path, GOOD))
    assert config.beds[0].title == "chair-1"
    assert not config.beds[0].same_arm
    assert config.alerts.profile in config.alerts.all


def test_the_shipped_one_is_good() -> None:
    config = config_file.load(config_file.default_path())
    assert [bed.id for bed in config.beds] == ["chair-1", "chair-2"]


def test_the_shipped_one_is_good_with_every_line_in_it_turned_on(tmp_path: Path) -> None:
    text = config_file.default_path().read_text(encoding="utf-8")
    # A section is its key with the lines indented below it.
    section = re.compile(r"^# (mqtt|influxdb|hl7|journal):.*\n(#   .*\n)+", re.MULTILINE)
    turned_on = section.sub(lambda match: re.sub("^# ", "", match[0], flags=re.MULTILINE), text)
    turned_on = turned_on.replace("# line: {", "line: {")
    config = config_file.load(write(tmp_path, turned_on), cannot_simulate, here=False)
    assert (config.mqtt.username, config.mqtt.ca_file) == ("station", "/etc/ssl/clinic-ca.pem")
    assert config.beds[1].devices[0].line.parity == "N"
    assert config.journal.keep_days == 3650
    assert config.influxdb is not None
    assert config.influxdb.token_file == "infusion-data/influxdb.token"
    assert config.influxdb.read_token_file == "infusion-data/influxdb-read.token"
    assert config.hl7 is not None
    assert (config.hl7.port, config.hl7.every_s, config.hl7.alerts) == (2575, 60, True)


def whole(block: str) -> str:
    """A configuration with what the documents show of one in its place."""
    text = textwrap.dedent(block)
    if "beds:" in text:
        return text
    if not text.startswith("- id:"):
        over_mqtt = text.startswith("options:")
        url = "" if "url:" in text else f"url: {'mqtt://broker/topic' if over_mqtt else '/dev/ttyUSB0'}\n"
        text = f"- id: device\n  driver: {'mqtt_json' if over_mqtt else 'nonin'}\n" + textwrap.indent(url + text, "  ")
    return "beds:\n  - id: chair-1\n    devices:\n" + textwrap.indent(text, "      ")


DOCUMENTED = [
    pytest.param(block, id=f"{name}-{number}")
    for name in ("README.md", "docs/connecting.md")
    for number, block in enumerate(
        re.findall(r"^```yaml\n(.*?)^```", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    )
]


@pytest.mark.parametrize("block", DOCUMENTED)
def test_what_the_documents_show_is_good(tmp_path: Path, block: str) -> None:
    if block.startswith("profile:"):
        profile_file.load(write(tmp_path, block))
    else:
        config_file.load(write(tmp_path, whole(block)), cannot_simulate, here=False)


def test_the_documents_show_some() -> None:
    assert len(DOCUMENTED) >= 7


def test_the_profiles_of_a_site_are_beside_its_configuration(tmp_path: Path) -> None:
    folder = tmp_path / "profiles"
    folder.mkdir()
    (folder / "strict.yaml").write_text("profile: strict\nextends: ours\nrules: {spo2_low: {below: 95}}\n")
    (folder / "ours.yaml").write_text("profile: ours\nrules: {spo2_low: 'SpO2 < 90 for 10 s'}\n")
    text = GOOD.replace("adult_infusion", "strict").replace("[]", "[profiles/strict.yaml, profiles/ours.yaml]")
    alerts = config_file.load(write(tmp_path, text)).alerts
    assert sorted(alerts.all) == ["adult_infusion", "ours", "strict"]
    (rule,) = alerts.all[alerts.profile].compiled().rules
    assert (rule.id, rule.threshold.value, rule.delay) == ("spo2_low", 95, 10)


def test_faults_of_profiles_come_with_those_of_the_configuration(tmp_path: Path) -> None:
    ours = tmp_path / "ours.yaml"
    ours.write_text("profile: ours\nrules:\n  spo2_low: {vital: spo2, below: 9}\n")
    text = GOOD.replace("driver: nonin", "driver: nonim").replace("[]", "[ours.yaml]")
    found = faults(tmp_path, text)
    assert found[0].startswith("6: beds[0].devices[0].driver: there is no driver 'nonim'")
    assert found[1:] == [f"{ours}:3: rules.spo2_low.below: 9 % is outside what spo2 can be, 20 to 100"]


def test_ids_are_filled_into_an_address(tmp_path: Path) -> None:
    text = GOOD.replace("driver: nonin", "driver: mqtt_json").replace(
        "/dev/ttyUSB0", '"mqtt://b/vitals/{bed}/{device}"'
    )
    config = config_file.load(write(tmp_path, text))
    assert config.beds[0].devices[0].address("chair-1") == "mqtt://b/vitals/chair-1/ox"


@pytest.mark.parametrize(
    ("change", "to", "expected"),
    [
        ("site: demo", "site: demo\nsite: two", '2: found duplicate key "site"'),
        ("site: demo", "site: demo\nwbe: {}", "2: wbe: unknown key"),
        ("site: demo", "site: demo\nweb: {port: 12:30}", "2: web.port: input should be a valid integer; got '12:30'"),
        ("site: demo", "site: demo\nweb: {port: true}", "2: web.port: input should be a valid integer; got True"),
        ("site: demo", "site: no", "1: site: no means different things"),
        ("id: chair-1", "id: chair-1\n    label: 12:30", "4: beds[0].label: 12:30 means different things"),
        ("id: chair-1", "id: chair-1\n    label: Yes", "4: beds[0].label: Yes means different things"),
        ("site: demo", "site: demo\nweb: {port: 65536}", "2: web.port: input should be less than or equal to 65535"),
        ("id: chair-1", "id: Chair 1", "3: beds[0].id: string should match pattern"),
        ("driver: nonin", "driver: nonim", "6: beds[0].devices[0].driver: there is no driver 'nonim'"),
        ("url: /dev/ttyUSB0", "url: tcp://x", "7: beds[0].devices[0].url: 'tcp://x' is incomplete; expected"),
        ("url: /dev/ttyUSB0", "url: mqtt://b/t", "7: beds[0].devices[0].url: the driver nonin does not work over mqtt"),
        ("        url: /dev/ttyUSB0\n", "", "5: beds[0].devices[0].url: is missing"),
        ("adult_infusion", "adult", "9: alerts.profile: there is no profile 'adult'; there are: adult_infusion"),
        ("[]", "[none.yaml]", "10: alerts.profiles[0]: none.yaml: No such file or directory"),
        ("  profiles: []", "  limits: {}", "10: alerts.limits: unknown key"),
        ("site: demo", "site: demo\nweb: {port: +80}", "2: web.port: +80 is the same as 80; write that, or"),
        (
            "url: /dev/ttyUSB0",
            "url: /dev/ttyUSB0\n        options: {format: 9}",
            "8: beds[0].devices[0].options.format",
        ),
        ("url: /dev/ttyUSB0", "url: /dev/ttyUSB0\n        vitals: [temp]", "8: beds[0].devices[0].vitals: the driver"),
        ("url: /dev/ttyUSB0", "url: /dev/ttyUSB0\n        silent_after: 0", "8: beds[0].devices[0].silent_after"),
        ("url: /dev/ttyUSB0", "url: /dev/ttyUSB0\n        vitals: []", "8: beds[0].devices[0].vitals: at least one"),
        ("url: /dev/ttyUSB0", 'url: " "', "7: beds[0].devices[0].url: ' ' is blank"),
        ("url: /dev/ttyUSB0", 'url: "/dev/ttyUSB0 "', "7: beds[0].devices[0].url: '/dev/ttyUSB0 ' is blank, or has"),
        ("url: /dev/ttyUSB0", r'url: "/dev/tty\0"', "7: beds[0].devices[0].url: '/dev/tty\\x00' has a character"),
        ("site: demo", "site: demo\n? [a, b]\n: 1", "2: a key is one word"),
        ("site: demo", "site: demo\nweb:\n  ? {a: 1}\n  : 1", "3: web: a key is one word"),
        (
            "site: demo",
            "site: demo\nweb: {port: " + "9" * 5000 + "}",
            "2: web.port: a number of 5000 digits is too long",
        ),
        ("site: demo", 'site: "\\ud800"', "1: site: '\\ud800' has a character that no text can have"),
        ("site: demo", 'site: demo\n"\\ud800": 1', "2: '\\ud800' has a character that no text can have"),
        ("site: demo", "site: !secret demo", "1: site: the tag !secret is not known here"),
        ("site: demo", "site: !!set {a, b}", "1: site: the tag !!set is not known here"),
        ("site: demo", "site: !!binary aGVsbG8=", "1: site: the tag !!binary is not known here"),
        ("site: demo", "site: !!int demo", "1: site: the tag !!int is not known here"),
        ("site: demo", "site: demo\nmqtt: !broker {username: a}", "2: mqtt: the tag !broker is not known here"),
        ("site: demo", "site: 2026-99-99", "1: site: 2026-99-99 means different things"),
        ("site: demo", "site: demo\nweb: &a {host: *a}", "2: web.host"),
        ("site: demo", "site: demo\nweb: " + "[" * 100 + "]" * 100, "2: web[0][0]"),
        ("site: demo", "site: demo\nweb: a\x07b", "2: not readable as YAML"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path: Path, change: str, to: str, expected: str) -> None:
    (fault,) = faults(tmp_path, GOOD.replace(change, to))
    assert fault.startswith(expected)


def test_what_is_nested_too_deeply_to_be_read_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "site: " + "[" * 2000 + "]" * 2000 + "\n")
    with pytest.raises(ConfigError) as caught:
        config_file.load(path)
    assert caught.value.faults == [f"{path}: nested too deeply"]


def test_aliases_that_would_fill_the_memory_are_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    (fault,) = faults(tmp_path, "\n".join(lines) + "\n")
    assert "too large with its aliases filled in" in fault


def test_quoted_words_are_text(tmp_path: Path) -> None:
    text = GOOD.replace("id: chair-1", 'id: chair-1\n    label: "12:30"').replace("site: demo", "site: 'no'")
    assert config_file.load(write(tmp_path, text)).beds[0].title == "12:30"


def test_two_beds_alike_are_refused_by_id_and_by_label(tmp_path: Path) -> None:
    bed = GOOD[GOOD.index("  - id") : GOOD.index("alerts:")]
    found = faults(tmp_path, GOOD.replace(bed, bed + bed.replace("ttyUSB0", "ttyUSB1")))
    assert found == [
        "8: beds[1].id: there is already a bed called 'chair-1'",
        "8: beds[1].label: there is already a bed called 'chair-1'",
    ]


def test_one_port_for_two_devices_is_refused(tmp_path: Path) -> None:
    bed = GOOD[GOOD.index("  - id") : GOOD.index("alerts:")]
    (found,) = faults(tmp_path, GOOD.replace(bed, bed + bed.replace("chair-1", "chair-2")))
    assert found == "12: beds[1].devices[0].url: /dev/ttyUSB0 is already the address of chair-1/ox"


def test_a_vital_from_two_devices_of_a_bed_needs_a_choice(tmp_path: Path) -> None:
    second = "      - id: monitor\n        driver: ivy450c\n        url: /dev/ttyUSB1\n"
    found = faults(tmp_path, GOOD.replace("alerts:", second + "alerts:"))
    assert found[0].startswith("8: beds[0].devices[1]: pulse_rate would come from ox and from monitor")
    chosen = second + "        vitals: [heart_rate, nibp_sys, nibp_dia, nibp_mean]\n"
    config_file.load(write(tmp_path, GOOD.replace("alerts:", chosen + "alerts:")))


@pytest.mark.parametrize("text", ["", "- a\n", "beds\n", "\tsite: x\n", "site: [\n"])
def test_what_is_no_configuration_at_all_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    assert len(faults(tmp_path, text)) == 1


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: No such file"):
        config_file.load(tmp_path / "none.yaml")


def test_the_password_comes_from_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLINIC_MQTT", "s3cret")
    config = config_file.load(write(tmp_path, GOOD + "mqtt: {username: station, password_env: CLINIC_MQTT}\n"))
    assert config.mqtt.settings().password == "s3cret"
    monkeypatch.delenv("CLINIC_MQTT")
    with pytest.raises(ConfigError, match="CLINIC_MQTT"):
        config.mqtt.settings()
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n", encoding="utf-8")
    config = config_file.load(write(tmp_path, GOOD + f"mqtt: {{username: station, password_file: {secret}}}\n"))
    assert config.mqtt.settings().password == "s3cret"


@pytest.mark.parametrize(
    ("key", "name", "problem"),
    [
        ("password_env", "NO_SUCH_VARIABLE", "the environment has no variable NO_SUCH_VARIABLE"),
        ("password_file", "/nonexist/a", "/nonexist/a: No such file or directory"),
        ("ca_file", "/nonexist/a", "/nonexist/a: No such file or directory"),
        ("cert_file", "/nonexist/a", "/nonexist/a: No such file or directory"),
        ("key_file", "/dev", "/dev: Is a directory"),
    ],
)
def test_what_the_broker_needs_and_is_not_there_is_a_fault(tmp_path: Path, key: str, name: str, problem: str) -> None:
    text = GOOD + f"mqtt:\n  username: station\n  {key}: {name}\n"
    assert faults(tmp_path, text) == [f"14: mqtt.{key}: {problem}"]
    # Who only reads the journal does not need it.
    assert config_file.load(write(tmp_path, text), here=False).data_dir == "infusion-data"


@pytest.mark.parametrize("url", ["mqtt://broker", "mqtts://broker:8884/", "mqtts://broker.example/clinic/floor-2"])
def test_the_clinics_systems_are_told_at_a_broker(tmp_path: Path, url: str) -> None:
    assert config_file.load(write(tmp_path, GOOD)).mqtt.publish_to is None
    assert config_file.load(write(tmp_path, GOOD + f"mqtt: {{publish_to: {url}}}\n")).mqtt.publish_to == url


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "no address of a broker"),
        ("broker/clinic", "no address of a broker"),
        ("http://broker/clinic", "no address of a broker"),
        ("mqtt:///clinic", "is incomplete; expected mqtt://HOST"),
        ("mqtt://broker:many/clinic", "Port could not be cast"),
        ("mqtt://[::1/clinic", "Invalid IPv6 URL"),
        (" mqtt://broker/clinic", "blank at an end"),
        ("mqtt://broker/clinic/#", "wildcard"),
        ("mqtt://broker/clinic/%23", "wildcard"),
        ("mqtt://broker/+/clinic", "wildcard"),
        ("mqtt://broker/$SYS/clinic", "topics cannot begin like that"),
        ("mqtt://broker/clinic?retain=no", "topics cannot begin like that"),
        ("mqtt://broker/clinic%00", "topics cannot begin like that"),
        ("mqtt://station:s3cret@broker/clinic", "has an @"),
    ],
)
def test_where_no_topic_can_be_published_is_a_fault(tmp_path: Path, url: str, problem: str) -> None:
    (fault,) = faults(tmp_path, GOOD + f"mqtt:\n  publish_to: {json.dumps(url)}\n")
    assert fault.startswith("13: mqtt.publish_to: ")
    assert problem in fault
    assert "s3cret" not in fault


def test_a_password_in_the_file_itself_is_refused(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, GOOD + "mqtt: {password: s3cret}\n")
    assert fault == "12: mqtt.password: unknown key"


INFLUXDB = """\
influxdb:
  url: http://127.0.0.1:8086
  org: clinic
  bucket: vitals
  token_env: CLINIC_INFLUX
"""


def influxdb(tmp_path: Path, text: str) -> InfluxdbConfig:
    config = config_file.load(write(tmp_path, GOOD + text), here=False).influxdb
    assert config is not None
    return config


def test_the_tokens_come_from_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLINIC_INFLUX", "writes")
    config = influxdb(tmp_path, INFLUXDB)
    assert (config.token(), config.read_token()) == ("writes", "writes")
    secret = tmp_path / "secret"
    secret.write_text("reads\n", encoding="utf-8")
    config = influxdb(tmp_path, INFLUXDB + f"  read_token_file: {secret}\n")
    assert (config.token(), config.read_token()) == ("writes", "reads")
    secret.unlink()
    with pytest.raises(ConfigError, match=r"influxdb\.read_token_file: .*: No such file"):
        config.read_token()
    monkeypatch.delenv("CLINIC_INFLUX")
    with pytest.raises(ConfigError, match="CLINIC_INFLUX"):
        config.token()


@pytest.mark.parametrize(
    ("change", "to", "expected"),
    [
        ("token_env: CLINIC_INFLUX", "", "12: influxdb.token: give the token by token_env or by token_file, one of"),
        (
            "token_env: CLINIC_INFLUX",
            "token_env: A\n  token_file: b",
            "17: influxdb.token_file: give the token by token_env or by token_file, one of the two",
        ),
        (
            "token_env: CLINIC_INFLUX",
            "token_env: A\n  read_token_env: B\n  read_token_file: c",
            "18: influxdb.read_token_file: give the token for reading by read_token_env or by read_token_file, not",
        ),
        ("token_env: CLINIC_INFLUX", "token: s3cret", "16: influxdb.token: unknown key"),
        ("http://127.0.0.1:8086", "http://192.168.1.7:8086", "13: influxdb.url: http:// would send the token in clear"),
        ("http://127.0.0.1:8086", "http://localhost.example:8086", "13: influxdb.url: http:// would send the token"),
        ("http://127.0.0.1:8086", "http://:8086", "13: influxdb.url: http://:8086: expected http(s)://host:port"),
        ("http://127.0.0.1:8086", "http://a:99999", "13: influxdb.url: http://a:99999: Port out of range 0-65535"),
        ("http://127.0.0.1:8086", "http://[::1", "13: influxdb.url: http://[::1: Invalid IPv6 URL"),
        ("http://127.0.0.1:8086", "influxdb.example:8086", "13: influxdb.url: string should match pattern"),
        ("http://127.0.0.1:8086", "https://me:s3cret@a", "13: influxdb.url: string should match pattern"),
    ],
)
def test_a_fault_of_the_sink_is_named_with_its_line(tmp_path: Path, change: str, to: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_file.load(write(tmp_path, GOOD + INFLUXDB.replace(change, to)), here=False)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    "lines",
    [
        "url: https://192.168.1.7:8086",
        "url: http://localhost:8086/",
        "url: http://127.8.0.1",
        'url: "http://[::1]:8086"',
        "url: http://192.168.1.7:8086\n  insecure: true",
    ],
)
def test_where_the_token_may_go(tmp_path: Path, lines: str) -> None:
    assert influxdb(tmp_path, INFLUXDB.replace("url: http://127.0.0.1:8086", lines)).org == "clinic"


@pytest.mark.parametrize(
    ("key", "name", "problem"),
    [
        ("token_env", "NO_SUCH_VARIABLE", "the environment has no variable NO_SUCH_VARIABLE"),
        ("token_file", "/nonexist/a", "/nonexist/a: No such file or directory"),
        ("read_token_env", "NO_SUCH_VARIABLE", "the environment has no variable NO_SUCH_VARIABLE"),
        ("read_token_file", "/dev", "/dev: Is a directory"),
        ("ca_file", "/nonexist/a", "/nonexist/a: No such file or directory"),
    ],
)
def test_what_the_sink_needs_and_is_not_there_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, name: str, problem: str
) -> None:
    monkeypatch.setenv("CLINIC_INFLUX", "s3cret")
    text = GOOD + INFLUXDB
    text = text.replace("token_env: CLINIC_INFLUX\n", "") if key in {"token_env", "token_file"} else text
    assert faults(tmp_path, f"{text.rstrip()}\n  {key}: {name}\n")[0].endswith(f": influxdb.{key}: {problem}")


def test_no_bed_is_called_as_the_station_itself(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("beds:\n  - id: station\n    devices: [{id: a, driver: nonin, url: simulated}]\n", encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        config_file.load(path)
    assert raised.value.faults == [f"{path}:2: beds[0].id: station means the station itself: give the bed another name"]
