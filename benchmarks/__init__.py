"""How fast, how late and how heavy the recorder is: one file for each measurement, run by `python -m benchmarks`."""
