"""`python -m components.ppo`: the stage from a shell, on artifact folders."""

import sys

from components.policy.training_command import run_training, training_parser


def main(arguments: list[str] | None = None) -> int:
    """Run the stage; 2 when an input can't be used or training ran into a number that is not finite."""
    description = "Improve the policy by PPO on a reward for the errors of its tool calls."
    given = training_parser("ppo", description, "demo_calls").parse_args(arguments)
    # Late, so that --help and a wrong option are answered at once.
    from components.ppo.run import run

    return run_training(given, run)


if __name__ == "__main__":
    sys.exit(main())
