"""Code of others that a judgement needs: its classes run in a process with limits, and are asked by JSON lines."""
