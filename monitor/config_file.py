"""Reading a configuration file: every fault with its file, line and path.

YAML is read as 1.2, where `no` and `12:30` are text. Other readers take the same words for false and 750, so plain
ones are refused: who means text puts it in quotes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarstring import ScalarString

from drivers import registry
from drivers.codec import Driver
from drivers.errors import ConfigError, UnknownDriver
from drivers.transports.factory import transport_kind
from drivers.vitals import VITALS
from monitor.config import SIMULATED, BedConfig, DeviceConfig, StationConfig

Path_ = tuple[str | int, ...]
Fault = tuple[Path_, str]
"""Where, as the keys and positions that lead there, and what."""

_AMBIGUOUS = re.compile(r"(?i:y|n|yes|no|on|off)|[-+]?\d+(:[0-5]?\d)+")


def default_path() -> Path:
    """The shipped configuration: inside the installed package, or beside it in a checkout."""
    installed = Path(__file__).with_name("default_config.yaml")
    return installed if installed.exists() else Path(__file__).parents[1] / "config.yaml"


def load(path: Path, *more: Callable[[StationConfig], Iterable[Fault]]) -> StationConfig:
    """Read and check a configuration. Raises `ConfigError` with every fault as `FILE:LINE: path: text`.

    `more` are checks of those who know more than this floor: of the command line, which knows the scenarios.
    """
    try:
        tree = YAML(typ="rt", pure=True)
        tree.preserve_quotes = True
        document = tree.load(path.read_text(encoding="utf-8"))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = " ".join(str(error.problem or error.context or error).split())
        raise ConfigError([f"{path}:{line}: {problem}"]) from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}:1: not readable as YAML: {error}"]) from error
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}"]) from error
    if not isinstance(document, CommentedMap):
        raise ConfigError([f"{path}:1: expected a mapping with at least `beds:`"])
    faults: list[Fault] = []
    config = None
    try:
        # As JSON: the strict mode then still takes lists for tuples and words for enumerations.
        config = StationConfig.model_validate_json(json.dumps(document, default=str))
    except ValidationError as error:
        faults += _faults(error)
    else:
        for check in (_cross_check, *more):
            faults += check(config)
    known = {where for where, _ in faults}
    faults += [fault for fault in _ambiguous_words(document, ()) if fault[0] not in known]
    if faults or config is None:
        lines = sorted((_line(document, where), f"{_dotted(where)}: {text}") for where, text in faults)
        raise ConfigError([f"{path}:{line}: {text}" for line, text in lines])
    return config


def _faults(error: ValidationError, prefix: Path_ = ()) -> list[Fault]:
    faults = []
    errors = error.errors(include_url=False)
    for one in errors:
        text = one["msg"][0].lower() + one["msg"][1:]
        if one["type"] == "extra_forbidden":
            text = "unknown key"
        elif one["type"] == "missing":
            text = "is missing"
        elif one["type"] == "too_short" and isinstance(one["input"], list):
            # pydantic counts only the items without a fault: where it names one, the list itself is not to blame.
            if any(other["loc"][: len(one["loc"])] == one["loc"] for other in errors if other is not one):
                continue
            text = "at least one is needed"
        elif not isinstance(one["input"], dict | list):
            text += f"; got {one['input']!r}"
        faults.append(((*prefix, *one["loc"]), text))
    return faults


def _cross_check(config: StationConfig) -> Iterator[Fault]:
    """What no single key can be blamed for: names used twice, limits crossed, things that do not fit together."""
    yield from _twice([bed.id for bed in config.beds], ("beds",), "id", "bed")
    yield from _twice([bed.title for bed in config.beds], ("beds",), "label", "bed")
    ports: dict[str, str] = {}
    for b, bed in enumerate(config.beds):
        where: Path_ = ("beds", b, "devices")
        yield from _twice([device.id for device in bed.devices], where, "id", "device of this bed")
        givers: dict[str, str] = {}
        for d, device in enumerate(bed.devices):
            yield from _check_device(bed, device, (*where, d), givers)
            address = device.address(bed.id)
            if address != SIMULATED and address in ports:
                yield (*where, d, "url"), f"{address} is already the address of {ports[address]}"
            ports[address] = f"{bed.id}/{device.id}"
    for vital, sides in config.alerts.limits.items():
        at: Path_ = ("alerts", "limits", vital)
        if vital not in VITALS:
            yield at, f"there is no vital {vital!r}; there are: {', '.join(VITALS)}"
        elif sides.low is not None and sides.high is not None and sides.low.limit >= sides.high.limit:
            yield (*at, "low", "limit"), f"low limit {sides.low.limit:g} is not below high limit {sides.high.limit:g}"
    if config.mqtt.password_env and config.mqtt.password_file:
        yield ("mqtt", "password_file"), "give the password by password_env or by password_file, not both"


def _check_device(bed: BedConfig, device: DeviceConfig, where: Path_, givers: dict[str, str]) -> Iterator[Fault]:
    try:
        driver = registry.find(device.driver)
    except UnknownDriver as error:
        yield (*where, "driver"), str(error)
        return
    try:
        driver.options.model_validate(device.options)
    except ValidationError as error:
        yield from _faults(error, (*where, "options"))
    if device.url != SIMULATED and (problem := _address_problem(device.address(bed.id), driver)):
        yield (*where, "url"), problem
    for vital in device.vitals or ():
        if vital not in driver.vitals:
            yield (*where, "vitals"), f"the driver {driver.name} gives no {vital!r}, but {', '.join(driver.vitals)}"
    for vital in device.vitals_given(driver):
        if vital in givers:
            yield (
                where,
                (
                    f"{vital} would come from {givers[vital]} and from {device.id}: "
                    "give one of the two a `vitals:` list without it"
                ),
            )
        givers.setdefault(vital, device.id)


def _address_problem(address: str, driver: Driver) -> str | None:
    try:
        kind = transport_kind(address)
    except ValueError as error:
        return str(error)
    if kind not in driver.transports:
        return f"the driver {driver.name} does not work over {kind}, but over {', '.join(driver.transports)}"
    return None


def _twice(names: list[str], where: Path_, key: str, what: str) -> Iterator[Fault]:
    for index, name in enumerate(names):
        if name in names[:index]:
            yield (*where, index, key), f"there is already a {what} called {name!r}"


def _ambiguous_words(node: Any, where: Path_) -> Iterator[Fault]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _ambiguous_words(value, (*where, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _ambiguous_words(value, (*where, index))
    elif isinstance(node, str) and not isinstance(node, ScalarString) and _AMBIGUOUS.fullmatch(node):
        yield where, f'{node} means different things to different readers of YAML; write "{node}", or true or false'


def _line(document: CommentedMap, where: Path_) -> int:
    """The line, from 1, of the deepest node on the path that the file has."""
    node: Any = document
    line = 0
    for step in where:
        try:
            if isinstance(node, CommentedMap):
                line = node.lc.key(step)[0]
            elif isinstance(node, CommentedSeq):
                line = node.lc.item(step)[0]
            else:
                break
            node = node[step]
        except (KeyError, IndexError, TypeError):
            break
    return line + 1


def _dotted(where: Path_) -> str:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in where)
    return path.lstrip(".")
