"""What remains of a session: the chart that is reviewed and signed, its report and its exports."""
