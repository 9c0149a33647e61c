"""Reading a YAML file: every fault with its file, line and path.

YAML is read as 1.2, where `no` and `12:30` are text. Other readers take the same words for false and 750, so plain
ones are refused: who means text puts it in quotes. Of YAML only what JSON has too is taken: `_faults_of_form` names
the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.scalarstring import ScalarString

from drivers.errors import ConfigError
from monitor.config_faults import Fault, Path_

_AMBIGUOUS = re.compile(r"(?i:yes|no|on|off)|[-+]?\d+(:[0-5]?\d)+")
"""Not `y` and `n`: YAML 1.1 has them too, but its common readers take them for text, and `N` is a line's parity."""

_PLAIN = "tag:yaml.org,2002:"
_NUMBERS = (f"{_PLAIN}int", f"{_PLAIN}float")
_MOST_NODES = 100_000
"""A station of a thousand devices has a third of that; aliases of aliases can have more than any memory holds."""
_DEEPEST = 30
"""Levels; a configuration needs nine."""
_TOO_MUCH = "nested too deeply, or too large with its aliases filled in"
_LONGEST_INTEGER = 30
"""Digits; 64 bits need twenty. Python refuses to convert those of thousands of digits."""


class YamlFile:
    """What a file says, and where."""

    def __init__(self, path: Path) -> None:
        """Read it. Raises `ConfigError` where it cannot be read, or has a form that no value here has."""
        self.path = path
        self.root = _read(path)
        """What the reader made of it: a mapping, a list, a word, or None where it is empty."""

    def json(self) -> Any:
        """The same as JSON has it: with it a strict check still takes lists for tuples and words for enumerations."""
        return json.loads(json.dumps(self.root))

    def ambiguous_words(self) -> Iterator[Fault]:
        """Words that other readers of YAML take for something else."""
        return _ambiguous_words(self.root, ())

    def in_words(self, faults: Iterable[Fault]) -> list[str]:
        """Each fault as `FILE:LINE: path: text`, in the order of the file."""
        return _in_words(self.path, ((self._line(where), where, text) for where, text in faults))

    def _line(self, where: Path_) -> int:
        """The line, from 1, of the deepest node on the path that the file has."""
        node: Any = self.root
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


def _read(path: Path) -> Any:
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
            raise ConfigError(_in_words(path, faults))
        return _yaml().load(text)
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


def _yaml() -> YAML:
    yaml = YAML(typ="rt", pure=True)
    yaml.preserve_quotes = True
    return yaml


def _in_one_line(what: object) -> str:
    return " ".join(str(what).split())


def _in_words(path: Path, faults: Iterable[tuple[int, Path_, str]]) -> list[str]:
    lines = sorted((line, f"{_dotted(where)}: {text}" if where else text) for line, where, text in faults)
    return [f"{path}:{line}: {text}" for line, text in lines]


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
    return _problem_of_number(node) if node.tag in _NUMBERS else _problem_of_text(node)


def _problem_of_number(node: ScalarNode) -> str | None:
    if node.tag == f"{_PLAIN}int" and len(node.value) > _LONGEST_INTEGER:
        return f"a number of {len(node.value)} digits is too long"
    if node.value.startswith("+"):
        # A profile has "+15" for 15 above the baseline; the number 15 would be a quite different limit.
        return f'{node.value} is the same as {node.value[1:]}; write that, or "{node.value}" for so much more'
    return None


def _problem_of_text(node: ScalarNode) -> str | None:
    if "\0" in node.value or any("\ud800" <= character <= "\udfff" for character in node.value):
        return f"{node.value!a} has a character that no text can have"
    return None


def _no_tag(node: Node) -> str:
    return f"the tag {str(node.tag).replace(_PLAIN, '!!')} is not known here; write the value without it"


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


def _dotted(where: Path_) -> str:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in where)
    return path.lstrip(".")
