"""What the report and the card call the metrics, what each counts, and which way is better."""

METRIC_TITLES = {
    "accuracy": "Accuracy",
    "exact_match": "Exact match (EM)",
    "invoke_rate": "Invoke rate (IR)",
    "called_share": "Questions with a call",
    "pass_rate": "Pass rate (PR)",
    "answerable_rate": "Answerable rate (AR)",
    "calls_ts": "Tool selection (TS)",
    "calls_pi": "Parameter identification (PI)",
    "calls_cf": "Content filling (CF)",
    "calls_unparsed": "Turns not parsed",
    "calls_no_call": "Turns without a call",
}
METRIC_HINTS = {
    "accuracy": "answers that contain an accepted one, as whole words or as the last number",
    "exact_match": "answers that say an accepted one and nothing else",
    "invoke_rate": "calls in the first turn a question; it can pass 100 %",
    "called_share": "questions with at least one call in any turn",
    "pass_rate": "calls that came back without an error",
    "answerable_rate": "calls whose reply held an accepted answer",
    "calls_ts": "turns that call the right tools",
    "calls_pi": "turns that call the right tools with exactly the right parameters",
    "calls_cf": "turns that call the right tools with the right parameters and values",
    "calls_unparsed": "turns with a call that can't be parsed",
    "calls_no_call": "turns that call nothing though a call was wanted",
}
# More calls are neither good nor bad by themselves.
NEUTRAL = frozenset({"invoke_rate", "called_share"})
LOWER_IS_BETTER = frozenset({"calls_unparsed", "calls_no_call"})
