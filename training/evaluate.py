"""Translate a test set through the one search, and score it; a score carries its signature."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pydantic import Field
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from mt.beam_search import SearchOptions, search
from mt.bundle import Score
from mt.config import Strict
from mt.errors import ConfigError, CorpusError
from mt.stepper import Stepper
from mt.tokenizer import EOS_ID, Tokenizer
from training.corpora.pair import Pair

MAX_SOURCE_TOKENS = 512  # longer test sentences are cut, so that one freak cannot fill the memory


class EvaluationConfig(Strict):
    """Validation while training: it chooses checkpoints and can stop the run."""

    split: str = Field(
        "validation", description="split of the corpus that is translated and scored"
    )
    sentences: int | None = Field(None, gt=0, description="only the split's first so many pairs")
    every_updates: int | None = Field(None, gt=0, description="updates between two evaluations")
    every_minutes: float | None = Field(
        None, gt=0, description="minutes of training between two evaluations"
    )
    patience: int | None = Field(
        None, gt=0, description="evaluations without a better score before training stops"
    )
    search: SearchOptions = Field(
        SearchOptions(beam_size=1), description="how it is translated; greedy costs least"
    )
    max_rows: int | None = Field(
        None, gt=0, description="live hypotheses searched together [256; on a GPU 2,048]"
    )


def bleu(hypotheses: Sequence[str], references: Sequence[str], test_set: str = "") -> Score:
    """Corpus BLEU, 0-100, of detokenised cased text, one reference each (sacreBLEU, 13a).

    Raises:
        ValueError: lengths differ, or there is nothing to score.
    """
    return _score("BLEU", BLEU(), hypotheses, references, test_set)


def chrf(hypotheses: Sequence[str], references: Sequence[str], test_set: str = "") -> Score:
    """Corpus chrF2, 0-100, of detokenised cased text, one reference each (sacreBLEU).

    Raises:
        ValueError: lengths differ, or there is nothing to score.
    """
    return _score("chrF2", CHRF(), hypotheses, references, test_set)


def ter(hypotheses: Sequence[str], references: Sequence[str], test_set: str = "") -> Score:
    """Translation edit rate in per cent, less is better, of lower-cased text (sacreBLEU).

    Raises:
        ValueError: lengths differ, or there is nothing to score.
    """
    return _score("TER", TER(), hypotheses, references, test_set)


def lowercased_tokenised_bleu(
    hypotheses: Sequence[str], references: Sequence[str], language: str, test_set: str = ""
) -> Score:
    """Corpus BLEU, 0-100, of lower-cased text in Moses tokens, as most Multi30k papers report it.

    Raises:
        ValueError: lengths differ, or there is nothing to score.
    """
    tokenise, version = _moses(language)
    score = _score(
        "BLEU-lc-tok",
        BLEU(lowercase=True, tokenize="none", force=True),
        [tokenise(text) for text in hypotheses],
        [tokenise(text) for text in references],
        test_set,
    )
    return score.model_copy(update={"signature": f"{score.signature}|moses:{language}-{version}"})


def bleu_by_band(
    sources: Sequence[str],
    hypotheses: Sequence[str],
    references: Sequence[str],
    band_of: Callable[[str], str],
    test_set: str = "",
) -> dict[str, Score]:
    """BLEU of each band of sentences; `band_of` names the band of a source, "1-8" for example.

    Bands stand in the order in which they first appear.
    """
    bands: dict[str, list[int]] = {}
    for i, source in enumerate(sources):
        bands.setdefault(band_of(source), []).append(i)
    return {
        band: bleu([hypotheses[i] for i in at], [references[i] for i in at], f"{test_set}:{band}")
        for band, at in bands.items()
    }


def translate_sentences(
    stepper: Stepper,
    tokenizer: Tokenizer,
    sentences: Sequence[str],
    options: SearchOptions | None = None,
    max_rows: int = 256,
    on_finished: Callable[[int], None] | None = None,
) -> list[str]:
    """The best translation of every sentence, in order; blank ones stay blank.

    Sentences longer than `MAX_SOURCE_TOKENS` are cut there. `on_finished` is told how many
    sentences are done since it was last told.
    """
    sources = [_cut(tokenizer.encode_source(text)) for text in sentences]
    full = [i for i, ids in enumerate(sources) if ids != [EOS_ID]]
    answers = search(
        stepper,
        [sources[i] for i in full],
        options or SearchOptions(),
        max_rows=max_rows,
        on_finished=on_finished,
    )
    translations = [""] * len(sentences)
    for i, hypotheses in zip(full, answers, strict=True):
        translations[i] = tokenizer.decode(hypotheses[0].ids)
    return translations


@dataclass(frozen=True)
class Evaluated:
    """A test set translated and scored; the three lists are of the same length."""

    sources: list[str]
    hypotheses: list[str]
    references: list[str]
    scores: list[Score]

    @property
    def bleu(self) -> Score:
        """The detokenised cased BLEU."""
        return self.scores[0]


def evaluate(
    stepper: Stepper,
    tokenizer: Tokenizer,
    pairs: Iterable[Pair],
    test_set: str,
    options: SearchOptions | None = None,
    max_rows: int = 256,
    lowercased_language: str | None = None,
    on_finished: Callable[[int], None] | None = None,
) -> Evaluated:
    """Translate pairs of a test set and score them: BLEU, chrF, and on request BLEU-lc-tok.

    `lowercased_language` is the target language whose Moses rules lower-cased BLEU uses.

    Raises:
        CorpusError: there are no pairs.
    """
    listed = list(pairs)
    if not listed:
        raise CorpusError(f"{test_set} holds no pairs to score")
    sources, references = [pair.src for pair in listed], [pair.tgt for pair in listed]
    found = translate_sentences(stepper, tokenizer, sources, options, max_rows, on_finished)
    scores = [bleu(found, references, test_set), chrf(found, references, test_set)]
    if lowercased_language:
        scores.append(lowercased_tokenised_bleu(found, references, lowercased_language, test_set))
    return Evaluated(sources, found, references, scores)


def _cut(ids: list[int]) -> list[int]:
    return ids if len(ids) <= MAX_SOURCE_TOKENS else [*ids[: MAX_SOURCE_TOKENS - 1], EOS_ID]


def _score(
    name: str,
    metric: BLEU | CHRF | TER,
    hypotheses: Sequence[str],
    references: Sequence[str],
    test: str,
) -> Score:
    """The one place that knows sacreBLEU wants a list of reference *sets*."""
    if len(hypotheses) != len(references) or not hypotheses:
        raise ValueError(f"{len(hypotheses)} hypotheses for {len(references)} references")
    value = metric.corpus_score(list(hypotheses), [list(references)]).score
    signature = str(metric.get_signature())
    return Score.model_validate(
        {"metric": name, "value": value, "signature": signature, "test_set": test}
    )


def _moses(language: str) -> tuple[Callable[[str], str], str]:
    try:
        import sacremoses
    except ModuleNotFoundError:
        raise ConfigError(
            "lower-cased tokenised BLEU needs sacremoses: pip install sacremoses"
        ) from None
    tokenizer = sacremoses.MosesTokenizer(lang=language)
    return lambda text: str(tokenizer.tokenize(text, return_str=True, escape=False)), str(
        sacremoses.__version__
    )
