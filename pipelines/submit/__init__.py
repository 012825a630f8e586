"""Submitting a compiled pipeline to Kubeflow Pipelines: what is sent, what it would be, and what comes of it."""
