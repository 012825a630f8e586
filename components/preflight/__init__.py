"""Looks at endpoints, secrets, data, model and settings before anything costs money."""
