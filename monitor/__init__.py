"""Floor 3: the application. Beds, alerts, the journal, the nurse station and the command line.

`station` is the one place where a reader sees the whole flow.
"""

__version__ = "0.1.0"
