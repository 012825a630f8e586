"""The command line: `whetstone compile | run | evaluate | bfcl-handler | serving | plan | submit | report`."""

import sys

import typer

from components.contracts.errors import InputError
from pipelines.commands.cluster import plan, submit
from pipelines.commands.here import compile_command, report, run
from pipelines.commands.models import bfcl_handler_command, evaluate, serving
from pipelines.local.processes import Interrupted

app = typer.Typer(
    help="Teaches a language model to use tools by its own practice.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("compile")(compile_command)
app.command()(run)
app.command()(evaluate)
app.command("bfcl-handler")(bfcl_handler_command)
app.command()(submit)
app.command()(serving)
app.command()(plan)
app.command()(report)


def main() -> None:
    """The `whetstone` command: errors in one line on stderr, and a non-zero exit."""
    from pipelines.local.run import StageFailure
    from pipelines.submit.submission import NotWaited

    try:
        app()
    except InputError as error:
        sys.exit(_complain(str(error)))
    except StageFailure as failure:
        report = f"\nreport: {failure.report}" if failure.report else ""
        sys.exit(_complain(f"{failure}{report}\nlog: {failure.log}"))
    except NotWaited as stopped:
        _complain(str(stopped))
        sys.exit(stopped.exit_code)
    except KeyboardInterrupt:
        _complain("stopped by SIGINT before anything was started")
        sys.exit(130)
    except Interrupted as interrupted:
        _complain(f"stopped by {interrupted}; everything that was started is stopped")
        sys.exit(128 + interrupted.signal)


def _complain(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    main()
