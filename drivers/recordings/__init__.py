"""Recordings that others made: one file a format, each read into the same columns (`recording`)."""
