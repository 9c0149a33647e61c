"""Floor 2: monitors and patients that are not there, speaking real devices' bytes on real transports."""
