"""What a clinic installs beside the program: containers, units, the broker's and Grafana's files."""
