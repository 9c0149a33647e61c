"""What a configuration may say, and that every fault is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.errors import ConfigError
from monitor import config_file
from monitor.alerts.conditions import Priority

GOOD = """\
site: demo
beds:
  - id: chair-1
    devices:
      - id: ox
        driver: nonin
        url: /dev/ttyUSB0
alerts:
  limits:
    spo2:
      low: {limit: 90, priority: high, delay: 5, hysteresis: 2}
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
    (limit,) = config.alerts.profile().limits
    assert (limit.rule, limit.priority, limit.delay) == ("spo2_low", Priority.HIGH, 5)


def test_the_shipped_one_is_good() -> None:
    config = config_file.load(config_file.default_path())
    assert [bed.id for bed in config.beds] == ["chair-1", "chair-2"]


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
        ("site: demo", "site: demo\nweb: {host: 0.0.0.0}", "2: web.host: input should be '127.0.0.1'"),
        ("id: chair-1", "id: Chair 1", "3: beds[0].id: string should match pattern"),
        ("driver: nonin", "driver: nonim", "6: beds[0].devices[0].driver: there is no driver 'nonim'"),
        ("url: /dev/ttyUSB0", "url: tcp://x", "7: beds[0].devices[0].url: 'tcp://x' is incomplete; expected"),
        ("url: /dev/ttyUSB0", "url: mqtt://b/t", "7: beds[0].devices[0].url: the driver nonin does not work over mqtt"),
        ("        url: /dev/ttyUSB0\n", "", "5: beds[0].devices[0].url: is missing"),
        ("    spo2:", "    spo3:", "10: alerts.limits.spo3: there is no vital 'spo3'"),
        ("limit: 90", "limit: .nan", "11: alerts.limits.spo2.low.limit: input should be a finite number"),
        ("priority: high", "priority: urgent", "11: alerts.limits.spo2.low.priority: input should be 'low'"),
        (
            "hysteresis: 2}",
            "hysteresis: 2}\n      high: {limit: 80, priority: low}",
            "11: alerts.limits.spo2.low.limit",
        ),
        (
            "url: /dev/ttyUSB0",
            "url: /dev/ttyUSB0\n        options: {format: 9}",
            "8: beds[0].devices[0].options.format",
        ),
        ("url: /dev/ttyUSB0", "url: /dev/ttyUSB0\n        vitals: [temp]", "8: beds[0].devices[0].vitals: the driver"),
        ("url: /dev/ttyUSB0", "url: /dev/ttyUSB0\n        silent_after: 0", "8: beds[0].devices[0].silent_after"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path: Path, change: str, to: str, expected: str) -> None:
    (fault,) = faults(tmp_path, GOOD.replace(change, to))
    assert fault.startswith(expected)


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


def test_a_password_in_the_file_itself_is_refused(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, GOOD + "mqtt: {password: s3cret}\n")
    assert fault == "12: mqtt.password: unknown key"
