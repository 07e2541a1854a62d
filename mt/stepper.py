"""The contract between the search and a model: rows in, each row's best continuations out.

A *slot* is a sentence that a stepper has encoded. A *row* is one live hypothesis of a slot. Encoder
tensors are kept once per slot; only decoder state moves when hypotheses are reordered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Literal, NamedTuple, Protocol, cast

import numpy as np
import numpy.typing as npt

from mt.bundle import Bundle
from mt.errors import ConfigError

Ids = npt.NDArray[np.int64]
LogProbs = npt.NDArray[np.float32]
Attention = npt.NDArray[np.float32]
Slot = int


@dataclass(frozen=True)
class Rows:
    """The hypotheses to step, all arrays (rows,); nobody changes an array that was given here.

    The very same `slots` as at the last step says that every sentence has the same rows again.

    Rows of one slot stand together. `parents[i]` is the row of the *previous* step that row i
    continues, or -1 where row i begins a slot just admitted (its last id is `bos_id`); a slot
    whose translations are drawn begins with several rows, the same ones.
    A previous row that no row names is forgotten.

    wanted (rows, n): ids whose log-probabilities are wanted whether or not they are among the best.
    """

    slots: Ids
    parents: Ids
    last_ids: Ids
    wanted: Ids | None = None


@dataclass(frozen=True)
class StepOutput:
    """The k best next ids of each row, best first.

    ids (rows, k); log_probs (rows, k), natural logarithm, normalised over the ids a model may
    emit (never pad, bos or unknown); attention (rows, src_len) of the longest running source, zero
    beyond a row's own source, or None where not asked for or where the model has none;
    wanted (rows, n): log-probabilities of `Rows.wanted`, where there are any.
    """

    ids: Ids
    log_probs: LogProbs
    attention: Attention | None = None
    wanted: LogProbs | None = None


class Footprint(NamedTuple):
    """Bytes that a running sentence takes beside the weights; 0 where a stepper does not count.

    source_token: of what decoding reads of one source token; entry: of what one hypothesis
    remembers of one token it has written.
    """

    source_token: int = 0
    entry: int = 0


class Stepper(Protocol):
    """A model with its cache, as the search sees it. Not thread-safe: one search owns it."""

    @property
    def vocab_size(self) -> int:
        """Number of ids; `step` returns min(k, vocab_size) continuations."""

    @property
    def footprint(self) -> Footprint:
        """What running sentences take of memory."""

    def admit(
        self, src_ids: Sequence[Sequence[int]], most_rows: Sequence[int] | None = None
    ) -> list[Slot]:
        """Encode sentences of any lengths (each ends with eos) beside those already running.

        most_rows: of each sentence, the rows it will have at most, where that is known.
        """

    def step(self, rows: Rows, k: int, with_attention: bool = False) -> StepOutput:
        """Continue every row by one id; return each row's k best next ids."""

    def retire(self, slots: Sequence[Slot]) -> None:
        """Free sentences whose rows will not be stepped again; their neighbours run on."""


class OpenedStepper(Stepper, Protocol):
    """A stepper over a bundle's graphs."""

    def twin(self) -> "OpenedStepper":
        """Another one on the same weights, for another thread."""


Device = Literal["cpu", "cuda"]


class OpenStepper(Protocol):
    """How a runtime opens a bundle; `threads` are its intra-operator threads."""

    def __call__(
        self,
        bundle: Bundle,
        precision: str | None = None,
        threads: int = 1,
        device: Device = "cpu",
        shortlist: bool = False,
    ) -> OpenedStepper:
        """Open the bundle's graphs at one of its precisions (None: the manifest's default).

        shortlist: score no more of the vocabulary than the bundle's shortlist has for a sentence.
        """


def runtime(name: str = "onnx") -> OpenStepper:
    """Find an installed runtime by name, so that exporting can check what serving will run.

    Raises:
        ConfigError: no such runtime is installed.
    """
    for entry in entry_points(group="seq2serve.runtimes", name=name):
        try:
            return cast(OpenStepper, entry.load())
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"the {name} runtime needs {error.name}: pip install 'seq2serve[serve]'"
            ) from None
    raise ConfigError(f"no runtime named {name}: install this project with pip first")
