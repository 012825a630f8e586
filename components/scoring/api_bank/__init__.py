"""API-Bank's calls, executed by a checkout's own classes: `execution.ApiBank`."""
