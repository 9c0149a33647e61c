"""What a report says, in its language, before it is put on paper: the same for PDF and HTML. All of it is text."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple


class Column(NamedTuple):
    """A column of a table."""

    title: str
    share: int = 0
    """Of the width that is left when the others are as wide as what is in them; 0 is one of those others."""
    number: bool = False
    """To be put to the right."""


class Cell(NamedTuple):
    """A cell of a table."""

    text: str
    under: tuple[str, ...] = ()
    """Remarks on it, a line each."""
    struck: bool = False
    """It does not stand any more."""


class Table(NamedTuple):
    """Rows of as many cells as there are columns."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


class Section(NamedTuple):
    """A part of the report after the first page."""

    title: str
    table: Table
    text: tuple[str, ...] = ()
    """Sentences under the title."""


class Document(NamedTuple):
    """The whole report."""

    language: str
    paper: str
    title: str
    facts: tuple[tuple[str, str], ...]
    """Whose chart it is, and of when: what, and its value."""
    state: tuple[str, ...]
    """Whether it is signed, a line each."""
    settled: bool
    """Whether it is signed and nothing was entered since."""
    figure: str
    """SVG."""
    figure_text: str
    """For those who cannot see it."""
    numbers: tuple[tuple[str, str], ...]
    """The numbers of the first page."""
    sections: tuple[Section, ...]
    notes_title: str
    notes: tuple[str, ...]
    boxes: str
    """One more note, the first where some characters are boxes."""
    check: str
    """The command that the last note is about; empty where there is none."""
    footer: tuple[str, str]
    """Its two lines."""
    page: str
    """`{page}` and `{pages}` stand for numbers."""
    none: str
    """In place of a table without rows."""
    dated: datetime
    """UTC."""


def cells(*texts: str | Cell) -> tuple[Cell, ...]:
    """A row."""
    return tuple(text if isinstance(text, Cell) else Cell(text) for text in texts)
