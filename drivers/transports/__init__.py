"""How bytes come: serial, TCP, MQTT, file. `base` says what a transport is, `factory` chooses one by its address."""
