"""What a comparison holds: `OUT/comparison.json`, and the text files beside it.

* Comparison
  - how it was made        command, Protocol; versions, machine and revision of what compared
  - what was compared      ComparedSystem x seed x DataCondition x View, on each TestSet
  - Run                    one training: cost, learning curve
  - Point                  the weights of a run that stand for it in one view of the budget
  - Result                 a point on a test set: scores, speed, energy, its translations
  - Summary                mean over seeds, with spread
  - Contrast               two systems: difference, interval, tests, verdict

Records name what they belong to by `system`, `seed`, `data`, `view` and `test_set`. Paths are
relative to the folder of comparison.json. Differences are always of the second system less the
first.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from mt.bundle import Score
from mt.config import Strict, describe
from mt.errors import ConfigError
from training.budget import Sitting

FILE = "comparison.json"
SCHEMA_VERSION: Literal[1] = 1

ViewName = Literal["tokens", "minutes", "flops"]
Metric = Literal["BLEU", "chrF2", "TER"]


class Estimate(Strict):
    """A figure and its interval of 95 %."""

    value: float
    low: float
    high: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0


class View(Strict):
    """One way to give every system the same: so many target tokens, processor minutes or FLOPs."""

    name: ViewName
    budget: float = Field(gt=0, description="target tokens, processor minutes or FLOPs")
    title: str = Field(description="for people: `10,000,000 target tokens`")


class DataCondition(Strict):
    """Which training pairs a run saw."""

    name: str = Field(description="`all`, `1000 pairs`, `joined`: in `data` of other records")
    train_pairs: int | None = Field(None, description="only the corpus's first so many; null: all")
    joined: bool = Field(False, description="with sentences of two to four joined captions as well")


class TestSet(Strict):
    """Sentences that are scored; `sources` and `references` hold one a line."""

    __test__ = False  # no class of tests, whatever pytest thinks of its name

    name: str = Field(description="`test2016`, or `test2016-joined-3`: in `test_set` of others")
    split: str = Field(description="of the corpus")
    joined: int = Field(1, ge=1, description="so many sentences of the split make one")
    sentences: int = Field(gt=0)
    sources: str = Field(description="path")
    references: str = Field(description="path")


class CorpusFacts(Strict):
    """The text that all systems share."""

    name: str
    source: str
    target: str
    licence: str
    sha256: dict[str, str] = Field(description="of each file as published")
    tokenizer: str = Field(description="path of the SentencePiece model of all systems")
    tokenizer_sha256: str
    vocab_size: int


class Protocol(Strict):
    """What was held equal, and how it was scored and tested."""

    selection: str = Field(description="how the weights of a point are chosen, in a sentence")
    validation_split: str = Field(description="chooses length penalties; never a test set")
    validation_sentences: int
    beam_size: int
    length_penalties: tuple[float, ...] = Field(description="tried on validation")
    threads: int = Field(description="of decoding")
    samples: int = Field(
        description="of the two-level bootstrap; signatures tell those of sacreBLEU's tests"
    )
    random_seed: int = Field(description="of the resampling")
    confidence: float = Field(description="of every interval")
    correction: str = Field(description="for many tests, and over which family of them")
    checks: tuple[str, ...] = Field(description="what was found equal, one sentence each")
    notes: tuple[str, ...] = Field(
        (), description="where it was not: systems marked `unmatched`, and why"
    )


class Tuning(Strict):
    """The search that chose a system's settings."""

    file: str
    sha256: str
    recipe: str = Field(description="its name in that file")
    trials: int
    best_bleu: float | None


class ComparedSystem(Strict):
    """One system, whatever its seeds."""

    name: str
    recipe: str
    family: str
    settings: dict[str, Any] = Field(description="the recipe's values, seed and budget left out")
    parameters: int
    embedding_parameters: int = Field(description="of these, in embeddings and what is tied to")
    flops_per_target_token: float = Field(description="of training: forward and backward")
    unmatched: str | None = Field(None, description="why its size may differ from the others'")
    tuning: Tuning | None = None


class Energy(Strict):
    """Joules, measured by the processor (`rapl`) or estimated from processor time."""

    joules: float = Field(ge=0)
    method: Literal["rapl", "estimate"]
    watts_per_core: float | None = Field(None, description="what the estimate assumes")


class CurvePoint(Strict):
    """One evaluation while training."""

    update: int
    target_tokens: float
    processor_minutes: float
    minutes: float = Field(description="by the clock")
    flops: float
    validation_bleu: float


