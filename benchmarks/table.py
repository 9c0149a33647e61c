"""What a measurement hands back, and how it is printed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Table:
    """One measurement's figures, with the aim that they are held against."""

    title: str
    aim: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    """The cases that did not reach the aim, in words."""
    notes: list[str] = field(default_factory=list)
    raw: list[dict[str, Any]] = field(default_factory=list)
    """The same figures, unrounded, for `--json`."""

    def text(self) -> str:
        """The table for people."""
        widths = [max(len(cell) for cell in column) for column in zip(self.columns, *self.rows, strict=True)]

        def line(cells: tuple[str, ...]) -> str:
            first, *others = (
                cell.rjust(width) if place else cell.ljust(width)
                for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
            )
            return "  ".join(("  " + first, *others)).rstrip()

        verdict = "missed by " + "; ".join(self.missed) if self.missed else "reached"
        return "\n".join(
            (
                self.title,
                line(self.columns),
                line(tuple("-" * width for width in widths)),
                *map(line, self.rows),
                f"  Aim: {self.aim}: {verdict}.",
                *(f"  {note}" for note in self.notes),
            )
        )


def quantile(ordered: list[float], share: float) -> float:
    """The value of an ordered list that `share` of its values do not exceed."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
