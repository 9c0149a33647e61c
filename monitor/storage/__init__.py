"""What is kept: the journal that the station writes, and the history that everyone else reads."""
