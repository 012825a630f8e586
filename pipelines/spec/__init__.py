"""What a compiled pipeline says: a strict check of it, its executors, the pods and cache keys of a run."""
