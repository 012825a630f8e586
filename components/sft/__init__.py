"""Fine-tunes the policy on labeled traces."""
