"""Searches the answers to hard questions as trees of steps, and pairs the best and worst next step (iTool, 4.3)."""
