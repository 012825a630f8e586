"""A folder with which the official `bfcl` command runs a model: the handler, what it needs of ours, and a guide."""
