"""Embeddings from plain text alone: skip-gram with negative sampling, Mikolov et al. 2013."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from mt.errors import ConfigError
from mt.tokenizer import Tokenizer
from training.durable_files import write_file

WINDOW, NEGATIVE, SUBSAMPLING = 5, 5, 1e-4  # as in the paper for small corpora


class Sentences:
    """Text as pieces, to be read many times."""

    def __init__(self, texts: Iterable[str], tokenizer: Tokenizer) -> None:
        self._ids, self._tokenizer = [tokenizer.encode(text) for text in texts], tokenizer

    def __iter__(self) -> Iterator[list[str]]:
        return map(self._tokenizer.pieces, self._ids)


def train_skip_gram(
    texts: Iterable[str], tokenizer: Tokenizer, size: int, epochs: int, seed: int, path: Path
) -> int:
    """Learn vectors (size,) of pieces and write them in word2vec's text format; how many.

    Raises:
        ConfigError: gensim is not installed.
    """
    try:
        from gensim.models import Word2Vec
    except ModuleNotFoundError:
        raise ConfigError(
            "word vectors are learnt by gensim: pip install 'seq2serve[embeddings]'"
        ) from None
    model = Word2Vec(
        Sentences(texts, tokenizer),
        vector_size=size,
        sg=1,
        window=WINDOW,
        negative=NEGATIVE,
        sample=SUBSAMPLING,
        min_count=1,
        epochs=epochs,
        seed=seed,
        workers=1,  # equal seeds give equal vectors
    )
    vectors = model.wv
    lines = [f"{len(vectors)} {size}"]
    for piece in vectors.index_to_key:
        lines.append(" ".join([piece, *(f"{x:.6g}" for x in vectors[piece])]))
    write_file(path, "".join(f"{line}\n" for line in lines).encode())
    return len(vectors)
