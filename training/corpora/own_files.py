"""Your own files as a corpus: named for each split, or one split that is cut into three."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from functools import cached_property
from itertools import compress
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from mt.bilingual_files.languages import Languages
from mt.errors import CorpusError
from training.corpora.cleaning import CleaningConfig, CleaningReport, clean
from training.corpora.download import hash_file
from training.corpora.pair import Pair
from training.corpora.readers import PairSource, paths, read_pairs
from training.corpora.seen_pairs import SeenPairs
from training.corpora.splitting import SPLITS, TRAIN, SplitConfig, assign_splits


def as_list(value: Any) -> Any:  # noqa: ANN401 - whatever YAML held; checked next
    """One value where a list may stand, as a list of one."""
    return value if isinstance(value, list) else [value]


Sources = Annotated[list[PairSource], BeforeValidator(as_list), Field(min_length=1)]


class OwnFiles:
    """Files the recipe names, by split; a split may have several, read one after the other."""

    def __init__(self, files: Mapping[str, Sources], licence: str, languages: Languages) -> None:
        self._files, self._languages = files, languages
        self.licence = licence
        self.splits = tuple(files)

    def pairs(self, split: str) -> Iterator[Pair]:
        """Pairs of a split as they were written."""
        for source in self._files[split]:
            yield from read_pairs(source, self._languages)

    @cached_property
    def sha256(self) -> dict[str, str]:
        """Of the files as they lie there, by path as the recipe writes it."""
        sources = (source for sources in self._files.values() for source in sources)
        return {str(path): checksum(path) for source in sources for path in paths(source)}


class CutFiles:
    """Own files with one split, cut into three after cleaning; two passes, no text in memory."""

    def __init__(self, own: OwnFiles, split: SplitConfig, cleaning: CleaningConfig) -> None:
        self._own, self._split, self._cleaning = own, split, cleaning
        self.licence = own.licence
        self.splits = SPLITS if split.test else SPLITS[:2]

    @property
    def sha256(self) -> dict[str, str]:
        """Of the files that were cut."""
        return self._own.sha256

    def pairs(
        self, split: str, report: CleaningReport | None = None, seen: SeenPairs | None = None
    ) -> Generator[Pair, None, None]:
        """Clean pairs the splitter gave to a split; report and seen tell of all before the cut."""
        index = SPLITS.index(split)
        chosen = (given == index for given in self._assignment)
        with closing(clean(self._own.pairs(TRAIN), self._cleaning, report, seen)) as cleaned:
            yield from compress(cleaned, chosen)

    @cached_property
    def _assignment(self) -> bytes:
        report = CleaningReport()
        cleaned = clean(self._own.pairs(TRAIN), self._cleaning, report)
        try:
            return assign_splits(cleaned, self._split)
        except CorpusError as error:
            raise CorpusError(f"{error}; cleaning {'; '.join(report.lines())}") from None


def checksum(path: Path) -> str:
    """The sha256 of a file that a recipe names.

    Raises:
        CorpusError: it cannot be read.
    """
    try:
        return hash_file(path.expanduser())
    except FileNotFoundError:
        raise CorpusError(f"{path}: no such file") from None
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror})") from None
