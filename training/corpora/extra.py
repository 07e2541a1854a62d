"""Training pairs beside a corpus's own: what `seq2serve distill` or `backtranslate` wrote, or any
files of pairs.

Validation and test stay those of the corpus; `Corpus.train_pairs` keeps their sentences out.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ValidationError

from mt.bundle import Score
from mt.config import Strict
from mt.errors import CorpusError
from training.corpora.own_files import as_list, checksum
from training.corpora.pair import Pair
from training.corpora.readers import JsonLinesFile, PairSource, paths, read_pairs

PROVENANCE = "distilled.json"
SYNTHETIC = "synthetic.json"  # of `seq2serve backtranslate`

Direction = Literal["forward", "backward"]
Extras = Annotated[tuple[Path | PairSource, ...], BeforeValidator(as_list)]


class DistilledPairs(Strict):
    """One model's part: a *forward* one wrote the targets of the pairs, a *backward* one the
    sources. `written` pairs are left of those translated, `repeated` and `blank` ones are not;
    `score` compares all translations with what people wrote there.
    """

    model: str
    weights_sha256: str
    precision: str
    direction: Direction
    file: str
    file_sha256: str
    translated: int
    written: int
    repeated: int
    blank: int
    score: Score

    def line(self) -> str:
        """For people."""
        return (
            f"{self.model} ({self.weights_sha256[:12]}, {self.direction}): {self.written:,} pairs "
            f"of {self.translated:,}, {self.repeated:,} repeated and {self.blank:,} blank; "
            f"BLEU {self.score.value:.2f} against {self.score.test_set}"
        )


class Provenance(Strict):
    """Whose translations a folder holds: text and its checksums, search, models."""

    source: str
    target: str
    corpus: dict[str, Any]
    corpus_sha256: dict[str, str]
    sentences: int | None
    search: dict[str, Any]
    models: tuple[DistilledPairs, ...]


class Synthetic(BaseModel):
    """What `seq2serve backtranslate` says of a folder: its languages, its files by name."""

    source: str
    target: str
    files: dict[str, str]

    def sources(self, folder: Path) -> list[PairSource]:
        """The files, each with all its pairs."""
        return [JsonLinesFile(path=folder / name) for name in self.files]


def read_synthetic(folder: Path) -> Synthetic:
    """What a finished back-translation says of itself.

    Raises:
        CorpusError: it is damaged.
    """
    try:
        return Synthetic.model_validate_json((folder / SYNTHETIC).read_bytes())
    except ValidationError:
        raise CorpusError(f"{folder / SYNTHETIC} is damaged; repeat its command") from None


def read_provenance(folder: Path) -> Provenance:
    """What a finished distillation says of itself.

    Raises:
        CorpusError: there is none, or it is damaged.
    """
    try:
        return Provenance.model_validate_json((folder / PROVENANCE).read_bytes())
    except OSError:
        raise CorpusError(
            f"{folder} holds no finished distillation; run `seq2serve distill` to its end, "
            "or name a file together with its format"
        ) from None
    except ValidationError:
        raise CorpusError(f"{folder / PROVENANCE} is damaged; distil again") from None


class ExtraPairs:
    """Pairs of several folders and files, one after the other; nothing is read before it is."""

    def __init__(self, extras: Sequence[Path | PairSource], source: str, target: str) -> None:
        self._extras, self._languages = extras, (source, target)

    def pairs(self) -> Iterator[Pair]:
        """All pairs as they were written.

        Raises:
            CorpusError: a folder is no distillation of these languages, or a file cannot be read.
        """
        for source in self._sources:
            yield from read_pairs(source, self._languages)

    @cached_property
    def sha256(self) -> dict[str, str]:
        """Of the files, by path as the recipe writes it."""
        return {str(path): checksum(path) for source in self._sources for path in paths(source)}

    @cached_property
    def _sources(self) -> list[PairSource]:
        found: list[PairSource] = []
        for extra in self._extras:
            found += self._distilled(extra) if isinstance(extra, Path) else [extra]
        return found

    def _distilled(self, folder: Path) -> list[PairSource]:
        place = folder.expanduser()
        synthetic = read_synthetic(place) if (place / SYNTHETIC).is_file() else None
        provenance = synthetic or read_provenance(place)
        if (provenance.source, provenance.target) != self._languages:
            raise CorpusError(
                f"{folder} holds {provenance.source}-{provenance.target} pairs, "
                f"but the corpus is {'-'.join(self._languages)}"
            )
        if synthetic:
            return synthetic.sources(folder)
        return [JsonLinesFile(path=folder / part.file) for part in read_provenance(place).models]
