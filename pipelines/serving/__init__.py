"""Serving a promoted adapter on a cluster: a KServe InferenceService with vLLM, and what guards it."""
