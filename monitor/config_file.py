"""Reading a configuration file: every fault with its file, line and path.

YAML is read as 1.2, where `no` and `12:30` are text. Other readers take the same words for false and 750, so plain
ones are refused: who means text puts it in quotes. Of YAML only what JSON has too is taken: `_faults_of_form` names
the rest.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.scalarstring import ScalarString

from drivers import registry
from drivers.codec import Driver
from drivers.errors import ConfigError, UnknownDriver
from drivers.transports.factory import transport_kind
from drivers.vitals import VITALS
from monitor.config import SIMULATED, BedConfig, DeviceConfig, LimitConfig, MqttConfig, StationConfig, VitalLimits

Path_ = tuple[str | int, ...]
Fault = tuple[Path_, str]
"""Where, as the keys and positions that lead there, and what."""

_AMBIGUOUS = re.compile(r"(?i:yes|no|on|off)|[-+]?\d+(:[0-5]?\d)+")
"""Not `y` and `n`: YAML 1.1 has them too, but its common readers take them for text, and `N` is a line's parity."""

_PLAIN = "tag:yaml.org,2002:"
_MOST_NODES = 100_000
"""A station of a thousand devices has a third of that; aliases of aliases can have more than any memory holds."""
_DEEPEST = 30
"""Levels; a configuration needs nine."""
_TOO_MUCH = "nested too deeply, or too large with its aliases filled in"
_LONGEST_INTEGER = 30
"""Digits; 64 bits need twenty. Python refuses to convert those of thousands of digits."""


def default_path() -> Path:
    """The shipped configuration: inside the installed package, or beside it in a checkout."""
    installed = Path(__file__).with_name("default_config.yaml")
    return installed if installed.exists() else Path(__file__).parents[1] / "config.yaml"


def load(path: Path, *more: Callable[[StationConfig], Iterable[Fault]], here: bool = True) -> StationConfig:
    """Read and check a configuration. Raises `ConfigError` with every fault as `FILE:LINE: path: text`.

    `more` are checks of those who know more than this floor: of the command line, which knows the scenarios. With
    `here` false, the broker's password and files need not be on this machine: for those who connect to nothing.
    """
    document = _read(path)
    faults: list[Fault] = []
    config = None
    try:
        # As JSON: the strict mode then still takes lists for tuples and words for enumerations.
        config = StationConfig.model_validate_json(json.dumps(document))
    except ValidationError as error:
        faults += _faults(error)
    else:
        for check in (_cross_check, *((_check_broker_files,) if here else ()), *more):
            faults += check(config)
    known = {where for where, _ in faults}
    faults += [fault for fault in _ambiguous_words(document, ()) if fault[0] not in known]
    if faults or config is None:
        raise _error(path, [(_line(document, where), where, text) for where, text in faults])
    return config


def _read(path: Path) -> CommentedMap:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{path}:{line}: not text in UTF-8: {error.reason}"]) from error
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}"]) from error
    try:
        # Twice: the nodes have what the values have lost (tags, lines of keys) or could not be made of.
        root = _yaml().compose(text)
        if faults := list(_faults_of_form(root) if root else ()):
            raise _error(path, faults)
        document = _yaml().load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError([f"{path}:{line}: {_in_one_line(error.problem or error.context or error)}"]) from error
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError([f"{path}:{line}: not readable as YAML: {_in_one_line(error)}"]) from error
    except YAMLError as error:
        raise ConfigError([f"{path}: not readable as YAML: {_in_one_line(error)}"]) from error
    except RecursionError as error:
        raise ConfigError([f"{path}: nested too deeply"]) from error
    if not isinstance(document, CommentedMap):
        raise ConfigError([f"{path}:1: expected a mapping with at least `beds:`"])
    return document


def _yaml() -> YAML:
    yaml = YAML(typ="rt", pure=True)
    yaml.preserve_quotes = True
    return yaml


def _in_one_line(what: object) -> str:
    return " ".join(str(what).split())


def _error(path: Path, faults: list[tuple[int, Path_, str]]) -> ConfigError:
    lines = sorted((line, f"{_dotted(where)}: {text}" if where else text) for line, where, text in faults)
    return ConfigError([f"{path}:{line}: {text}" for line, text in lines])


