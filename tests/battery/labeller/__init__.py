"""How well foreign feedback is labelled from its text alone (`python -m tests.battery.labeller`)."""
