"""Benchmarks: `python -m tests.benchmarks.<name>`; the last line of each is one JSON line."""
