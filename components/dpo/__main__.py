"""`python -m components.dpo`: the stage from a shell, on artifact folders."""

import sys

from components.policy.training_command import run_training, training_parser


def main(arguments: list[str] | None = None) -> int:
    """Run the stage; 2 when an input can't be used or training ran into a number that is not finite."""
    description = "Tune the policy to prefer the chosen side of each pair."
    data = ("pairs", "preference_pairs/1")
    given = training_parser("dpo", description, "demo", data=data, optional=True).parse_args(arguments)
    # Late, so that --help and a wrong option are answered at once.
    from components.dpo.run import run

    return run_training(given, run, given.overrides, given.method)


if __name__ == "__main__":
    sys.exit(main())
