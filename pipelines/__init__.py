"""The pipelines, and the command line that compiles, runs and submits them."""
