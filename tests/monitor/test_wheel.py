"""The program as it is installed elsewhere: one wheel, in an environment of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

from monitor.storage.history import History
from tests.services import require

ROOT = Path(__file__).parents[2]
PACKAGES = ("drivers", "monitor", "simulators")
UNREACHABLE = (
    "NewConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ProxyError",
    "name resolution",
    "Max retries exceeded",
)
"""What pip says where it cannot get at the package index. Anything else is the fault of the lock or the wheel."""
PATIENCE = 240


def sources() -> list[Path]:
    """The files of the checkout, relative to it: those of the next commit, and no environment, cache or journal."""
    listed = subprocess.run(
        [require("git"), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources: building writes nothing into the real one."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in sources():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    call(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=checkout)
    (built,) = folder.iterdir()
    return built


def call(*command: str | Path, cwd: Path) -> str:
    """Run a command in an environment that knows nothing of this checkout; what it said on stdout."""
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env=clean(), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def clean() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}}


def test_the_wheel_has_all_that_the_program_reads_and_nothing_else(checkout: Path, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (about,) = {name.split("/")[0] for name in names if ".dist-info/" in name}
        assert archive.read("monitor/default_config.yaml") == (checkout / "config.yaml").read_bytes()
        entries = archive.read(f"{about}/entry_points.txt").decode()
    assert re.search(r"^infusion-monitor = monitor\.cli\.main:main$", entries, re.MULTILINE)
    ours = {
        path.relative_to(checkout).as_posix()
        for package in PACKAGES
        for path in (checkout / package).rglob("*")
        if path.is_file()
    }
    assert {name for name in names if not name.startswith(about)} == ours | {"monitor/default_config.yaml"}
    assert f"{about}/licenses/LICENSE" in names
    # The kinds that are no Python, one of each by name, in case the folders themselves should move.
    for needed in (
        "monitor/web/static/index.html",
        "monitor/storage/schema/0001.sql",
        "monitor/alerts/profiles/adult_infusion.yaml",
    ):
        assert needed in names
    assert any(re.fullmatch(r"simulators/scenarios/\w+\.yaml", name) for name in names)


@pytest.fixture(scope="module")
def installed(checkout: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands of an environment that has the locked requirements and the wheel."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, with_pip=True)
    commands = environment / "bin"
    pip = [commands / "python", "-m", "pip", "--disable-pip-version-check", "--retries", "1", "install", "--quiet"]
    locked = subprocess.run(
        [*map(str, pip), "--require-hashes", "-r", "requirements.lock"],
        cwd=checkout,
        env=clean(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if locked.returncode and any(sign in locked.stderr for sign in UNREACHABLE):
        reason = "pip cannot reach a package index"
        if os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(f"{reason}, and REQUIRE_SERVICES=1 asks for it: {locked.stderr}")
        pytest.skip(reason)
    assert locked.returncode == 0, locked.stderr
    # The lock must have been enough: nothing more is fetched for the wheel.
    call(*pip, "--no-index", wheel, cwd=environment)
    call(commands / "python", "-m", "pip", "check", cwd=environment)
    return commands


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_installed_command_records_and_shows_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    empty, data = tmp_path / "empty", tmp_path / "data"
    empty.mkdir()
    with subprocess.Popen(
        [installed / "infusion-monitor", "run", "--for", "6", "--port", "0", "--data-dir", data],
        cwd=empty,
        env=clean(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as station:
        try:
            assert station.stdout is not None
            line = station.stdout.readline()
            found = re.search(r"http://[\d.]+:\d+", line)
            assert found, line + station.communicate(timeout=PATIENCE)[1]
            page = fetched(found.group())
            assert "<html" in page
            linked = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
            assert linked
            for file in linked:
                assert fetched(found.group() + file)
            rest, said = station.communicate(timeout=PATIENCE)
        finally:
            station.kill()
    assert station.returncode == 0, said
    assert rest == ""
    assert "Traceback" not in said
    assert {row.bed for row in History(data).readings()} == {"chair-1", "chair-2"}
    assert not list(empty.iterdir())


def fetched(address: str) -> str:
    with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
        body: bytes = answer.read()
        return body.decode()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_installed_commands_need_no_checkout(installed: Path, tmp_path: Path) -> None:
    program = installed / "infusion-monitor"
    assert "run" in call(program, "--help", cwd=tmp_path)
    for driver in ("nonin", "dinamap", "ivy450c", "mqtt_json"):
        assert driver in call(program, "drivers", cwd=tmp_path)
    where = call(installed / "python", "-c", "import monitor; print(monitor.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent)
