"""Profiles in files: those that are shipped, and those of a site.

A site's profile can extend another: its rules are merged into those of the other by name and key by key, a sentence
replaces a rule, and null takes one out. What is merged is whole: it does not change when the other does. A file may
also be nothing but a sentence, or a list of sentences.

A shipped profile cannot be overwritten: its name is refused.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from drivers.errors import ConfigError
from monitor.alerts.profile import ProfileConfig
from monitor.alerts.profile_checks import check_profile
from monitor.alerts.profile_words import deciding, sentence, vital_named
from monitor.config_faults import Fault, Path_, faults_of
from monitor.yaml_file import YamlFile

_FOLDER = Path(__file__).with_name("profiles")
SHIPPED: tuple[str, ...] = tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))
"""The names of the shipped profiles."""
DEFAULT = "adult_infusion"
"""The profile in force where a configuration names none."""

_INSTEAD = {"clears_at": "hysteresis", "hysteresis": "clears_at"}
"""Keys that say the same in two ways: the one in place of an inherited other."""


class _ProfileFile:
    """One file, before what it extends is merged into it."""

    def __init__(self, path: Path) -> None:
        """Read it. Raises `ConfigError`."""
        self.path = path
        self.file = YamlFile(path)
        own = self.file.json()
        if isinstance(own, str | list):
            own = self._of_sentences([own] if isinstance(own, str) else own)
        if not isinstance(own, dict):
            raise ConfigError([f"{path}:1: expected a mapping with `profile:` and `rules:`"])
        self.extends = own.pop("extends", None)
        self.own: dict[str, Any] = own

    @property
    def name(self) -> str:
        """What it calls itself; what it calls itself wrongly is no other file's name."""
        name = self.own.get("profile")
        return name if isinstance(name, str) else str(self.path)

    @property
    def base(self) -> str | None:
        """The name of what it extends; None where that is nothing, or no name."""
        return self.extends if isinstance(self.extends, str) else None

    def _of_sentences(self, said: list[Any]) -> dict[str, Any]:
        rules: dict[str, Any] = {}
        faults: list[Fault] = []
        for index, text in enumerate(said):
            try:
                rules[_rule_name(str(text), rules)] = text
            except PydanticCustomError as error:
                faults.append(((index,), f"{error.message()}; got {text!r}"))
        if faults:
            raise ConfigError(self.file.in_words(faults))
        return {"profile": _as_name(self.path.stem), "rules": rules}

    def whole(self, known: Mapping[str, ProfileConfig], *, may_be_shipped: bool = False) -> ProfileConfig:
        """The profile with what it extends, which has to be `known`. Raises `ConfigError` with every fault."""
        own, faults = dict(self.own), list[Fault]()
        if not may_be_shipped and self.name in SHIPPED:
            faults.append((("profile",), f"{self.name!r} is a shipped profile: give yours another name, and extend it"))
        if self.extends is not None:
            if self.base is None or self.base not in known:
                text = f"there is no profile {self.extends!r} to extend; there are: {', '.join(known)}"
                # Without what it extends nothing more can be said of its rules.
                raise ConfigError(self.file.in_words([*faults, (("extends",), text)]))
            own, more = _merged(known[self.base], own)
            faults += more
        else:
            faults += _taken_out_of_nothing(own)
        try:
            config = ProfileConfig.model_validate_json(json.dumps(own))
        except ValidationError as error:
            known_already = {where for where, _ in faults}
            faults += [fault for fault in map(_plain, faults_of(error)) if fault[0] not in known_already]
        else:
            faults += check_profile(config)
        named = {where for where, _ in faults}
        faults += [fault for fault in self.file.ambiguous_words() if fault[0] not in named]
        if faults:
            raise ConfigError(self.file.in_words(faults))
        return config


def shipped(name: str) -> ProfileConfig:
    """A shipped profile by its name, one of `SHIPPED`."""
    return _shipped()[name]


@functools.cache
def _shipped() -> Mapping[str, ProfileConfig]:
    found: dict[str, ProfileConfig] = {}
    for name in SHIPPED:
        found[name] = _ProfileFile(_FOLDER / f"{name}.yaml").whole(found, may_be_shipped=True)
    return MappingProxyType(found)


def load(path: Path, others: Mapping[str, ProfileConfig] = MappingProxyType({})) -> ProfileConfig:
    """Read and check a profile; it can extend shipped ones and `others`.

    Raises `ConfigError` with every fault as `FILE:LINE: path: text`.
    """
    return _ProfileFile(path).whole({**_shipped(), **others})


