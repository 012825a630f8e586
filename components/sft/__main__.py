"""`python -m components.sft`: the stage from a shell, on artifact folders."""

import sys

from components.policy.training_command import run_training, training_parser


def main(arguments: list[str] | None = None) -> int:
    """Run the stage; 2 when an input can't be used or training ran into a number that is not finite."""
    description = "Fine-tune the policy on labeled traces; what is masked carries no loss."
    given = training_parser("sft", description, "demo", optional=True).parse_args(arguments)
    # Late, so that --help and a wrong option are answered at once.
    from components.sft.run import run

    return run_training(given, run, given.overrides, given.method)


if __name__ == "__main__":
    sys.exit(main())
