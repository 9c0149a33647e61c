"""What raises an alert, and when: `conditions` are the words, `engine` the pure function."""
