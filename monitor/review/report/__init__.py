"""The chart of a session on paper: what it says, as PDF and as HTML."""
