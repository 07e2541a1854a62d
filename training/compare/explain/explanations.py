"""What was found: `OUT/explanations.json`, made from one comparison and the texts beside it."""

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from mt.config import Strict
from training.compare.explain.attention import AttentionScore, HeatMap
from training.compare.explain.data_size import Crossing, SizeScore
from training.compare.explain.extremes import Extremes, Worst
from training.compare.explain.faults import FaultRate
from training.compare.explain.joined import JoinedScore
from training.compare.explain.length_bands import BandDifference, BandScore
from training.compare.explain.pareto import Priced
from training.compare.explain.word_frequency import WordAccuracy
from training.compare.outcome import Comparison, ViewName
from training.durable_files import write_file

FILE = "explanations.json"
SCHEMA_VERSION: Literal[1] = 1


class TestSetFindings(Strict):
    """What the translations of one test set show."""

    __test__ = False  # no class of tests, whatever pytest thinks of its name

    test_set: str
    sentences: int
    length_scores: tuple[BandScore, ...]
    length_differences: tuple[BandDifference, ...]
    word_accuracy: tuple[WordAccuracy, ...]
    faults: tuple[FaultRate, ...]
    extremes: tuple[Extremes, ...]
    worst: tuple[Worst, ...]
    pareto: tuple[Priced, ...]


class AttentionFindings(Strict):
    """What attention shows, on some sentences of one test set."""

    test_set: str
    sentences: int
    aligner: str | None
    scores: tuple[AttentionScore, ...]
    heat_maps: tuple[HeatMap, ...]


class Explanations(Strict):
    """All findings, in one view of the budget and on one amount of training data."""

    schema_version: Literal[1] = SCHEMA_VERSION
    comparison_sha256: str = Field(description="of the comparison they were made from")
    view: ViewName
    data: str
    data_view: ViewName = Field(description="that joined sentences and data sizes are shown in")
    test_sets: tuple[TestSetFindings, ...]
    attention: AttentionFindings | None
    joined: tuple[JoinedScore, ...]
    sizes: tuple[SizeScore, ...]
    crossings: tuple[Crossing, ...]
    notes: tuple[str, ...] = Field(description="what could not be looked at, and why")


def checksum(comparison: Comparison) -> str:
    """What ties explanations to a comparison."""
    return hashlib.sha256(comparison.model_dump_json().encode()).hexdigest()


def read_explanations(folder: Path, comparison: Comparison) -> Explanations | None:
    """Those that were made before from this very comparison; None if there are none."""
    try:
        found = Explanations.model_validate_json((folder / FILE).read_bytes())
    except (OSError, ValidationError):
        return None
    return found if found.comparison_sha256 == checksum(comparison) else None


def write_explanations(folder: Path, explanations: Explanations) -> Path:
    """Write them into a folder.

    Raises:
        CheckpointError: the disk refuses.
    """
    path = folder / FILE
    write_file(path, (explanations.model_dump_json(indent=1) + "\n").encode())
    return path
