"""The command group that turns every user's mistake into one line and exit code 2."""

from __future__ import annotations

import os
import sys
from typing import Any, NoReturn

import click

from qgdr_pyserini.errors import QgdrError

BAD_INPUT = 2
INTERRUPTED = 130


class OneLineErrorGroup(click.Group):
    """A Click group whose errors are one line on stderr.

    Exit codes: 0 done, 1 it ran and found a failure, 2 the input or the options are wrong.
    """

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run the command line and leave with its exit code."""
        kwargs["standalone_mode"] = False
        try:
            # Click returns the code given to `ctx.exit()` when it does not leave by itself.
            code = super().main(*args, **kwargs)
        except click.UsageError as error:
            where = error.ctx.command_path if error.ctx else "qgdr"
            _fail(f"{error.format_message()} (see '{where} --help')")
        except click.ClickException as error:
            _fail(error.format_message())
        except QgdrError as error:
            _fail(str(error))
        except (click.Abort, KeyboardInterrupt):
            click.echo("Error: interrupted", err=True)
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            # The reader (`| head`) has seen enough; keep Python from complaining at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)
        except OSError as error:
            # A full disk, a read-only folder, a path through a file.
            place = f"{error.filename}: " if error.filename else ""
            _fail(f"{place}{error.strerror or error}")
        sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str) -> NoReturn:
    click.echo(f"Error: {' '.join(message.split())}", err=True)
    sys.exit(BAD_INPUT)
