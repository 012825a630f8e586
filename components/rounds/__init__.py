"""Judges a round of self-training against the rounds before it, and says whether to go on."""
