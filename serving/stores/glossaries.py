"""Glossaries: how a term of one language is to be said in another. Their entries, and their files.

A glossary has a dictionary for each pair of languages. Languages are without regions, as `pt`: a
dictionary holds for every variant.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from mt.errors import InputError

EntriesFormat = Literal["tsv", "csv"]
Entries = tuple[tuple[str, str], ...]
"""Source term and target term, in the order in which they were given; no source term twice."""

PREFERENCE = 4.0
"""What is added to the logits of terms that are preferred, in nats.

Measured with words of references as terms (`tests.benchmarks.glossaries`): at 2, 4, 6 and 8 nats
65, 77, 85 and 92 of 100 were said, with a BLEU of 41.2, 41.5, 41.5 and 39.2; 47 and 38.5 without.
"""
MAX_TERM_CHARS = 1024
MAX_ENTRIES = 20_000  # of one dictionary
MAX_DICTIONARIES = 100
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True)
class Dictionary:
    """The entries for one pair of languages."""

    source: str
    target: str
    entries: Entries


@dataclass(frozen=True)
class GlossaryUse:
    """What a request says of glossaries: kept ones by their ids, or entries of its own.

    required: whether every term must be said so, rather than by preference.
    """

    ids: tuple[str, ...] = ()
    entries: Entries = ()
    required: bool = True


@dataclass(frozen=True)
class DictionaryFacts:
    """A dictionary without its entries."""

    source: str
    target: str
    entry_count: int


@dataclass(frozen=True)
class Glossary:
    """A glossary without its entries; `created` has a zone."""

    glossary_id: str
    name: str
    created: datetime
    dictionaries: tuple[DictionaryFacts, ...]


def base(language: str) -> str:
    """A language without its region: `pt` of `pt-BR`."""
    return language.partition("-")[0].lower()


def dictionary(source: str, target: str, entries: Iterable[tuple[str, str]]) -> Dictionary:
    """A dictionary of checked entries.

    Raises:
        InputError: there are not two languages; or as `checked`.
    """
    if base(source) == base(target):
        raise InputError("a dictionary needs two languages")
    return Dictionary(base(source), base(target), checked(entries))


def checked(entries: Iterable[tuple[str, str]]) -> Entries:
    """Entries whose terms have single spaces within, and none around.

    Raises:
        InputError: names the entry that cannot be, by its number from 1; or there is none.
    """
    clean: dict[str, str] = {}
    for number, pair in enumerate(entries, start=1):
        if problem := _problem([term.strip() for term in pair]):
            raise InputError(f"entry {number}: {problem}")
        source_term, target_term = (" ".join(term.split()) for term in pair)
        if source_term in clean:
            raise InputError(f"entry {number}: its source term was there before")
        clean[source_term] = target_term
    if not clean:
        raise InputError("a dictionary needs an entry")
    if len(clean) > MAX_ENTRIES:
        raise InputError(f"{len(clean)} entries, at most {MAX_ENTRIES} in one dictionary")
    return tuple(clean.items())


def _problem(terms: Sequence[str]) -> str | None:
    if not all(terms):
        return "a term is empty"
    if max(map(len, terms)) > MAX_TERM_CHARS:
        return f"a term is longer than {MAX_TERM_CHARS} characters"
    if any(_FORBIDDEN.search(term) for term in terms):
        return "a term holds a control character"
    return None


def parse_entries(text: str, entries_format: EntriesFormat) -> Iterator[tuple[str, str]]:
    """Entries of a file, one a line; empty lines are passed over. More columns are refused.

    Raises:
        InputError: names the line that is no entry.
    """
    lines = text.splitlines()
    if entries_format == "tsv":
        rows: Iterable[Sequence[str]] = (line.split("\t") for line in lines)
    else:
        rows = csv.reader(lines)
    try:
        for number, row in enumerate(rows, start=1):
            if not any(row):
                continue
            if len(row) != 2:  # source and target
                raise InputError(f"entries, line {number}: {len(row)} columns, expected two")
            yield row[0], row[1]
    except csv.Error:
        raise InputError("entries: not CSV") from None


def write_entries(entries: Entries) -> str:
    """A file of entries, separated by tabs."""
    return "".join(f"{source}\t{target}\n" for source, target in entries)
