"""What needs a gold to be known: answers, tool use, verdicts on calls, and intervals. No torch."""