def load_all(paths: Iterable[Path]) -> dict[str, ProfileConfig]:
    """The shipped profiles and those of these files, which can extend each other in any order, by name.

    Raises `ConfigError` with every fault of every file.
    """
    found = dict(_shipped())
    faults: list[str] = []
    waiting: dict[str, _ProfileFile] = {}
    for path in paths:
        try:
            file = _ProfileFile(path)
        except ConfigError as error:
            faults += error.faults
            continue
        if file.name in waiting:
            text = f"there is already a profile called {file.name!r}, in {waiting[file.name].path}"
            faults += file.file.in_words([(("profile",), text)])
        else:
            waiting[file.name] = file
    faulty: set[str] = set()
    while ready := [file for file in waiting.values() if file.base not in waiting]:
        for file in ready:
            del waiting[file.name]
            if file.base in faulty:
                # Its own faults cannot be told before those of the other are mended.
                faulty.add(file.name)
                continue
            try:
                whole = file.whole(found)
            except ConfigError as error:
                faults += error.faults
                faulty.add(file.name)
            else:
                found.setdefault(file.name, whole)
    faults += [text for file in waiting.values() for text in _circle(file, waiting)]
    if faults:
        raise ConfigError(faults)
    return found


def _circle(file: _ProfileFile, waiting: Mapping[str, _ProfileFile]) -> list[str]:
    """What is said of a file that extends itself; nothing of one that extends such a file."""
    steps = [file.name]
    while (base := waiting[steps[-1]].base) is not None and base not in steps:
        steps.append(base)
    if base != file.name:
        return []
    text = f"{', which extends '.join([*steps[1:], file.name])}: none of them is the first"
    return file.file.in_words([(("extends",), text if steps[1:] else "a profile cannot extend itself")])


def named_or_file(text: str) -> ProfileConfig:
    """A shipped profile by its name, the profile of a file, or one of a single sentence. Raises `ConfigError`."""
    if text in SHIPPED:
        return shipped(text)
    if not Path(text).exists():
        try:
            rules = {_rule_name(text, {}): text}
        except PydanticCustomError:
            known = ", ".join(SHIPPED)
            raise ConfigError([f"{text}: there is no such file, and no such shipped profile ({known})"]) from None
        config = ProfileConfig.model_validate({"profile": next(iter(rules)), "rules": rules})
        if faults := list(check_profile(config)):
            raise ConfigError([f"{text}: {fault}" for _, fault in faults])
        return config
    return load(Path(text))


def is_profile(path: Path) -> bool:
    """Whether a file is a profile rather than a configuration. Raises `ConfigError` where it cannot be read."""
    root = YamlFile(path).root
    return isinstance(root, str | Sequence) or (isinstance(root, Mapping) and "profile" in root)


def _rule_name(text: str, taken: Mapping[str, object]) -> str:
    said = sentence(text)
    name = f"{vital_named(said['vital'])}_{'low' if 'below' in said else 'high'}"
    numbered = (f"{name}_{number}" for number in range(2, len(taken) + 3))
    return next(free for free in (name, *numbered) if free not in taken)


def _as_name(stem: str) -> str:
    return re.sub(r"[^a-z0-9_-]+", "_", stem.lower()).strip("_-")[:32] or "profile"


def _plain(fault: Fault) -> Fault:
    """Without the steps that are in no file: of which kind a rule is, and that it is a key that is wrong."""
    where, text = fault
    plain: Path_ = tuple(
        step for step in where if not isinstance(step, str) or not re.fullmatch(r"<\w+>|\[key\]", step)
    )
    return plain, text


def _taken_out_of_nothing(own: Mapping[str, Any]) -> list[Fault]:
    rules = own.get("rules")
    return [
        (("rules", name), "null takes out a rule of the profile that is extended, and this one extends none")
        for name, rule in (rules.items() if isinstance(rules, dict) else ())
        if rule is None
    ]


def _merged(base: ProfileConfig, own: Mapping[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
    """What a file says over what it extends. The notice is inherited, the title is not."""
    faults: list[Fault] = []
    before = base.model_dump(mode="json", exclude_defaults=True, exclude={"title"})
    whole = {**before, **own}
    for section in ("devices", "signals"):
        if isinstance(own.get(section), dict):
            whole[section] = {**before.get(section, {}), **own[section]}
    if isinstance(own.get("rules"), dict):
        rules: dict[str, Any] = dict(before.get("rules", {}))
        for name, rule in own["rules"].items():
            if rule is None:
                if rules.pop(name, None) is None:
                    faults.append((("rules", name), f"{base.profile} has no such rule to take out"))
            elif isinstance(rule, dict) and name in rules:
                faults += _other_kind(base.profile, name, rules[name], rule)
                kept = {key: value for key, value in rules[name].items() if _INSTEAD.get(key) not in rule}
                rules[name] = {key: value for key, value in {**kept, **rule}.items() if value is not None}
            else:
                rules[name] = rule
        whole["rules"] = rules
    return whole, faults


def _other_kind(base: str, name: str, before: Mapping[str, Any], rule: Mapping[str, Any]) -> list[Fault]:
    theirs = deciding(before)
    return [
        (
            ("rules", name),
            (
                f"{base} has `{theirs[0]}` there, which `{key}` cannot replace: give this rule another name, "
                "and take that one out with null"
            ),
        )
        for key in deciding(rule)
        if key not in theirs
    ]
