"""Labels every assistant turn with its error and chooses what to train on."""
