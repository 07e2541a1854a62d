"""Glossaries in their file: what is kept, whose it is, and what writers and crashes leave whole."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mt.errors import InputError, UnknownGlossaryError
from serving.stores import glossary_store
from serving.stores.glossaries import Dictionary, DictionaryFacts
from serving.stores.glossary_store import GlossaryStore

GERMAN = Dictionary("en", "de", (("house", "Haus"), ("cat", "Katze")))
FRENCH = Dictionary("en", "fr", (("house", "maison"),))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[GlossaryStore]:
    opened = GlossaryStore(tmp_path, clock=lambda: 1.5)
    yield opened
    opened.close()


def test_a_glossary_is_kept_and_seen_by_other_replicas(
    store: GlossaryStore, tmp_path: Path
) -> None:
    made = store.create("me", "mine", [GERMAN, FRENCH])
    assert made.created.isoformat() == "1970-01-01T00:00:01.500000+00:00"
    assert made.dictionaries == (DictionaryFacts("en", "de", 2), DictionaryFacts("en", "fr", 1))
    other = GlossaryStore(tmp_path)
    assert other.get("me", made.glossary_id) == made
    assert other.all("me") == [made]
    assert other.dictionaries("me", made.glossary_id) == [GERMAN, FRENCH]
    assert other.dictionaries("me", made.glossary_id, "en", "fr") == [FRENCH]
    other.delete("me", made.glossary_id)
    other.close()
    assert store.all("me") == []
    with pytest.raises(UnknownGlossaryError):
        store.get("me", made.glossary_id)


def test_without_a_folder_it_is_kept_for_now() -> None:
    store = GlossaryStore(None)
    made = store.create("", "mine", [GERMAN])
    assert store.dictionaries("", made.glossary_id) == [GERMAN]
    store.close()


def test_nobody_else_has_it(store: GlossaryStore) -> None:
    one = store.create("me", "mine", [GERMAN]).glossary_id
    assert store.all("you") == []
    for attempt in (
        lambda: store.get("you", one),
        lambda: store.dictionaries("you", one),
        lambda: store.update("you", one, "yours", []),
        lambda: store.replace("you", one, FRENCH),
        lambda: store.remove("you", one, "en", "de"),
        lambda: store.delete("you", one),
    ):
        with pytest.raises(UnknownGlossaryError, match="no such glossary"):
            attempt()
    assert store.dictionaries("me", one) == [GERMAN]


def test_dictionaries_are_merged_replaced_and_removed(store: GlossaryStore) -> None:
    one = store.create("me", "mine", [GERMAN]).glossary_id
    more = Dictionary("en", "de", (("cat", "Kater"), ("dog", "Hund")))
    assert store.update("me", one, "ours", [more, FRENCH]).name == "ours"
    merged = Dictionary("en", "de", (("house", "Haus"), ("cat", "Kater"), ("dog", "Hund")))
    assert store.dictionaries("me", one) == [merged, FRENCH]
    assert store.update("me", one, None, []).name == "ours"
    store.replace("me", one, more)
    assert store.dictionaries("me", one) == [more, FRENCH]
    store.remove("me", one, "EN", "de-AT")
    assert store.dictionaries("me", one) == [FRENCH]
    with pytest.raises(UnknownGlossaryError):
        store.remove("me", one, "en", "de")
    with pytest.raises(UnknownGlossaryError, match="for these languages"):
        store.dictionaries("me", one, "en", "de")


def test_entries_of_several_glossaries_stand_together(store: GlossaryStore) -> None:
    first = store.create("me", "a", [GERMAN]).glossary_id
    second = store.create(
        "me", "b", [Dictionary("en", "de", (("cat", "Mieze"), ("dog", "Hund")))]
    ).glossary_id
    found = dict(store.entries("me", [first, second], "en-GB", "de"))
    assert found == {"house": "Haus", "cat": "Katze", "dog": "Hund"}
    with pytest.raises(InputError, match="no dictionary of the glossary is for this pair"):
        store.entries("me", [first], "de", "en")
    with pytest.raises(UnknownGlossaryError):
        store.entries("me", ["0" * 32], "en", "de")


def test_what_cannot_be_kept_is_refused(
    store: GlossaryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="a glossary needs a name"):
        store.create("me", " ", [GERMAN])
    with pytest.raises(InputError, match="a glossary needs a dictionary"):
        store.create("me", "mine", [])
    monkeypatch.setattr(glossary_store, "MAX_DICTIONARIES", 1)
    with pytest.raises(InputError, match="at most 1 dictionaries"):
        store.create("me", "mine", [GERMAN, FRENCH])
    assert store.all("me") == []  # nothing of it was kept
    monkeypatch.setattr(glossary_store, "MAX_GLOSSARIES", 1)
    store.create("me", "mine", [GERMAN])
    with pytest.raises(InputError, match="delete some"):
        store.create("me", "mine", [GERMAN])
    store.create("you", "yours", [GERMAN])


def test_writers_at_the_same_time_lose_nothing(store: GlossaryStore, tmp_path: Path) -> None:
    one = store.create("me", "mine", [GERMAN]).glossary_id
    other = GlossaryStore(tmp_path)

    def add(number: int) -> None:
        chosen = (store, other)[number % 2]
        chosen.update("me", one, None, [Dictionary("en", "fr", ((f"a{number}", "b"),))])
        chosen.create("me", f"mine {number}", [FRENCH])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(16)))
    other.close()
    [french] = store.dictionaries("me", one, "en", "fr")
    assert {source for source, _ in french.entries} == {f"a{i}" for i in range(16)}
    assert len(store.all("me")) == 17


KILLED = """
import sys
from pathlib import Path
from serving.stores.glossaries import Dictionary
from serving.stores.glossary_store import GlossaryStore

store = GlossaryStore(Path(sys.argv[1]))
one = store.create("me", "mine", [Dictionary("en", "de", (("a", "0"), ("b", "0")))]).glossary_id
print(one, flush=True)
for number in range(1, 1_000_000):
    entries = (("a", str(number)), ("b", str(number)))
    store.replace("me", one, Dictionary("en", "de", entries))
    print(number, flush=True)
"""


def test_a_writer_that_is_killed_leaves_all_or_nothing_of_a_write(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        one = writer.stdout.readline().strip()
        told = [int(writer.stdout.readline()) for _ in range(5)][-1]
        writer.send_signal(signal.SIGKILL)
        told = max([told, *map(int, writer.stdout.read().split())])
    store = GlossaryStore(tmp_path)
    [found] = store.dictionaries("me", one)
    kept = {target for _, target in found.entries}
    assert len(found.entries) == 2
    assert len(kept) == 1  # never half of a dictionary
    assert int(kept.pop()) in (told, told + 1)  # and never one that was told to be kept
    store.replace("me", one, GERMAN)
    assert store.dictionaries("me", one) == [GERMAN]
    store.close()
