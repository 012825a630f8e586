"""BFCL's single-turn checker and its tables: `judge.judge_bfcl`, `scores.bfcl_scores`, `reference.BfclReference`."""
