"""The scales of scores that every site has; `sessions.scales` of a configuration adds a site's own.

A score is written down with its scale's version, because scales of one name differ: MOAA/S is also counted from 1
to 6, CADSS also has 19 or 28 items.

Sources. MOAA/S: the responsiveness part of Chernik et al., J Clin Psychopharmacol 1990;10:244, with trapezius squeeze.
Modified Aldrete: Aldrete, J Clin Anesth 1995;7:89, where SpO2 took the place of colour. CADSS: Bremner et al., J Trauma
Stress 1998;11:125; its 23 self-reported items are what the trials of ketamine and esketamine use. The other three are
plain numeric ratings from 0 to 10; of them the one of dissociation is no validated scale.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """What a score is a score of: a whole number from `lowest` to `highest`."""

    id: str
    title: str
    """What people call it."""
    version: str
    """Which of the scales of that name."""
    lowest: int
    highest: int
    help: str = ""
    """What its ends mean, in one line for people."""


_SHIPPED = (
    Scale(
        "moaas",
        "MOAA/S",
        "0-5, with trapezius squeeze (after Chernik 1990)",
        0,
        5,
        "5: responds readily to the name in a normal tone; 0: no response to a painful trapezius squeeze",
    ),
    Scale(
        "aldrete",
        "Modified Aldrete",
        "0-10, with SpO₂ (Aldrete 1995)",
        0,
        10,
        "Activity, respiration, circulation, consciousness and SpO₂, 0 to 2 each; 10: recovered in all five",
    ),
    Scale(
        "cadss",
        "CADSS",
        "23 self-reported items, 0-92 (Bremner 1998)",
        0,
        92,
        "23 items of 0 (not at all) to 4 (extremely) each; 0: no dissociation, 92: the most",
    ),
    Scale(
        "dissociation",
        "Dissociation",
        "numeric rating 0-10, not a validated scale",
        0,
        10,
        "The patient's own rating, not a validated scale; 0: none, 10: the strongest imaginable",
    ),
    Scale("nausea", "Nausea", "numeric rating 0-10", 0, 10, "0: none, 10: the worst imaginable"),
    Scale("pain", "Pain", "numeric rating 0-10", 0, 10, "0: none, 10: the worst imaginable"),
)

SCALES: dict[str, Scale] = {scale.id: scale for scale in _SHIPPED}
"""Every shipped scale by its id, in the order in which people are offered them."""
