"""`python -m pipelines` is `whetstone`."""

from pipelines.cli import main

main()
