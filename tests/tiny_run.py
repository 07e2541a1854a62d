"""A corpus of 200 pairs and a recipe that trains on it in seconds."""

import random
from functools import cache
from pathlib import Path
from typing import Any

from mt.tokenizer import Tokenizer
from training.corpora.pair import Pair
from training.recipe import Recipe
from training.subwords import SubwordsConfig, train_subwords

WORDS = {
    "the": "die",
    "a": "eine",
    "cat": "katze",
    "dog": "hund",
    "bird": "vogel",
    "sees": "sieht",
    "hears": "hört",
    "likes": "mag",
    "red": "rot",
    "big": "gross",
    "small": "klein",
    "old": "alt",
    "house": "haus",
    "tree": "baum",
    "in": "in",
    "under": "unter",
    "and": "und",
}


def random_pairs(count: int, seed: int = 0) -> list[Pair]:
    """Random sentences of two to nine words, translated word by word."""
    draw = random.Random(seed)
    sources = [draw.choices(list(WORDS), k=draw.randint(2, 9)) for _ in range(count)]
    return [Pair(" ".join(words), " ".join(WORDS[word] for word in words)) for words in sources]


@cache
def tiny_tokenizer() -> Tokenizer:
    """Subwords of such sentences."""
    texts = [text for pair in random_pairs(200) for text in pair]
    return train_subwords(texts, SubwordsConfig(vocab_size=80))


def write_corpus(folder: Path) -> None:
    """200 pairs to train on, 12 to validate on."""
    for split, pairs in (("train", random_pairs(200)), ("validation", random_pairs(12, seed=1))):
        for side, texts in zip(("en", "de"), zip(*pairs, strict=True), strict=True):
            lines = "".join(f"{text}\n" for text in texts)
            (folder / f"{split}.{side}").write_text(lines, encoding="utf-8")


def recipe_values(folder: Path) -> dict[str, Any]:
    """Values of a recipe for the corpus in `folder`: 25 updates, two epochs and a half."""
    files = {
        split: {
            "format": "moses",
            "source": str(folder / f"{split}.en"),
            "target": str(folder / f"{split}.de"),
        }
        for split in ("train", "validation")
    }
    return {
        "name": "tiny",
        "seed": 7,
        "corpus": {
            "name": "own",
            "source": "en",
            "target": "de",
            "licence": "ours",
            "files": files,
        },
        "subwords": {"vocab_size": 80},
        "model": {
            "family": "transformer",
            "encoder_layers": 1,
            "decoder_layers": 1,
            "d_model": 16,
            "n_heads": 2,
            "d_ff": 16,
            "dropout": 0.1,
        },
        "optimizer": {"learning_rate": 0.01},
        "schedule": {"warmup_updates": 5},
        "batching": {"max_tokens": 200},
        "training": {
            "max_updates": 25,
            "average": "last",
            "average_count": 2,
            "threads": 1,
            "log_every": 1,
        },
        "evaluation": {"every_updates": 10, "sentences": 4},
    }


def tiny_recipe(folder: Path, **changes: Any) -> Recipe:
    """The recipe with some values changed: `tiny_recipe(folder, **{"model.dropout": 0.2})`."""
    values = recipe_values(folder)
    for key, value in changes.items():
        section = values
        *parents, last = key.split(".")
        for parent in parents:
            section = section.setdefault(parent, {})
        section[last] = value
    return Recipe.model_validate(values)
