"""Before the first update: corpus to subwords to token ids, each made once and then reused."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from mt.errors import CheckpointError, ConfigError
from mt.tokenizer import Tokenizer
from training.bpe_dropout import ResampledDataset
from training.checkpoint import Origin
from training.console import Progress, say
from training.corpora.corpus import Corpus, open_corpus
from training.corpora.pair import Pair
from training.dataset import TokenDataset, open_dataset, prepare_dataset, read_facts
from training.durable_files import write_file
from training.recipe import Recipe, to_values
from training.subwords import MODEL_FILE, read_subwords, train_subwords

DATA = "data"
EPOCH = "epoch"
TOKENIZER = MODEL_FILE


@dataclass(frozen=True)
class Prepared:
    """All that the loop reads."""

    corpus: Corpus
    validation: list[Pair]
    tokenizer: Tokenizer
    dataset: TokenDataset
    origin: Origin


def prepare(recipe: Recipe, run: Path, started: Origin | None) -> Prepared:
    """Make RUN/tokenizer.model and RUN/data, or reuse them where they fit.

    `started` is the origin of the checkpoint that will be continued, if there is one.

    Raises:
        ConfigError: the corpus has no such validation split.
        CheckpointError: corpus or vocabulary are no longer those of the run.
        CorpusError: see `Corpus.train_pairs`.
    """
    corpus = open_corpus(recipe.corpus)
    validation = _validation(recipe, corpus)
    made_from = {
        "corpus": to_values(recipe)["corpus"],
        "subwords": to_values(recipe)["subwords"],
        "sha256": corpus.sha256,
    }
    _check_same_corpus(run, corpus, started)
    tokenizer = _tokenizer(recipe, run, corpus, made_from, started)
    dataset = prepare_dataset(
        run / DATA, _watched(corpus), tokenizer, recipe.batching.max_length, made_from
    )
    dataset = _of_epochs(dataset, recipe, run, corpus, tokenizer)
    facts = dataset.facts
    for line in corpus.report.lines() if corpus.report else []:
        say(line)
    say(
        f"{facts.pairs:,} training pairs, {facts.src_tokens:,} source and {facts.tgt_tokens:,} "
        f"target tokens; {facts.dropped_too_long:,} pairs were longer than {facts.max_length}"
    )
    origin = Origin(to_values(recipe), corpus.sha256, sha256_of(tokenizer))
    return Prepared(corpus, validation, tokenizer, dataset, origin)


def prepared_by(origin: Origin, recipe: Recipe, run: Path, worker: int) -> Prepared:
    """What another worker has prepared in `run`; nothing to validate on is read."""
    corpus, tokenizer = open_corpus(recipe.corpus), Tokenizer.load(run / TOKENIZER)
    dataset = _of_epochs(open_dataset(run / DATA), recipe, run, corpus, tokenizer, worker)
    return Prepared(corpus, [], tokenizer, dataset, origin)


def _of_epochs(
    dataset: TokenDataset,
    recipe: Recipe,
    run: Path,
    corpus: Corpus,
    tokenizer: Tokenizer,
    worker: int = 0,
) -> TokenDataset:
    """The dataset as each epoch reads it; every worker writes what it cuts anew by itself."""
    if not recipe.subwords.dropout:
        return dataset
    return ResampledDataset(
        *(dataset.src, dataset.tgt, dataset.facts),
        pairs=corpus.train_pairs,
        tokenizer=tokenizer,
        dropout=recipe.subwords.dropout,
        seed=recipe.seed,
        folder=run / (f"{EPOCH}-{worker}" if worker else EPOCH),
    )


def _watched(corpus: Corpus) -> Iterator[Pair]:
    """The training pairs, with a bar; the pass that learned subwords may have counted them."""
    total = corpus.report.kept if corpus.report else 0
    with Progress("encoding pairs") as bar:
        for number, pair in enumerate(corpus.train_pairs(), start=1):
            if number % 1000 == 0:
                bar.update(min(number / total, 1.0) if total else 0.0, f"{number:,} pairs")
            yield pair


def sha256_of(tokenizer: Tokenizer) -> str:
    """Checksum of a vocabulary."""
    return hashlib.sha256(tokenizer.model).hexdigest()


def _validation(recipe: Recipe, corpus: Corpus) -> list[Pair]:
    split = recipe.evaluation.split
    if split not in corpus.splits:
        raise ConfigError(
            f"evaluation.split: {corpus.name} has no split {split}, only {', '.join(corpus.splits)}"
        )
    return list(corpus.pairs(split))[: recipe.evaluation.sentences]


def _check_same_corpus(run: Path, corpus: Corpus, started: Origin | None) -> None:
    if started is not None and started.corpus_sha256 != corpus.sha256:
        raise CheckpointError(
            f"{run} was trained on other text than {corpus.name} holds now; "
            "bring the old files back or train into another folder"
        )


def _tokenizer(
    recipe: Recipe, run: Path, corpus: Corpus, made_from: dict[str, Any], started: Origin | None
) -> Tokenizer:
    path = run / TOKENIZER
    if started is not None:
        return _same_tokenizer(path, started)
    if recipe.subwords.model is not None:
        tokenizer = read_subwords(recipe.subwords)
        write_file(path, tokenizer.model)
        return tokenizer
    facts = read_facts(run / DATA)
    if facts is not None and facts.made_from["corpus"] == made_from and path.is_file():
        tokenizer = Tokenizer.load(path)
        if facts.made_from["tokenizer"] == sha256_of(tokenizer):
            return tokenizer
    say(f"learning subwords from {corpus.name}")
    tokenizer = train_subwords(chain.from_iterable(corpus.train_pairs()), recipe.subwords)
    write_file(path, tokenizer.model)
    return tokenizer


def _same_tokenizer(path: Path, started: Origin) -> Tokenizer:
    """The vocabulary a checkpoint was trained with."""
    if not path.is_file():
        raise CheckpointError(f"{path} is missing; bring it back or train into another folder")
    tokenizer = Tokenizer.load(path)
    if sha256_of(tokenizer) != started.tokenizer_sha256:
        raise CheckpointError(
            f"{path} is not the vocabulary the checkpoints were trained with; "
            "bring the old one back or train into another folder"
        )
    return tokenizer
