"""Learn from plain text first: a translation recipe turned into one that needs no pairs."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from torch import nn

from mt.config import validate
from mt.errors import CheckpointError
from mt.tokenizer import Tokenizer
from training.console import say
from training.corpora.corpus import open_corpus
from training.corpora.lines import read_lines
from training.durable_files import write_file
from training.models import build_model
from training.recipe import Recipe, load_recipe, to_values, to_yaml
from training.resume import checkpoint_to_continue, locked
from training.skip_gram import train_skip_gram
from training.subwords import MODEL_FILE, read_subwords, train_subwords
from training.train import train

Objective = Literal["denoising", "masked", "causal", "skip-gram"]
VECTORS = "vectors.txt"
SKIP_GRAM_EPOCHS = 10
SHARES = {"denoising": 0.3, "masked": 0.15, "causal": 0.3}  # the papers'; causal hides nothing


def pretrain(
    recipe: Recipe, texts: Sequence[Path], licence: str, objective: Objective, run: Path
) -> list[str] | None:
    """Pretrain the model of a translation recipe on plain text, a sentence a line, into `run`.

    Lines that tell what to type next; None where a signal stopped it. The same call continues.

    Raises:
        ConfigError: the model cannot learn that way, or the recipe does not fit the text.
        CorpusError: a text cannot be read, or nothing of it is left.
        CheckpointError: the run belongs to another recipe, or the disk refuses.
    """
    chosen = pretraining_recipe(recipe, texts, licence, objective)
    if objective == "skip-gram":
        with locked(run):
            return _word_vectors(chosen, run)
    result = train(chosen, run)
    if not result.finished:
        return None
    return [result.outcome(), _next(run, f"initialise_from={run}")]


def pretraining_recipe(
    recipe: Recipe, texts: Sequence[Path], licence: str, objective: Objective
) -> Recipe:
    """The recipe with plain text for its corpus; some of it is held out for validation."""
    values = to_values(recipe)
    cleaning: dict[str, Any] = {"drop_copies": False, "source_script": None, "target_script": None}
    corpus = {
        "name": f"{recipe.corpus.name}-text",
        "source": recipe.corpus.source,
        "target": recipe.corpus.target,
        "licence": licence,
        "files": {"train": [{"format": "text", "path": str(path)} for path in texts]},
        "split": {"validation": _held_out(texts), "test": 0},
        "cleaning": values["corpus"]["cleaning"] | cleaning,
    }
    loss: dict[str, Any] = {"label_smoothing": recipe.loss.label_smoothing}
    if objective != "skip-gram":
        loss["pretraining"] = {"objective": objective, "share": SHARES[objective]}
    changed = {
        "name": f"{recipe.name[:48]}-{objective}",
        "initialise_from": None,
        "initialise_embeddings": [],
        "corpus": corpus,
        "loss": loss,
        "evaluation": values["evaluation"] | {"split": "validation"},
        "tune": {},
    }
    return validate(values | changed, Recipe, where="pretrain")


def _held_out(texts: Sequence[Path]) -> int:
    """Lines to validate on: one in twenty, at most 500."""
    lines = sum(1 for path in texts for _ in read_lines(path))
    return max(1, min(500, lines // 20))


def _word_vectors(recipe: Recipe, run: Path) -> list[str]:
    """Vectors of pieces in RUN/vectors.txt, and the pieces beside them; once learnt they stay."""
    path = run / VECTORS
    checkpoint_to_continue(recipe, run)  # refuses a run of another recipe
    if path.is_file():
        if to_values(load_recipe(run / "recipe.yaml")) != to_values(recipe):
            raise CheckpointError(f"{path} was learnt with another recipe; name another folder")
        say(f"{path} is already there")
        return _lines(run, path)
    if recipe.subwords.model is not None:
        tokenizer = read_subwords(recipe.subwords)
    else:
        say("learning subwords")
        tokenizer = train_subwords(_sentences(recipe), recipe.subwords)
    write_file(run / "recipe.yaml", to_yaml(recipe).encode())
    write_file(run / MODEL_FILE, tokenizer.model)
    tables = build_model(recipe.model, tokenizer.vocab_size).modules()
    size = next(table.embedding_dim for table in tables if isinstance(table, nn.Embedding))
    say(f"learning vectors of {size} numbers, {SKIP_GRAM_EPOCHS} passes over the text")
    train_skip_gram(_sentences(recipe), tokenizer, size, SKIP_GRAM_EPOCHS, recipe.seed, path)
    return _lines(run, path)


def _lines(run: Path, path: Path) -> list[str]:
    count, _ = path.read_text(encoding="utf-8").partition("\n")[0].split()
    return [f"{int(count):,} vectors: {path}", _next(run, f"initialise_embeddings=[{path}]")]


def _sentences(recipe: Recipe) -> Iterator[str]:
    return (pair.tgt for pair in open_corpus(recipe.corpus).train_pairs())


def _next(run: Path, start: str) -> str:
    pieces = Tokenizer.load(run / MODEL_FILE).vocab_size
    return (
        f"next: seq2serve train RECIPE --set {start} --set subwords.model={run} "
        f"--set subwords.vocab_size={pieces}"
    )
