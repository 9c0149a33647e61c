"""What is wrong with a request of a person or a machine, in words for people."""

from __future__ import annotations

from pydantic import ValidationError

from monitor.sessions.steps import Step

_EXPECTED = {
    "reference": "a pseudonym is expected: letters, digits, '.', '_' and '-', without blanks, at most 32",
    "request": "32 digits of 0-9a-f are expected",
    "step": f"one of {', '.join(step for step in Step if step is not Step.CLOSE)} is expected",
}
"""By field: in place of what the library says of patterns and choices."""


def faults(error: ValidationError) -> list[str]:
    """What is wrong with a request, `field: text` each."""
    found = []
    for one in error.errors(include_url=False, include_input=False):
        # The first step of a field's path is the verb.
        field = ".".join(str(step).replace("_", " ") for step in one["loc"][1:])
        text = one["msg"].removeprefix("Value error, ")
        if one["type"] in {"string_pattern_mismatch", "literal_error"}:
            text = _EXPECTED.get(field, text)
        found.append(f"{field}: {text}" if field else text)
    return found
