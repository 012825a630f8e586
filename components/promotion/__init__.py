"""Compares two evaluations, decides whether the adapter is better, and publishes it if so."""
