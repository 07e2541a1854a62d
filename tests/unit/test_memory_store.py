"""Translation memory: whose it is, what stands in for the model, what is like a text."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mt.errors import InputError
from serving.stores.memory_store import SHARED, MemoryStore, Pair

HOUSE = Pair("en", "de", "The house is old.", "Das Haus ist alt.")


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[MemoryStore]:
    opened = MemoryStore(tmp_path)
    yield opened
    opened.close()


def recall(memory: MemoryStore, text: str, owner: str = "me", target: str = "de") -> str | None:
    (found,) = memory.exact(owner, "en", target, [text])
    return found


def test_the_same_text_is_recalled_with_the_space_around_it(memory: MemoryStore) -> None:
    assert memory.add("me", [HOUSE], "caller") == 1
    assert recall(memory, HOUSE.text) == HOUSE.translation
    assert recall(memory, f"\n  {HOUSE.text}\t") == f"\n  {HOUSE.translation}\t"
    for other in ("the house is old.", "The house is old", "", " "):
        assert recall(memory, other) is None


def test_texts_are_compared_in_one_unicode_form(memory: MemoryStore) -> None:
    memory.add("me", [Pair("en", "de", "cafe\u0301", "Café")], "caller")
    assert recall(memory, "caf\u00e9") == "Café"


def test_what_one_key_adds_no_other_key_sees(memory: MemoryStore) -> None:
    memory.add("me", [HOUSE], "caller")
    assert recall(memory, HOUSE.text, owner="you") is None
    assert memory.similar("you", "en", "de", HOUSE.text, 5, 0.5) == []
    assert memory.entries("you", 0, 10) == []
    (mine,) = memory.entries("me", 0, 10)
    assert not memory.delete("you", mine.entry_id)
    assert memory.delete("me", mine.entry_id)
    assert memory.entries("me", 0, 10) == []


def test_what_is_shared_everybody_sees_and_ones_own_comes_first(memory: MemoryStore) -> None:
    memory.add(SHARED, [HOUSE], "import")
    assert recall(memory, HOUSE.text) == HOUSE.translation
    memory.add("me", [Pair("en", "de", HOUSE.text, "Meins.")], "caller")
    assert recall(memory, HOUSE.text) == "Meins."
    assert recall(memory, HOUSE.text, owner="you") == HOUSE.translation
    assert [one.shared for one in memory.entries("me", 0, 10)] == [True, False]


def test_a_new_translation_replaces_the_old_one(memory: MemoryStore) -> None:
    for translation in ("Alt.", "Neu."):
        memory.add("me", [Pair("en", "de", HOUSE.text, translation)], "caller")
    assert recall(memory, HOUSE.text) == "Neu."
    assert len(memory.entries("me", 0, 10)) == 1


def test_a_suggestion_never_stands_in_until_it_is_accepted(memory: MemoryStore) -> None:
    memory.add(SHARED, [HOUSE], "suggestion")
    assert recall(memory, HOUSE.text) is None
    (match,) = memory.similar("me", "en", "de", HOUSE.text, 5, 0.5)
    assert (match.score, match.entry.origin) == (1.0, "suggestion")
    assert memory.accept(match.entry.entry_id)
    assert not memory.accept(match.entry.entry_id)
    assert recall(memory, HOUSE.text) == HOUSE.translation
    assert len(memory.entries("me", 0, 10)) == 1


@pytest.mark.parametrize(
    ("kept", "asked", "found"),
    [
        ("de", "de", True),
        ("de-AT", "de", True),
        ("de", "DE-at", True),
        ("de-AT", "de-CH", False),
        ("de", "del", False),
        ("fr", "de", False),
    ],
)
def test_a_language_without_region_is_all_of_them(
    memory: MemoryStore, kept: str, asked: str, found: bool
) -> None:
    memory.add("me", [Pair("en", kept, HOUSE.text, HOUSE.translation)], "caller")
    assert (recall(memory, HOUSE.text, target=asked) is not None) == found
    assert bool(memory.similar("me", "en", asked, HOUSE.text, 5, 0.5)) == found


def test_what_is_like_a_text_comes_with_its_score_the_best_first(memory: MemoryStore) -> None:
    texts = ["abcdefgh", "abcdefgx", "abcdxxxx", "something else altogether"]
    memory.add("me", [Pair("en", "de", text, text) for text in texts], "caller")
    found = memory.similar("me", "en", "de", " ABCDEFGH ", 5, 0.5)
    # Of 16 letters 16, 14 and 8 are in common.
    assert [(one.entry.pair.text, one.score) for one in found] == [
        ("abcdefgh", 1.0),
        ("abcdefgx", 0.875),
        ("abcdxxxx", 0.5),
    ]
    assert len(memory.similar("me", "en", "de", "abcdefgh", 1, 0.5)) == 1
    assert len(memory.similar("me", "en", "de", "abcdefgh", 5, 0.0)) == 4


def test_entries_come_in_pages(memory: MemoryStore) -> None:
    memory.add("me", (Pair("en", "de", str(n), str(n)) for n in range(5)), "import")
    first = memory.entries("me", 0, 3)
    rest = memory.entries("me", first[-1].entry_id, 3)
    assert [one.pair.text for one in [*first, *rest]] == list("01234")


@pytest.mark.parametrize(
    ("pair", "problem"),
    [
        (Pair("en", "de", " ", "x"), "text: is empty"),
        (Pair("en", "de", "x", ""), "translation: is empty"),
        (Pair("en", "de", "x" * 10_001, "x"), "text: 10001 characters, at most 10000"),
        (Pair("en", "de", "x", "a\0b"), "translation: has control characters"),
        (Pair("en", "de", "x", "\ud800"), "translation: has control characters"),
        (Pair("*all*", "de", "x", "x"), "a language is not written as"),
    ],
)
def test_what_cannot_be_kept_is_refused(memory: MemoryStore, pair: Pair, problem: str) -> None:
    with pytest.raises(InputError, match=problem.replace("*", r"\*")):
        memory.add("me", [pair], "caller")


def test_many_are_added_in_several_transactions(memory: MemoryStore) -> None:
    pairs = (Pair("en", "de", str(n), str(n)) for n in range(2_500))
    assert memory.add("me", pairs, "import") == 2_500
    assert recall(memory, "2499") == "2499"
