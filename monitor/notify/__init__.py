"""How the clinic's own systems are told what happens at the station, each way one file."""
