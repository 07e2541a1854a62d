"""The benchmark's data: one corpus as token ids, for our trainer and as text for the peers.

A peer that reads text gets each id as a word ("17 452 9"), so that every contestant trains on the
very same ids whatever tokenizers it brings.
"""

from pathlib import Path

from mt.errors import CorpusError
from tests.benchmarks.training_peers.job import SIZES, SOURCE, TARGET, WORDS, GRUSize, Job
from training.corpora.registry import data_folder
from training.dataset import TokenSequences
from training.prepare import Prepared, prepare
from training.recipe import Recipe, load_recipe, to_values, to_yaml

DEV_PAIRS = 100  # a peer may insist on some; none is scored
NEVER = 10**9
RECIPE = "recipe.yaml"


def multi30k() -> Recipe:
    """Corpus and vocabulary of the benchmark.

    Raises:
        CorpusError: SEQ2SERVE_DATA is not set.
    """
    if data_folder() is None:
        raise CorpusError(
            "SEQ2SERVE_DATA is not set; point it at the folder that holds multi30k/ to train on"
        )
    job = Job(size="tiny", data="")
    corpus = {"name": "multi30k", "source": "en", "target": "de"}
    return Recipe.model_validate(
        {
            "name": "benchmark",
            "corpus": corpus,
            "subwords": {"vocab_size": 8000},
            "batching": {"max_length": 100},
            **_of_job(job),
        }
    )


def prepare_data(recipe: Recipe, folder: Path) -> Prepared:
    """Encode the recipe's corpus into `folder`, once, with the recipe and text files beside it.

    Raises:
        CorpusError: the corpus cannot be used.
    """
    folder.mkdir(parents=True, exist_ok=True)
    prepared = prepare(recipe, folder, None)
    (folder / RECIPE).write_text(to_yaml(recipe), encoding="utf-8")
    words = range(WORDS, prepared.tokenizer.vocab_size)
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    for side, sentences in ((SOURCE, prepared.dataset.src), (TARGET, prepared.dataset.tgt)):
        _write_text(sentences, folder / f"train.{side}", len(sentences))
        _write_text(sentences, folder / f"dev.{side}", DEV_PAIRS)
    return prepared


def recipe_for(job: Job) -> Recipe:
    """The recipe of a prepared folder, with the job's model and settings, that trains for ever."""
    values = to_values(load_recipe(Path(job.data) / RECIPE))
    batching = values["batching"] | {"max_tokens": job.max_tokens}
    return Recipe.model_validate(values | _of_job(job) | {"batching": batching})


def _of_job(job: Job) -> dict[str, object]:
    """What a real run has: a moving average of the weights, and a line of metrics now and then."""
    return {
        "model": _model(job),
        "loss": {"label_smoothing": job.label_smoothing},
        "optimizer": {"learning_rate": job.learning_rate, "ema_decay": 0.998},
        "training": {
            "max_updates": NEVER,
            "device": "cpu",
            "precision": job.precision,
            "threads": 1,
            "log_every": 10,
        },
        "evaluation": {"every_updates": NEVER},
    }


def _model(job: Job) -> dict[str, object]:
    size = SIZES[job.size]
    if isinstance(size, GRUSize):
        return {
            "family": "gru",
            "embedding_size": size.embedding,
            "encoder_size": size.hidden,
            "decoder_size": size.hidden,
            "attention_size": size.hidden,
            "dropout": job.dropout,
            "dropout_output": job.dropout,
        }
    return {
        "family": "transformer",
        "encoder_layers": size.layers,
        "decoder_layers": size.layers,
        "d_model": size.d_model,
        "n_heads": size.n_heads,
        "d_ff": size.d_ff,
        "dropout": job.dropout,
        "norm": "pre",
    }


def _write_text(sentences: TokenSequences, path: Path, count: int) -> None:
    """The first sentences, one a line, each id a word."""
    with path.open("w", encoding="utf-8") as lines:
        for i in range(min(count, len(sentences))):
            lines.write(" ".join(map(str, sentences[i].tolist())) + "\n")
