"""Training pairs as token ids in memory-mapped files: encoded once, read from disk ever after.

Layout of the folder: `src.ids` and `tgt.ids` hold all sentences one behind the other (int32, no
bos, no eos), `src.offsets.npy` and `tgt.offsets.npy` say where each starts, `dataset.json` what
they were made from.
"""

import hashlib
import json
import shutil
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import torch

from mt.errors import CorpusError
from mt.tokenizer import Tokenizer
from training.corpora.pair import Pair

_FACTS = "dataset.json"
_AT_ONCE = 1 << 13  # offsets, or pairs


class TokenSequences:
    """Sentences of one side, memory-mapped; `self[i]` is the ids of sentence i, (length,) int32."""

    def __init__(self, folder: Path, side: str) -> None:
        offsets = np.load(folder / f"{side}.offsets.npy", mmap_mode="r")
        self._offsets: npt.NDArray[np.int64] = offsets.view(np.ndarray)
        mapped = np.memmap(folder / f"{side}.ids", dtype="<i4", mode="r")
        self._ids = mapped.view(np.ndarray)  # the same memory, a third of the time for a slice

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, i: int) -> npt.NDArray[np.int32]:
        return self._ids[self._offsets[i] : self._offsets[i + 1]]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of every sentence, eos counted."""
        return np.diff(self._offsets) + 1

    def lengths_of(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Tokens of these sentences, eos counted."""
        return self._offsets[numbers + 1] - self._offsets[numbers] + 1


@dataclass(frozen=True)
class DatasetFacts:
    """What a dataset was made from and what is in it; lengths and tokens count eos."""

    made_from: dict[str, Any]
    max_length: int
    pairs: int
    dropped_too_long: int
    src_tokens: int
    tgt_tokens: int


@dataclass(frozen=True)
class TokenDataset:
    """The encoded training pairs of one run."""

    src: TokenSequences
    tgt: TokenSequences
    facts: DatasetFacts

    def of_epoch(self, epoch: int) -> "TokenDataset":
        """The pairs as one pass over them reads them: always the same."""
        return self


def prepare_dataset(
    folder: Path,
    pairs: Iterable[Pair],
    tokenizer: Tokenizer,
    max_length: int,
    corpus: Mapping[str, Any],
) -> TokenDataset:
    """Encode pairs into `folder`, or reuse what is there if it was made from the same things.

    `corpus` identifies the pairs (JSON values). Pairs with a side over `max_length` tokens (eos
    counted) are left out and counted.

    Raises:
        CorpusError: no pair is left.
    """
    made_from = {"corpus": dict(corpus), "tokenizer": hashlib.sha256(tokenizer.model).hexdigest()}
    facts = read_facts(folder)
    if facts is None or (facts.made_from, facts.max_length) != (made_from, max_length):
        write_dataset(folder, encoded(pairs, tokenizer), max_length, made_from)
    return open_dataset(folder)


def encoded(pairs: Iterable[Pair], tokenizer: Tokenizer) -> Iterator[tuple[list[int], list[int]]]:
    """Ids of both sides of every pair, some thousand at a time, on as many threads as torch has."""
    stream, threads = iter(pairs), torch.get_num_threads()
    while chunk := list(islice(stream, _AT_ONCE)):
        src, tgt = zip(*chunk, strict=True)
        yield from zip(
            tokenizer.encode_all(src, threads), tokenizer.encode_all(tgt, threads), strict=True
        )


def read_facts(folder: Path) -> DatasetFacts | None:
    """Facts of a finished dataset, or None where there is none."""
    try:
        return DatasetFacts(**json.loads((folder / _FACTS).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def open_dataset(folder: Path) -> TokenDataset:
    """Open a dataset that `prepare_dataset` has finished."""
    facts = read_facts(folder)
    if facts is None:
        raise CorpusError(f"{folder} holds no encoded training pairs; train again")
    return TokenDataset(TokenSequences(folder, "src"), TokenSequences(folder, "tgt"), facts)


class _Writer:
    """Appends sentences of one side; leaving the context completes the files."""

    def __init__(self, folder: Path, side: str) -> None:
        self._ids: BinaryIO = (folder / f"{side}.ids").open("wb")
        self._offsets: BinaryIO = (folder / f"{side}.offsets.npy").open("wb")
        self._fresh = array("q")  # offsets on their way to the file
        self.sentences = self._length = 0

    def __enter__(self) -> "_Writer":
        self._write_header()
        self._offsets.write(bytes(8))
        return self

    def __exit__(self, *_: object) -> None:
        with self._ids, self._offsets:
            self._offsets.write(self._fresh.tobytes())
            self._offsets.seek(0)
            self._write_header()

    def _write_header(self) -> None:
        """Numpy leaves room in it for an array's length to grow."""
        facts = {"descr": "<i8", "fortran_order": False, "shape": (self.sentences + 1,)}
        np.lib.format.write_array_header_1_0(self._offsets, facts)

    @property
    def tokens(self) -> int:
        return self._length + self.sentences

    def append(self, ids: list[int]) -> None:
        self._ids.write(array("i", ids).tobytes())
        self._length += len(ids)
        self.sentences += 1
        self._fresh.append(self._length)
        if len(self._fresh) == _AT_ONCE:
            self._offsets.write(self._fresh.tobytes())
            del self._fresh[:]


def write_dataset(
    folder: Path,
    encoded: Iterable[tuple[list[int], list[int]]],
    max_length: int,
    made_from: dict[str, Any],
) -> None:
    """Write all files into a neighbour, then put it in place of `folder`.

    Raises:
        CorpusError: no pair is short enough.
    """
    fresh = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    dropped = 0
    with _Writer(fresh, "src") as src, _Writer(fresh, "tgt") as tgt:
        for src_ids, tgt_ids in encoded:
            if max(len(src_ids), len(tgt_ids)) < max_length:
                src.append(src_ids)
                tgt.append(tgt_ids)
            else:
                dropped += 1
    if not src.sentences:
        raise CorpusError(
            f"no training pair is left: {dropped} have more than {max_length} tokens on a side; "
            "raise batching.max_length or look at the corpus report"
        )
    facts = DatasetFacts(made_from, max_length, src.sentences, dropped, src.tokens, tgt.tokens)
    (fresh / _FACTS).write_text(json.dumps(asdict(facts), indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
