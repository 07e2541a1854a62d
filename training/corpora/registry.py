"""The registry: published corpora by name, their files pinned by size and sha256.

Files come from the folder SEQ2SERVE_DATA names, if it is set, else from the network into a cache
(SEQ2SERVE_CACHE, or ~/.cache/seq2serve); either way they are verified before they are read.
"""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from mt.config import Strict, load_yaml
from mt.errors import CorpusError
from training.corpora.download import Patience, fetch, matches
from training.corpora.pair import Pair
from training.corpora.readers import MosesFiles, PairSource, TsvFile, read_pairs

REGISTRY = Path(__file__).with_name("registry.yaml")


class PublishedFile(Strict):
    """One file as published; `languages` in the order of its columns."""

    name: str
    languages: tuple[str, ...] = Field(min_length=1)
    size: int = Field(gt=0, alias="bytes")
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Entry(Strict):
    """One published corpus."""

    title: str
    licence: str
    folder: str = Field(description="in the cache and in SEQ2SERVE_DATA")
    address: str | None = Field(description="ends before the file name; None: not downloadable")
    layout: Literal["moses", "tsv"]
    splits: dict[str, list[PublishedFile]]

    def splits_between(self, source: str, target: str) -> dict[str, tuple[PublishedFile, ...]]:
        """For each split with both languages: the files that hold them, source first."""
        found = {}
        for split, files in self.splits.items():
            by_language = {language: file for file in files for language in file.languages}
            if source in by_language and target in by_language:
                # dict.fromkeys: one file may hold both languages
                found[split] = tuple(dict.fromkeys((by_language[source], by_language[target])))
        return found

    def languages(self) -> list[str]:
        """All languages of the corpus."""
        files = (file for files in self.splits.values() for file in files)
        return sorted({language for file in files for language in file.languages})


class Registry(Strict):
    """All published corpora by name."""

    corpora: dict[str, Entry]


@cache
def registry() -> dict[str, Entry]:
    """The registry that ships with the program."""
    return load_yaml(REGISTRY, Registry).corpora


class PublishedCorpus:
    """One corpus of the registry in one language direction."""

    def __init__(
        self, name: str, entry: Entry, source: str, target: str, patience: Patience | None = None
    ) -> None:
        """Choose files; nothing is downloaded before pairs are read.

        Raises:
            CorpusError: the corpus lacks a language, or must lie in SEQ2SERVE_DATA and does not.
        """
        self._name, self._entry, self._patience = name, entry, patience or Patience()
        self._source, self._target = source, target
        self._verified: dict[str, Path] = {}
        self._data = data_folder()
        self._files = entry.splits_between(source, target)
        if source == target or not self._files:
            offered = ", ".join(entry.languages())
            raise CorpusError(f"{name} has no pairs {source}-{target}, only between {offered}")
        self._splits = self._available()

    @property
    def licence(self) -> str:
        """Terms of use of the text."""
        return self._entry.licence

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits that can be had: all published, or those SEQ2SERVE_DATA holds."""
        return self._splits

    @property
    def sha256(self) -> dict[str, str]:
        """Pinned sha256 by file name, of all published splits; nothing else is ever read."""
        return {file.name: file.sha256 for files in self._files.values() for file in files}

    def pairs(self, split: str) -> Iterator[Pair]:
        """Pairs of a split as published, downloaded and verified first where needed.

        Raises:
            CorpusError: a file cannot be had or is not the pinned one.
        """
        return read_pairs(self._source_of(self._files[split]))

    def _source_of(self, files: tuple[PublishedFile, ...]) -> PairSource:
        here = [self._locate(file) for file in files]
        if self._entry.layout == "moses":
            return MosesFiles(source=here[0], target=here[1])
        columns = [files[0].languages.index(code) + 1 for code in (self._source, self._target)]
        return TsvFile(path=here[0], source_column=columns[0], target_column=columns[1])

    def _available(self) -> tuple[str, ...]:
        """Splits that can be had.

        Raises:
            CorpusError: none can.
        """
        if self._data is None:
            if self._entry.address is None:
                raise CorpusError(
                    f"{self._name} cannot be downloaded: its publisher's file changes with every "
                    "export, so none can be pinned; set SEQ2SERVE_DATA to a folder that holds "
                    f"{self._entry.folder}/"
                )
            return tuple(self._files)
        folder = self._data / self._entry.folder
        present = tuple(
            split
            for split, files in self._files.items()
            if all((folder / file.name).is_file() for file in files)
        )
        if not present:
            wanted = ", ".join(file.name for file in next(iter(self._files.values())))
            raise CorpusError(
                f"SEQ2SERVE_DATA: {folder} lacks {wanted}; add it, or unset SEQ2SERVE_DATA"
            )
        return present

    def _locate(self, file: PublishedFile) -> Path:
        """Path of a verified file; verified once for each opened corpus."""
        if file.name not in self._verified:
            self._verified[file.name] = self._in_data(file) if self._data else self._in_cache(file)
        return self._verified[file.name]

    def _in_data(self, file: PublishedFile) -> Path:
        path = (self._data or Path()) / self._entry.folder / file.name
        try:
            whole = matches(path, file.size, file.sha256)
        except OSError as error:
            raise CorpusError(f"{path}: cannot be read ({error.strerror})") from None
        if not whole:
            raise CorpusError(
                f"{path}: not the file {self._name} publishes (sha256 differs); "
                "replace it, or unset SEQ2SERVE_DATA"
            )
        return path

    def _in_cache(self, file: PublishedFile) -> Path:
        path = cache_folder() / self._entry.folder / file.name
        fetch(f"{self._entry.address}{file.name}", path, file.size, file.sha256, self._patience)
        return path


def data_folder() -> Path | None:
    """The folder SEQ2SERVE_DATA names, None where it is not set.

    Raises:
        CorpusError: there is no such folder.
    """
    value = os.environ.get("SEQ2SERVE_DATA")
    if not value:
        return None
    folder = Path(value).expanduser()
    if not folder.is_dir():
        raise CorpusError(f"SEQ2SERVE_DATA: {folder}: no such folder")
    return folder


def cache_folder() -> Path:
    """Where downloads are kept: SEQ2SERVE_CACHE, or ~/.cache/seq2serve."""
    value = os.environ.get("SEQ2SERVE_CACHE")
    return Path(value).expanduser() if value else Path.home() / ".cache" / "seq2serve"
