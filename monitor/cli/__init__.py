"""The command `infusion-monitor`: one file for each of its commands, `main` puts them together."""
