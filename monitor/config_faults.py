"""What is wrong with a configuration or a profile, and the words for it.

A fault is where (the keys and positions that lead there) and what; `yaml_file` adds the line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import ValidationError

from drivers.vitals import VITALS

Path_ = tuple[str | int, ...]
Fault = tuple[Path_, str]
"""Where, as the keys and positions that lead there, and what."""


def no_such_vital(name: str) -> str:
    """What is said of a name that no vital has."""
    return f"there is no vital {name!r}; there are: {', '.join(VITALS)}"


def implausible(vital: str, value: float) -> str | None:
    """What is wrong with a number that the vital is to be compared with; None if the vital can be that."""
    about = VITALS[vital]
    lowest, highest = about.plausible
    if lowest <= value <= highest:
        return None
    return f"{value:g} {about.unit_label} is outside what {vital} can be, {lowest:g} to {highest:g}"


def twice(named: Iterable[tuple[Path_, str]], what: str) -> Iterator[Fault]:
    """Each name that another of the same kind (`what`) has before it; `named` has each with where it stands."""
    seen: set[str] = set()
    for where, name in named:
        if name in seen:
            yield where, f"there is already a {what} called {name!r}"
        seen.add(name)


def faults_of(error: ValidationError, prefix: Path_ = ()) -> list[Fault]:
    """What pydantic found, in the project's words; `prefix` leads to the part that it looked at."""
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
