"""Judging one model here, without a pipeline."""
