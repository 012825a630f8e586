"""Publishes an adapter that was promoted."""
