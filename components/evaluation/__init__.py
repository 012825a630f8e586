"""Judges a policy on held-out questions, item by item."""