class Run(Strict):
    """One training of one system; its figures are those at its end."""

    system: str
    seed: int
    data: str
    views: tuple[ViewName, ...] = Field(description="that points of this run stand in")
    folder: str = Field(description="path")
    updates: int
    epochs: float
    target_tokens: int
    processor_minutes: float
    minutes: float = Field(description="by the clock")
    flops: float
    trained: tuple[Sitting, ...] = Field(
        (), description="by which revisions, on what; empty: the run is older than such notes"
    )
    target_tokens_per_processor_s: float
    peak_memory_mib: float = Field(description="resident, of the whole process; 0: not measured")
    energy: Energy
    curve: tuple[CurvePoint, ...]


class Point(Strict):
    """Weights of a run when a budget was spent, and what they had cost by then."""

    system: str
    seed: int
    data: str
    view: ViewName
    checkpoint: str = Field(description="path of the folder that `training.system` opens")
    weights_sha256: str
    updates: int = Field(description="done when the budget was spent, as are the next three")
    target_tokens: int
    processor_minutes: float
    flops: float
    weights_of_update: int | None = Field(None, description="earlier, if validation liked it more")
    length_penalty: float = Field(description="best on validation")
    validation_bleu: dict[str, float] = Field(description="by length penalty, as text")


class Decoding(Strict):
    """What translating one test set cost."""

    seconds: float
    processor_seconds: float
    sentences_per_s: float
    tokens_per_s: float = Field(description="target subwords")
    sentences_per_processor_s: float = Field(description="steadier on a machine that is shared")
    memory_mib: float = Field(
        description="most resident memory of the process meanwhile, PyTorch included"
    )
    energy: Energy


class Result(Strict):
    """A point on a test set."""

    system: str
    seed: int
    data: str
    view: ViewName
    test_set: str
    scores: tuple[Score, ...] = Field(description="BLEU, chrF2, TER")
    hypotheses: str = Field(description="path: one translation a line")
    decoding: Decoding

    def value(self, metric: Metric) -> float:
        """One of its scores."""
        return next(score.value for score in self.scores if score.metric == metric)


class Summary(Strict):
    """A metric of one system over its seeds, never of its best one."""

    system: str
    data: str
    view: ViewName
    test_set: str
    metric: Metric
    mean: Estimate = Field(description="interval: seeds and sentences resampled")
    sd: float | None = Field(description="between seeds; null: one seed")
    least: float
    greatest: float
    seeds: tuple[int, ...]
    median_seed: int = Field(
        description="of the median validation BLEU; of two middle ones the lower"
    )


class SingleSeedTest(Strict):
    """sacreBLEU's paired test of both systems' median seeds."""

    method: Literal["paired bootstrap", "paired approximate randomisation"]
    first_seed: int
    second_seed: int
    difference: float
    p: float
    p_holm: float = Field(description="corrected for all tests of this method and metric")
    signature: str


class Contrast(Strict):
    """The second system less the first on one test set, in one view, by one metric.

    For TER less is better, so `better` says who is: `first`, `second`, or `neither` where the
    interval of the difference holds zero, the corrected p is not below 0.05, or a system has but
    one seed.
    """

    first: str
    second: str
    data: str
    view: ViewName
    test_set: str
    metric: Metric
    difference: Estimate = Field(description="seeds resampled first, then sentences")
    p: float = Field(description="two-sided, of that bootstrap")
    p_holm: float = Field(description="corrected over test sets, views and pairs of this metric")
    hedges_g: Estimate | None = Field(description="in deviations between seeds; null: one seed")
    superiority: Estimate = Field(
        description="share of sentences that the second translates better, ties half; 0.5: equal"
    )
    single_seed: tuple[SingleSeedTest, ...]
    better: Literal["first", "second", "neither"]
    verdict: str = Field(description="one sentence")


class Comparison(Strict):
    """The root of comparison.json."""

    schema_version: Literal[1] = SCHEMA_VERSION
    name: str
    command: str
    versions: dict[str, str]
    machine: dict[str, str | int]
    revision: str | None = Field(description="git commit of this program")
    corpus: CorpusFacts
    protocol: Protocol
    systems: tuple[ComparedSystem, ...]
    seeds: tuple[int, ...]
    data: tuple[DataCondition, ...]
    views: tuple[View, ...]
    test_sets: tuple[TestSet, ...]
    runs: tuple[Run, ...]
    points: tuple[Point, ...]
    results: tuple[Result, ...]
    summaries: tuple[Summary, ...]
    contrasts: tuple[Contrast, ...]


def read_comparison(path: Path) -> Comparison:
    """Read comparison.json, or that of a folder.

    Raises:
        ConfigError: there is none, or it is not one.
    """
    file = path / FILE if path.is_dir() else path
    try:
        return Comparison.model_validate_json(file.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be read ({error.strerror}); `seq2serve compare` writes it"
        ) from None
    except ValidationError as error:
        raise ConfigError(f"{file}: {describe(error)}") from None
