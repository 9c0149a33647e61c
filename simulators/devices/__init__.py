"""The device side of each protocol, one file each, named as its driver in `drivers/protocols/`.

Each exports `SIDE`, a subclass of `simulators.device_side.DeviceSide`.
"""
