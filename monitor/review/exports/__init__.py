"""A session in the formats of other programs: a file each, made from the chart and from nothing else."""
