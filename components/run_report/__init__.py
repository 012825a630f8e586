"""Says how a run ended and what to do next, when it failed as well."""
