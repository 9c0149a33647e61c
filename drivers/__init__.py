"""Floor 1: from the wire to readings.

The vocabulary (`vitals`, `events`), the codecs (`protocols/`), the transports (`transports/`) and one device's
supervised life (`device`). Nothing in here knows of beds, alerts or storage.
"""
