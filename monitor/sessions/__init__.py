"""The infusion session: one visit, as the steps and chart entries that people made of it."""
