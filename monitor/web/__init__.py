"""The nurse station's page and the API behind it. Reads the live hub, changes nothing."""
