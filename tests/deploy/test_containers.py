"""deploy/compose.yaml and what it names: that each file is there, and that the parts fit together."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from monitor import config_file
from monitor.cli.simulated import cannot_simulate
from monitor.config import StationConfig
from tests.deploy import secrets
from tests.monitor.program import RunningStation

DEPLOY = secrets.DEPLOY
ROOT = DEPLOY.parent
EVERY_YAML = sorted(path for path in DEPLOY.rglob("*.yaml") if "secrets" not in path.parts)


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load(path)
    return found


COMPOSE = read(DEPLOY / "compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def station_config() -> StationConfig:
    return config_file.load(DEPLOY / "clinic.yaml", cannot_simulate, here=False)


def mounts(service: str) -> dict[str, Path]:
    """Folders and files of this project by where the container sees them."""
    pairs = [volume.split(":") for volume in SERVICES[service]["volumes"]]
    return {pair[1]: DEPLOY / pair[0] for pair in pairs if pair[0].startswith(".")}


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's, each with its continued lines joined."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    return [(name, rest) for name, rest in lines]


@pytest.mark.parametrize("path", EVERY_YAML, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_every_yaml_file_is_one(path: Path) -> None:
    assert isinstance(read(path), dict)


@pytest.mark.parametrize("service", SERVICES)
def test_everything_mounted_is_here_and_read_only(service: str) -> None:
    for volume in SERVICES[service]["volumes"]:
        source, *rest = volume.split(":")
        if source.startswith("."):
            assert (DEPLOY / source).exists(), source
            assert rest[-1] == "ro"
        else:
            assert source in COMPOSE["volumes"]


def test_every_secret_is_a_file_that_the_script_makes(tmp_path: Path) -> None:
    made = secrets.made(tmp_path / "secrets", "--monitor", "chair-1/monitor")
    for secret in COMPOSE["secrets"].values():
        assert list(secret) == ["file"]
        folder, name = secret["file"].removeprefix("./").split("/")
        assert folder == "secrets"
        assert (made / name).is_file()
    given = {name for service in SERVICES.values() for name in service["secrets"]}
    assert given == set(COMPOSE["secrets"])
    assert not any("ca.key" in secret["file"] for secret in COMPOSE["secrets"].values())


@pytest.mark.parametrize("service", SERVICES)
def test_no_secret_stands_in_the_file(service: str) -> None:
    for name, value in SERVICES[service].get("environment", {}).items():
        if re.search("PASSWORD|TOKEN|SECRET", name):
            assert name.endswith("_FILE")
            assert Path(value).parent == Path("/run/secrets")
            assert Path(value).name in SERVICES[service]["secrets"]


def test_only_the_broker_is_open_to_the_network() -> None:
    ports = {name: port for name, service in SERVICES.items() for port in service.get("ports", ())}
    assert ports == {"influxdb": "127.0.0.1:8086:8086", "mosquitto": "8883:8883", "grafana": "127.0.0.1:3000:3000"}
    assert SERVICES["station"]["network_mode"] == "host"
    assert station_config().web.host == "127.0.0.1"


def test_the_station_is_shut_in() -> None:
    station = SERVICES["station"]
    assert station["read_only"] is True
    assert station["cap_drop"] == ["ALL"]
    assert station["security_opt"] == ["no-new-privileges:true"]
    assert "depends_on" not in station, "it records without a broker and without InfluxDB"


def test_images_are_pinned_by_version() -> None:
    images = [service["image"] for service in SERVICES.values() if "build" not in service]
    assert all(re.search(r":\d+\.\d+", image) for image in images), images
    assert "influxdb:2.8" in images
    assert ("FROM", "python:3.11-slim") in instructions()


def test_the_image_has_what_the_program_needs_and_is_not_root() -> None:
    build = SERVICES["station"]["build"]
    assert (DEPLOY / build["context"]).resolve() == ROOT
    assert ROOT / build["dockerfile"] == DEPLOY / "Dockerfile"
    copied = [rest.split()[0] for name, rest in instructions() if name == "COPY"]
    assert copied == ["requirements.lock", "drivers", "simulators", "monitor", "config.yaml"]
    let_through = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    for name in copied:
        assert (ROOT / name).exists()
        assert f"!{name}" in let_through
    [installing] = [rest for name, rest in instructions() if name == "RUN" and "pip install" in rest]
    assert "--require-hashes" in installing
    assert "--only-binary=:all:" in installing
    [user] = [rest for name, rest in instructions() if name == "USER"]
    [made] = [rest for name, rest in instructions() if name == "RUN" and "useradd" in rest]
    assert re.search(rf"useradd .*\s{user}\b", made)
    [volume] = [rest for name, rest in instructions() if name == "VOLUME"]
    assert f"-o {user} -g {user} -m 0700 {volume}" in made
    [command] = [json.loads(rest) for name, rest in instructions() if name == "CMD"]
    targets = {volume.split(":")[1] for volume in SERVICES["station"]["volumes"]}
    assert {command[command.index("--config") + 1], command[command.index("--data-dir") + 1]} == targets


def test_the_health_check_knows_a_running_station(tmp_path: Path) -> None:
    [check] = [rest for name, rest in instructions() if name == "HEALTHCHECK"]
    python, flag, code = json.loads(check[check.index("[") :])
    assert (python, flag) == ("python", "-c")
    station = RunningStation(tmp_path / "data")

    def healthy() -> bool:
        here = code.replace("/var/lib/infusion-monitor", str(tmp_path / "data"))
        assert here != code
        done = subprocess.run([sys.executable, flag, here], check=False, capture_output=True, timeout=secrets.PATIENCE)
        return done.returncode == 0

    try:
        assert healthy()
    finally:
        station.stop()
    assert not healthy()


def test_the_stations_files_are_the_secrets_that_it_is_given() -> None:
    config = station_config()
    named = {config.mqtt.password_file, config.mqtt.ca_file, config.influxdb and config.influxdb.token_file}
    assert named == {f"/run/secrets/{name}" for name in SERVICES["station"]["secrets"]}


def test_all_speak_of_the_same_bucket() -> None:
    sink = station_config().influxdb
    assert sink is not None
    made = SERVICES["influxdb"]["environment"]
    shown = SERVICES["grafana"]["environment"]
    assert sink.org == made["DOCKER_INFLUXDB_INIT_ORG"] == shown["INFLUXDB_ORG"]
    assert sink.bucket == made["DOCKER_INFLUXDB_INIT_BUCKET"] == shown["INFLUXDB_BUCKET"]
    assert sink.url == "http://" + SERVICES["influxdb"]["ports"][0].rpartition(":")[0]


def test_grafana_finds_its_source_and_its_dashboards() -> None:
    seen = mounts("grafana")
    provisioning = seen["/etc/grafana/provisioning"]
    [source] = read(provisioning / "datasources" / "influxdb.yaml")["datasources"]
    token = re.fullmatch(r"\$__file\{/run/secrets/(\w+)\}", source["secureJsonData"]["token"])
    assert token is not None
    assert token[1] in SERVICES["grafana"]["secrets"]
    variables = {value[1:] for value in (source["url"], *source["jsonData"].values()) if str(value).startswith("$")}
    assert variables <= set(SERVICES["grafana"]["environment"])
    [provider] = read(provisioning / "dashboards" / "infusion-monitor.yaml")["providers"]
    assert {path.name for path in seen[provider["options"]["path"]].iterdir()} == {
        "wall.json",
        "bed.json",
        "sessions.json",
    }
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (seen[str(home.parent)] / home.name).exists()


def test_the_brokers_files_are_where_it_looks() -> None:
    given = {f"/run/secrets/{name}" for name in SERVICES["mosquitto"]["secrets"]} | set(mounts("mosquitto"))
    text = (DEPLOY / "mosquitto" / "mosquitto.conf").read_text(encoding="utf-8")
    named = set(re.findall(r"^(?:\w+file|acl_file) (\S+)$", text, re.MULTILINE))
    assert named
    assert named <= given
    [data] = re.findall(r"^persistence_location (\S+)/$", text, re.MULTILINE)
    assert f"mosquitto-data:{data}" in SERVICES["mosquitto"]["volumes"]
    [port] = re.findall(r"^listener (\d+)$", text, re.MULTILINE)
    assert SERVICES["mosquitto"]["ports"] == [f"{port}:{port}"]
    for bed in station_config().beds:
        for device in bed.devices:
            assert device.url == f"mqtts://localhost:{port}/vitals/{{bed}}/{{device}}"
