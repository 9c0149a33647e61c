"""Where the journal is forwarded to, each sink one file, fed by one forwarder."""
