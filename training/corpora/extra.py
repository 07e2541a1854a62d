"""Training pairs beside a corpus's own: what `seq2serve distill` wrote, or any files of pairs.

Validation and test stay those of the corpus; `Corpus.train_pairs` keeps their sentences out.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ValidationError

from mt.bundle import Score
from mt.config import Strict
from mt.errors import CorpusError
from training.corpora.own_files import as_list, checksum
from training.corpora.pair import Pair
from training.corpora.readers import JsonLinesFile, PairSource, paths, read_pairs

PROVENANCE = "distilled.json"

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
        provenance = read_provenance(folder.expanduser())
        if (provenance.source, provenance.target) != self._languages:
            raise CorpusError(
                f"{folder} holds {provenance.source}-{provenance.target} pairs, "
                f"but the corpus is {'-'.join(self._languages)}"
            )
        return [JsonLinesFile(path=folder / part.file) for part in provenance.models]
