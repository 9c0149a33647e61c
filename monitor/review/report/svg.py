"""Pieces of SVG as text: paths of marks, lines, words. Lengths are in the drawing's unit, a quarter of a millimetre.

Many marks of one kind are one path: a day has thousands of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape

Mark = Callable[[float, float], str]
"""Path data of a mark at a point."""
HATCH = "url(#hatch)"
DEFINITIONS = (
    '<defs><pattern id="hatch" width="3" height="3" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<path d="M0 0V3" stroke="#444" stroke-width="1.1"/></pattern></defs>'
)


def n(number: float) -> str:
    """A length, to a hundredth of the unit."""
    return f"{number:.2f}".rstrip("0").rstrip(".")


def path(data: str, **style: str | float) -> str:
    """A path; nothing for one without data."""
    return f'<path d="{data}"{_attributes(style)}/>' if data else ""


def marks(mark: Mark, points: Iterable[tuple[float, float]], **style: str | float) -> str:
    """The same mark at each point, as one path."""
    return path("".join(mark(x, y) for x, y in points), **style)


def line(x1: float, y1: float, x2: float, y2: float, **style: str | float) -> str:
    """A straight line."""
    return path(f"M{n(x1)} {n(y1)}L{n(x2)} {n(y2)}", **style)


def box(x: float, y: float, width: float, height: float, **style: str | float) -> str:
    """A rectangle."""
    return (
        f'<rect x="{n(x)}" y="{n(y)}" width="{n(max(0.0, width))}" height="{n(max(0.0, height))}"{_attributes(style)}/>'
    )


def words(x: float, y: float, text: str, size: float = 9, **style: str | float) -> str:
    """Text whose base line begins there; `text_anchor` says otherwise."""
    return f'<text x="{n(x)}" y="{n(y)}" font-size="{n(size)}"{_attributes(style)}>{escape(text)}</text>'


def moved(part: str, down: float) -> str:
    """The same, so much lower."""
    return f'<g transform="translate(0 {n(down)})">{part}</g>'


def width_of(text: str, size: float) -> float:
    """About how wide a text becomes: a little more than it does, so that nothing runs into another."""
    return 0.52 * size * len(text)


def dot(x: float, y: float, radius: float = 1.5) -> str:
    """A disc or, without a filling, a ring."""
    r, d = n(radius), n(2 * radius)
    return f"M{n(x - radius)} {n(y)}a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0 -{d} 0z"


def ring(x: float, y: float) -> str:
    """So wide that a disc at the same place is seen in it."""
    return dot(x, y, 2.3)


def diamond(x: float, y: float) -> str:
    """A square on its corner."""
    return f"M{n(x)} {n(y - 2.4)}l2 2.4l-2 2.4l-2 -2.4z"


def cross(x: float, y: float) -> str:
    """Two strokes."""
    return f"M{n(x - 1.6)} {n(y - 1.6)}l3.2 3.2m0 -3.2l-3.2 3.2"


def apex_down(x: float, y: float) -> str:
    """A systolic: its point is at the value."""
    return f"M{n(x - 3)} {n(y - 5)}L{n(x)} {n(y)}L{n(x + 3)} {n(y - 5)}"


def apex_up(x: float, y: float) -> str:
    """A diastolic: its point is at the value."""
    return f"M{n(x - 3)} {n(y + 5)}L{n(x)} {n(y)}L{n(x + 3)} {n(y + 5)}"


def small_apex_down(x: float, y: float) -> str:
    """As `apex_down`, where there are many."""
    return f"M{n(x - 1.7)} {n(y - 2.6)}L{n(x)} {n(y)}L{n(x + 1.7)} {n(y - 2.6)}"


def small_apex_up(x: float, y: float) -> str:
    """As `apex_up`, where there are many."""
    return f"M{n(x - 1.7)} {n(y + 2.6)}L{n(x)} {n(y)}L{n(x + 1.7)} {n(y + 2.6)}"


def dash(x: float, y: float) -> str:
    """A mean."""
    return f"M{n(x - 2)} {n(y)}h4"


def closed(mark: Mark) -> Mark:
    """A mark whose ends are joined."""
    return lambda x, y: f"{mark(x, y)}z"


def _attributes(style: dict[str, str | float]) -> str:
    return "".join(
        f' {name.replace("_", "-")}="{n(value) if isinstance(value, (int, float)) else escape(value)}"'
        for name, value in style.items()
    )
