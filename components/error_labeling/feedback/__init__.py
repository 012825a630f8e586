"""Foreign feedback, which has words but no codes, mapped to the taxonomy: `classifier.classify_feedback`."""
