"""Every family, and what its recipes can choose: trained, scored, exported, served.

A new variant is one line here.
"""

import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from mt.beam_search import SearchOptions
from serving.text.text_options import TextOptions
from serving.translator import Translator
from tests.tiny_hybrid import HYBRID, HYBRID_SIZES
from tests.tiny_models import GRU_SIZES, TRANSFORMER_SIZES, TRANSFORMER_VARIANTS
from tests.tiny_recurrent import RECURRENT, RECURRENT_SIZES
from tests.tiny_run import tiny_recipe
from training.corpora import embedded
from training.corpora.pair import Pair
from training.export import export
from training.models import FAMILIES
from training.scoring import score_system
from training.system import open_system
from training.train import train

DECODER_ONLY_SIZES = {"layers": 2, "d_model": 16, "n_heads": 2, "d_ff": 24}
VARIANTS: dict[str, dict[str, Any]] = {
    "gru": {"family": "gru", **GRU_SIZES},
    "gru-no-attention": {"family": "gru", "attention": "none", **GRU_SIZES},
    "transformer": {"family": "transformer", **TRANSFORMER_SIZES},
    "decoder-only": {"family": "decoder-only", **DECODER_ONLY_SIZES},
    **{
        f"transformer-{name}": {"family": "transformer", **TRANSFORMER_SIZES, **changes}
        for name, changes in TRANSFORMER_VARIANTS.items()
    },
    **{
        f"recurrent-{name}": {"family": "recurrent", **RECURRENT_SIZES, **changes}
        for name, changes in RECURRENT.items()
    },
    **{name: {"family": "hybrid", **HYBRID_SIZES, **changes} for name, changes in HYBRID.items()},
}
PAIRS = {"train": 200, "validation": 6, "test": 4}
LONGEST = 8  # words of a sentence: untrained cells with norms blow up rounding, step by step
LANGUAGES = ("fr", "en")
UNGUARDED = TextOptions(guards=False)  # a babbling model would be asked once more
SEARCH = SearchOptions(beam_size=2, max_length=20)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """`train` sets threads for its process; tests after this module get theirs back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def short_pairs(split: str) -> list[Pair]:
    pairs = embedded.generate(split)
    return list(islice((p for p in pairs if len(p.src.split()) <= LONGEST), PAIRS[split]))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A slice of the embedded corpus, as the `corpus` section of a recipe."""
    folder = tmp_path_factory.mktemp("corpus")
    files = {}
    for split in PAIRS:
        paths = [folder / f"{split}.{language}" for language in LANGUAGES]
        for path, texts in zip(paths, zip(*short_pairs(split), strict=True), strict=True):
            path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
        source, target = map(str, paths)
        files[split] = {"format": "moses", "source": source, "target": target}
    source, target = LANGUAGES
    return {"name": "slice", "source": source, "target": target, "licence": "MIT", "files": files}


def test_no_family_is_left_out() -> None:
    assert {model["family"] for model in VARIANTS.values()} == FAMILIES.keys()


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_trains_scores_exports_and_serves(
    name: str, corpus: dict[str, Any], tmp_path: Path
) -> None:
    settings = {"corpus": corpus, "subwords.vocab_size": 200, "model": VARIANTS[name]}
    quick = {"training.max_updates": 4, "training.average_count": 1, "evaluation.sentences": 2}
    recipe = tiny_recipe(tmp_path, **settings, **quick)
    run = train(recipe, tmp_path / "run").run

    scored = score_system(open_system(run, threads=1), "test", SEARCH)
    assert all(math.isfinite(score.value) for score in scored.scores)

    bundle = export(run, tmp_path / "bundle", ["fp32"])
    assert bundle.manifest.family == VARIANTS[name]["family"]
    for check in bundle.manifest.parity["checks"]:
        assert check["identical"] + check["tied"] == PAIRS["validation"]

    source = short_pairs("test")[0].src
    with Translator.open(bundle.folder) as translator:
        (answer,) = translator.translate([source], SEARCH, text_options=UNGUARDED)
    assert answer.text == scored.evaluated.hypotheses[0]
