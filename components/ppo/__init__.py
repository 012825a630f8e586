"""Improves the policy with PPO on a reward for the errors of its tool calls (TL-Training)."""
