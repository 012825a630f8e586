"""What stops a training before a number that is not finite gets into the weights."""


class NonFiniteError(RuntimeError):
    """A loss, gradient or reward was NaN or infinite; raised before the optimizer step is taken."""
