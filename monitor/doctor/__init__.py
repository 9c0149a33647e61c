"""What is wrong with this station, or could be soon, and what to do about it: `infusion-monitor doctor`."""
