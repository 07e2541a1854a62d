"""Word vectors from elsewhere as first embeddings: the text format of word2vec and GloVe."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from mt.errors import ConfigError
from mt.tokenizer import SPECIAL_IDS, Tokenizer
from training.console import say
from training.corpora.lines import read_lines
from training.models.seq2seq import Seq2Seq

Vector = npt.NDArray[np.float32]
SPACE = "\u2581"  # how SentencePiece spells the space before a word


def read_vectors(path: Path, size: int) -> Iterator[tuple[str, Vector]]:
    """Words and their vectors (size,), a line each; word2vec's first line of two counts is skipped.

    Raises:
        ConfigError: a line is no word and `size` numbers.
        CorpusError: the file cannot be read.
    """
    for number, line in enumerate(read_lines(path), start=1):
        word, *numbers = line.rstrip().split(" ")
        if number == 1 and len(numbers) == 1:
            continue
        if len(numbers) != size:
            raise ConfigError(
                f"{path}, line {number}: {len(numbers)} numbers after the word, but the model's "
                f"embeddings have {size}"
            )
        try:
            yield word, np.array(numbers, np.float32)
        except ValueError:
            raise ConfigError(f"{path}, line {number}: not all of these are numbers") from None


def load_embeddings(model: Seq2Seq, tokenizer: Tokenizer, paths: Sequence[Path]) -> int:
    """Put vectors where a piece has one into every embedding; how many pieces that were.

    A vector belongs to the piece that is spelt like it, or to the piece of the whole word. All are
    scaled together to the size of the fresh vectors, so that they suit the learning rate. Where two
    files know a piece, the later counts.

    Raises:
        ConfigError: vectors of another size or of no piece at all, or tables of several sizes.
        CorpusError: a file cannot be read.
    """
    pieces = tokenizer.pieces(range(tokenizer.vocab_size))
    ids = {piece: i for i, piece in enumerate(pieces) if i not in SPECIAL_IDS}
    tables = [
        table.weight
        for name, table in model.named_modules()
        if isinstance(table, nn.Embedding) and name.endswith("embedding")
    ]
    width = _only_width(tables)
    found: dict[int, Vector] = {}
    for path in paths:
        for word, vector in read_vectors(path, width):
            place = ids.get(word, ids.get(SPACE + word))
            if place is not None:
                found[place] = vector
    if not found:
        raise ConfigError(
            f"initialise_embeddings: none of the {len(ids):,} pieces stands in "
            f"{', '.join(map(str, paths))}"
        )
    vectors = torch.from_numpy(np.stack(list(found.values())))
    with torch.no_grad():
        for table in tables:
            scale = table.square().mean().sqrt() / vectors.square().mean().sqrt().clamp(min=1e-12)
            table[list(found)] = (vectors * scale).to(table)
    say(f"first embeddings of {len(found):,} of {len(ids):,} pieces from {len(paths)} files")
    return len(found)


def _only_width(tables: Sequence[torch.Tensor]) -> int:
    widths = sorted({table.shape[1] for table in tables})
    if len(widths) > 1:
        raise ConfigError(
            f"initialise_embeddings: the model's tables are {' and '.join(map(str, widths))} wide "
            "and no vector fits both; set model.embedding_size to model.d_model"
        )
    return widths[0]
