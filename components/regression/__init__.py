"""Asks lm-evaluation-harness what training cost elsewhere: MMLU, GSM8K, HumanEval."""
