"""Reading a configuration file and the profiles that it names: every fault with its file, line and path."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError

from drivers.errors import ConfigError
from monitor.config import StationConfig
from monitor.config_checks import check_secrets, cross_check, unreadable
from monitor.config_checks_sessions import check_sessions
from monitor.config_checks_web import check_web, check_web_here
from monitor.config_faults import Fault, faults_of
from monitor.notify.checks import check_notify, check_notify_secrets
from monitor.yaml_file import YamlFile


def default_path() -> Path:
    """The shipped configuration: inside the installed package, or beside it in a checkout."""
    installed = Path(__file__).with_name("default_config.yaml")
    return installed if installed.exists() else Path(__file__).parents[1] / "config.yaml"


def load(path: Path, *more: Callable[[StationConfig], Iterable[Fault]], here: bool = True) -> StationConfig:
    """Read and check a configuration. Raises `ConfigError` with every fault as `FILE:LINE: path: text`.

    `more` are checks of those who know more than this floor: of the command line, which knows the scenarios. With
    `here` false, the broker's password and files need not be on this machine: for those who connect to nothing.
    """
    file = YamlFile(path)
    document = file.json()
    if not isinstance(document, dict):
        raise ConfigError([f"{path}:1: expected a mapping with at least `beds:`"])
    faults: list[Fault] = []
    of_profiles: list[str] = []
    config = None
    try:
        config = StationConfig.model_validate_json(json.dumps(document))
    except ValidationError as error:
        faults += faults_of(error)
    else:
        secrets = (check_secrets, check_notify_secrets, check_web_here) if here else ()
        for check in (cross_check, check_sessions, check_notify, check_web, *secrets, *more):
            faults += check(config)
        missing = list(_missing_profiles(config, path.parent))
        faults += missing
        if not missing:
            try:
                config.alerts.read_from(path.parent)
            except ConfigError as error:
                of_profiles = error.faults
            else:
                faults += _check_profile_in_force(config)
    known = {where for where, _ in faults}
    faults += [fault for fault in file.ambiguous_words() if fault[0] not in known]
    if faults or of_profiles or config is None:
        raise ConfigError(file.in_words(faults) + of_profiles)
    return config


def _missing_profiles(config: StationConfig, folder: Path) -> Iterator[Fault]:
    for index, name in enumerate(config.alerts.profiles):
        if problem := unreadable(folder / name):
            yield ("alerts", "profiles", index), f"{name}: {problem}"


def _check_profile_in_force(config: StationConfig) -> Iterator[Fault]:
    known = config.alerts.all
    if config.alerts.profile not in known:
        yield (
            ("alerts", "profile"),
            f"there is no profile {config.alerts.profile!r}; there are: {', '.join(known)}",
        )
