"""Gathers the evaluations of an ablation into one table."""
