"""`python -m monitor` is the command `infusion-monitor`."""

from monitor.cli.main import main

main()
