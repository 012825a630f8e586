"""Turns users' files into a question set with a fixed split."""
