"""What verbs share: flags as options, files that flags name, and how a stop is told."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mt.errors import ConfigError
from mt.search_options import SearchOptions
from mt.writing import writing

if TYPE_CHECKING:
    from training.export.shortlist import ShortlistPlan

INTERRUPTED = 130  # what shells report after Ctrl-C


@contextmanager
def resumable(folder: Path) -> Iterator[None]:
    """Work that a signal may stop, and the same command continues: says so, and exits with 130."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"stopped; what was done is saved in {folder}; the same command continues")
        click.get_current_context().exit(INTERRUPTED)


def shortlist_plan(wanted: bool, **sizes: int | None) -> "ShortlistPlan | None":
    """The plan of a shortlist from flags, where one is wanted.

    Raises:
        ConfigError: a size is out of range, or given for no shortlist; names the flag.
    """
    from mt.config import validate
    from training.export.shortlist import ShortlistPlan

    given = {key: size for key, size in sizes.items() if size is not None}
    if given and not wanted:
        raise ConfigError(f"--shortlist-{next(iter(given))} needs --shortlist")
    return validate(given, ShortlistPlan, where="shortlist flags") if wanted else None


def search_options(**values: float) -> SearchOptions:
    """Search options from flags.

    Raises:
        ConfigError: a value is out of range; names the flag.
    """
    from mt.config import validate

    return validate(values, SearchOptions, where="search flags")


def evaluation_search(beam_size: int, length_penalty: float | None, tuned: bool) -> SearchOptions:
    """Search options of a test set, whose length penalty may be tuned in place of given.

    Raises:
        ConfigError: it is both, or a value is out of range.
    """
    if tuned and length_penalty is not None:
        raise ConfigError("give --length-penalty or --tune-length-penalty, not both")
    return search_options(
        beam_size=beam_size, length_penalty=1.0 if length_penalty is None else length_penalty
    )


def check_writable(path: Path) -> None:
    """Before anything is spent on what would be written there; no empty file stays.

    Raises:
        ConfigError: names the path and the reason.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.exists()
        path.open("a", encoding="utf-8").close()
        if is_new:
            path.resolve().unlink()  # not a link to it


def write_text(path: Path, text: str) -> None:
    """Write a report that a flag asks for.

    Raises:
        ConfigError: names the path and the reason.
    """
    with writing(path):
        path.write_text(text, encoding="utf-8")
