"""A run on this machine: services, kfp.local over the compiled DAG, what the terminal shows, results, restarts."""
