"""Every image built and run: `make containers`. Needs a docker daemon on Linux, so it is no part of `make test`."""

import sys

# The checkout is on the path here, in which docker/ would pass for the package that kfp.local looks for.
sys.modules.setdefault("docker", None)  # type: ignore[arg-type]
