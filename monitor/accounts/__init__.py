"""Who may do what: local accounts, tokens for machines, and who is logged in."""
