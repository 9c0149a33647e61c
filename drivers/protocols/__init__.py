"""One file a protocol: its codec, what it may send, what it gives, its documented frames and how sure we are."""
