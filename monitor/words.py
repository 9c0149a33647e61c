"""What people read in their own language: gettext catalogues, `locale/{language}/{domain}.po`.

English is what the program is written in: a message that a catalogue does not have stays English. What the station
composes of what happened (alerts, refusals, entries) is recorded as it was told and stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

LANGUAGES: Mapping[str, str] = MappingProxyType({"en": "English", "de": "Deutsch", "fr": "Français", "es": "Español"})
"""Each with its own name."""
LOCALE = Path(__file__).parent / "locale"


@cache
def catalogue(domain: str, language: str) -> Mapping[str, str]:
    """Every message of a domain (`page`, `report`) that is translated into a language of `LANGUAGES`, by its English.

    Raises KeyError for another language.
    """
    from babel.messages.pofile import read_po  # noqa: PLC0415 - a command that shows nothing of it need not load it

    LANGUAGES[language]
    if language == "en":
        return MappingProxyType({})
    with (LOCALE / language / f"{domain}.po").open("rb") as file:
        messages = read_po(file, locale=language, domain=domain)
    return MappingProxyType(
        {str(message.id): str(message.string) for message in messages if message.id and message.string}
    )
