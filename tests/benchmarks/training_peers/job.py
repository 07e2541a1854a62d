"""What a contestant is asked to train: sizes and settings that are the same for all of them."""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

SOURCE, TARGET = "src", "tgt"  # suffixes of the text files
WORDS = 4  # the first id that is a word; below are padding, unknown, begin and end of sentence


@dataclass(frozen=True)
class TransformerSize:
    """`layers` in the encoder and as many in the decoder."""

    layers: int
    d_model: int
    d_ff: int
    n_heads: int = 4


@dataclass(frozen=True)
class GRUSize:
    """A bidirectional encoder of `hidden` each way, Bahdanau's attention, a decoder of `hidden`."""

    hidden: int
    embedding: int = 256


SIZES: dict[str, TransformerSize | GRUSize] = {
    "tiny": TransformerSize(layers=4, d_model=128, d_ff=256),
    "small": TransformerSize(layers=3, d_model=256, d_ff=1024),
    "gru256": GRUSize(hidden=256),
    "gru512": GRUSize(hidden=512),
}


@dataclass(frozen=True)
class Job:
    """One contestant's task.

    data: the folder that `tests.benchmarks.training_data` writes: text (`train.src`, `dev.src`,
    each id a word), `vocab.txt` and the encoded run; work: a scratch folder of its own.
    """

    size: str
    data: str
    work: str = ""
    max_tokens: int = 4096
    dropout: float = 0.3
    label_smoothing: float = 0.1
    learning_rate: float = 1e-3
    precision: str = "fp32"
    without: str = ""

    @property
    def transformer(self) -> TransformerSize:
        """The sizes, where they are a Transformer's."""
        size = SIZES[self.size]
        assert isinstance(size, TransformerSize), f"{self.size} is no Transformer"
        return size

    def text(self, split: str, side: str) -> Path:
        """The file of a split's side, token ids as words."""
        return Path(self.data) / f"{split}.{side}"

    @property
    def vocabulary(self) -> Path:
        """All ids that are words, one a line."""
        return Path(self.data) / "vocab.txt"

    def ids(self, side: str) -> list[list[int]]:
        """The training sentences of a side, without bos and eos."""
        with self.text("train", side).open(encoding="utf-8") as lines:
            return [[int(word) for word in line.split()] for line in lines]

    def to_json(self) -> str:
        """For a command line."""
        return json.dumps(asdict(self))


def job_from_command_line() -> Job:
    """The job that the benchmark hands a contestant as its last argument."""
    return Job(**json.loads(sys.argv[-1]))