def _faults_of_form(root: Node) -> Iterator[tuple[int, Path_, str]]:
    """What stands there in a form that no value of a configuration has: line, path and text."""
    resolver = _yaml().resolver
    for count, (where, node, is_key) in enumerate(_nodes(root, ())):
        line = node.start_mark.line + 1
        if count == _MOST_NODES or len(where) > _DEEPEST:
            yield line, where[:_DEEPEST], _TOO_MUCH
            return
        if is_key and not isinstance(node, ScalarNode):
            yield line, where, "a key is one word, not a list or a mapping"
        elif problem := _problem_of_form(node, resolver):
            yield line, where, problem


def _nodes(node: Node, where: Path_) -> Iterator[tuple[Path_, Node, bool]]:
    """Every node with its path, and whether it is a key; a key has the path of its mapping."""
    yield where, node, False
    if isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            yield from _nodes(item, (*where, index))
    elif isinstance(node, MappingNode):
        for key, value in node.value:
            yield where, key, True
            if isinstance(key, ScalarNode):
                yield from _nodes(value, (*where, key.value))


def _problem_of_form(node: Node, resolver: Any) -> str | None:
    if not isinstance(node, ScalarNode):
        plain = "seq" if isinstance(node, SequenceNode) else "map"
        return None if node.tag == _PLAIN + plain else _no_tag(node)
    if node.tag == f"{_PLAIN}timestamp":
        return _ambiguous(node.value)
    if node.tag not in (f"{_PLAIN}str", resolver.resolve(ScalarNode, node.value, (True, False))):
        return _no_tag(node)
    if node.tag == f"{_PLAIN}int" and len(node.value) > _LONGEST_INTEGER:
        return f"a number of {len(node.value)} digits is too long"
    if "\0" in node.value or any("\ud800" <= character <= "\udfff" for character in node.value):
        return f"{node.value!a} has a character that no text can have"
    return None


def _no_tag(node: Node) -> str:
    return f"the tag {str(node.tag).replace(_PLAIN, '!!')} is not known here; write the value without it"


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
        yield from _check_limits(vital, sides, ("alerts", "limits", vital))
    if config.mqtt.password_env is not None and config.mqtt.password_file is not None:
        yield ("mqtt", "password_file"), "give the password by password_env or by password_file, not both"


def _check_limits(vital: str, sides: VitalLimits, where: Path_) -> Iterator[Fault]:
    if vital not in VITALS:
        yield where, f"there is no vital {vital!r}; there are: {', '.join(VITALS)}"
        return
    low, high = sides.low, sides.high
    if low is not None and high is not None and low.limit >= high.limit:
        yield (*where, "low", "limit"), f"low limit {low.limit:g} is not below high limit {high.limit:g}"
        return
    lowest, highest = VITALS[vital].plausible
    if low is not None:
        clears_at = low.limit + low.hysteresis
        yield from _check_limit(vital, low, (*where, "low"), clears_at, lowest, high.limit if high else highest)
    if high is not None:
        clears_at = high.limit - high.hysteresis
        yield from _check_limit(vital, high, (*where, "high"), clears_at, low.limit if low else lowest, highest)


def _check_limit(
    vital: str, one: LimitConfig, where: Path_, clears_at: float, lowest: float, highest: float
) -> Iterator[Fault]:
    """`lowest` to `highest` is where the alert can go off; the limit itself need only be plausible."""
    about = VITALS[vital]
    if not about.plausible[0] <= one.limit <= about.plausible[1]:
        plausible = "{:g} to {:g}".format(*about.plausible)
        yield (*where, "limit"), f"{one.limit:g} {about.unit_label} is outside what {vital} can be, {plausible}"
    elif not lowest <= clears_at <= highest:
        yield (
            (*where, "hysteresis"),
            f"the alert would go off only at {clears_at:g} {about.unit_label}, outside {lowest:g} to {highest:g}",
        )


def _check_broker_files(config: StationConfig) -> Iterator[Fault]:
    """What the configuration names on this machine for the broker and is not there."""
    variable = config.mqtt.password_env
    if variable is not None and variable not in os.environ:
        yield ("mqtt", "password_env"), f"the environment has no variable {variable}"
    for key in MqttConfig.FILES:
        name = getattr(config.mqtt, key)
        if name is not None and (problem := _unreadable(Path(name))):
            yield ("mqtt", key), f"{name}: {problem}"


def _unreadable(file: Path) -> str | None:
    try:
        file.open("rb").close()
    except OSError as error:
        return error.strerror
    return None


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
    if address != address.strip():
        return f"{address!r} is blank, or has a blank at an end"
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
        yield where, _ambiguous(node)


def _ambiguous(word: str) -> str:
    return f'{word} means different things to different readers of YAML; write "{word}", or true or false'


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
