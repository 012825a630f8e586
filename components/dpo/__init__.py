"""Tunes the policy on preference pairs."""
