"""The `seq2serve` command: one verb each, loaded only when it is called.

Verbs are entry points, so that `seq2serve serve` never imports torch and `seq2serve train` never
imports Ray, and neither half imports the other.
"""

import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points, version

import click

from mt.errors import MTError

_EXTRAS = {"training": "train", "serving": "serve"}  # of pyproject.toml, by package


class Verbs(click.Group):
    """A command group whose commands are the installed entry points."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all verbs."""
        return sorted(_verbs())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one verb; one that lacks a library becomes advice, so that help lists it still."""
        entry = _verbs().get(cmd_name)
        if entry is None:
            return None
        try:
            command = entry.load()
        except ModuleNotFoundError as error:
            if str(error.name).partition(".")[0] in _EXTRAS:  # ours: a broken installation
                raise
            extra = _EXTRAS[entry.module.partition(".")[0]]
            return _advice(cmd_name, f"needs {error.name}: pip install 'seq2serve[{extra}]'")
        if not isinstance(command, click.Command):
            raise TypeError(f"{entry.value} is not a command")
        return command


def _advice(verb: str, advice: str) -> click.Command:
    """A verb that takes anything and only says what it needs."""

    def refuse() -> None:
        raise click.ClickException(f"{verb} {advice}")

    anything = {"ignore_unknown_options": True, "allow_extra_args": True}
    return click.Command(verb, anything, refuse, help=advice, add_help_option=False)


def _verbs() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group="seq2serve.verbs")}


@click.group(
    cls=Verbs,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(version("seq2serve"), prog_name="seq2serve")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """From a parallel corpus to a translator in production."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one verb. What the caller can mend is one line on standard error and exit code 2."""
    try:
        code = cli.main(arguments, prog_name="seq2serve", standalone_mode=False)
    except MTError as error:
        _fail(str(error))
    except click.ClickException as error:
        _fail(error.format_message())
    except click.exceptions.Abort:
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str) -> None:
    sys.stderr.write(f"seq2serve: error: {' '.join(message.split())}\n")
    sys.exit(2)
