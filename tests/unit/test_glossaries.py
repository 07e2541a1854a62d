"""Entries as they come in files, and what is refused of them."""

import pytest

from mt.errors import InputError
from serving.stores.glossaries import (
    MAX_ENTRIES,
    Dictionary,
    base,
    checked,
    dictionary,
    parse_entries,
)
from serving.stores.glossaries import write_entries as written


def test_files_with_tabs_and_with_commas() -> None:
    wanted = [("white house", "Weißes Haus"), ("a, b", 'c"d')]
    assert list(parse_entries('white house\tWeißes Haus\r\n\na, b\tc"d\n', "tsv")) == wanted
    text = 'white house,Weißes Haus\n"a, b","c""d"\n'
    assert list(parse_entries(text, "csv")) == wanted
    assert list(parse_entries(written(tuple(wanted)), "tsv")) == wanted


@pytest.mark.parametrize(
    ("text", "entries_format", "message"),
    [
        ("a\tb\nc", "tsv", "entries, line 2: 1 columns, expected two"),
        ("a\tb\tc", "tsv", "entries, line 1: 3 columns, expected two"),
        ("a,b,en,de", "csv", "entries, line 1: 4 columns, expected two"),
    ],
)
def test_a_line_that_is_no_entry_is_named(text: str, entries_format: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        list(parse_entries(text, entries_format))  # type: ignore[arg-type]


def test_entries_are_cleaned() -> None:
    assert checked([(" a  b ", "c")]) == (("a b", "c"),)
    found = dictionary("PT-BR", "en-US", [("casa", "house")])
    assert found == Dictionary("pt", "en", (("casa", "house"),))
    assert base("zh-Hans") == "zh"


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([], "a dictionary needs an entry"),
        ([("a", "b"), ("a ", "c")], "entry 2: its source term was there before"),
        ([("a", " ")], "entry 1: a term is empty"),
        ([("a", "b\x00")], "entry 1: a term holds a control character"),
        ([("a", "b" * 1025)], "entry 1: a term is longer than 1024 characters"),
        ([(str(i), "b") for i in range(MAX_ENTRIES + 1)], "20001 entries, at most 20000"),
    ],
)
def test_entries_that_cannot_be_are_refused(entries: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        checked(entries)


def test_a_dictionary_needs_two_languages() -> None:
    with pytest.raises(InputError, match="two languages"):
        dictionary("en-GB", "en", [("a", "b")])
