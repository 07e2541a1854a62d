"""What terms cost, and what they give: words of the reference that a translation must hold.

python -m tests.benchmarks.glossaries --bundle FOLDER [--sentences 100] [--rounds 3]

As in Post and Vilar 2018, section 4: of each reference a run of one to three words is drawn and
required, preferred, or left alone. Sentences are those of Multi30k test2016, from $SEQ2SERVE_DATA.
Seconds are those of the process, not of the clock, so a busy machine disturbs little.
"""

import argparse
import gzip
import os
import random
import re
import statistics
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import numpy as np

from mt import bundle as bundles
from mt.beam_search import Hypothesis, Job, RunningBatch, SearchOptions
from mt.bundle import Bundle
from serving.onnx_stepper import open_stepper
from serving.stores.glossaries import PREFERENCE
from training.evaluate import bleu

SENTENCES_AT_ONCE = 32
BEAM_SIZE = 5
_RUN = re.compile(r"\w+(?: \w+)*")


def main() -> None:
    """Measure and print one line for each share of sentences with a term."""
    asked = _arguments()
    bundle = bundles.open(Path(asked.bundle))
    manifest = bundle.manifest
    pair = (manifest.source_language, manifest.target_language)
    sources, references = (_lines(language, asked.sentences) for language in pair)
    terms = [_drawn(one, seed) for seed, one in enumerate(references)]
    seconds: dict[str, list[float]] = {}
    found: dict[str, list[str]] = {}
    for _ in range(asked.rounds):
        for name, options in _ways(bundle, terms).items():
            taken, found[name] = _translate(bundle, sources, options)
            seconds.setdefault(name, []).append(taken)
    plain = statistics.median(seconds["none"])
    precision = manifest.default_precision
    print(f"{len(sources)} sentences, beam {BEAM_SIZE}, {precision}, median of {asked.rounds}")
    for name, texts in found.items():
        held = sum(term in text for term, text in zip(terms, texts, strict=True))
        speed = plain / statistics.median(seconds[name])
        score = bleu(texts, references).value
        print(f"{name:15} speed {speed:.2f}  BLEU {score:.1f}  holds {held}/{len(terms)} terms")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", required=True)
    parser.add_argument("--sentences", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def _lines(language: str, most: int) -> list[str]:
    """The first sentences of a side of the test set."""
    folder = Path(os.environ["SEQ2SERVE_DATA"]) / "multi30k"
    with gzip.open(folder / f"test_2016_flickr.{language}.gz", "rt", encoding="utf-8") as file:
        return [line.strip() for line, _ in zip(file, range(most), strict=False)]


def _drawn(reference: str, seed: int) -> str:
    """One to three words of a reference that stand together."""
    dice = random.Random(seed)
    words = dice.choice(_RUN.findall(reference)).split(" ")
    length = dice.randint(1, min(3, len(words)))
    start = dice.randint(0, len(words) - length)
    return " ".join(words[start : start + length])


def _ways(bundle: Bundle, terms: Sequence[str]) -> dict[str, list[SearchOptions]]:
    """Options of every sentence, by what is measured."""
    plain = SearchOptions(beam_size=BEAM_SIZE)
    ids = [tuple(bundle.tokenizer.encode_phrase(term)) for term in terms]
    required = [SearchOptions(beam_size=BEAM_SIZE, terms=(one,)) for one in ids]
    preferred = [one.model_copy(update={"term_bias": PREFERENCE}) for one in required]
    tenth = [required[i] if i % 10 == 0 else plain for i in range(len(terms))]
    ways = {"none": [plain] * len(terms), "required, 10 %": tenth}
    return ways | {"required": required, "preferred": preferred}


def _translate(
    bundle: Bundle, sources: Sequence[str], options: Sequence[SearchOptions]
) -> tuple[float, list[str]]:
    """Seconds and translations; a finished sentence's place is taken at once."""
    stepper = open_stepper(bundle)
    continuing = np.array(bundle.tokenizer.continuing())
    batch = RunningBatch(stepper, bundle.manifest.max_target_tokens, continuing)
    jobs = [
        Job(i, bundle.tokenizer.encode_source(source), one)
        for i, source, one in zip(count(), sources, options, strict=False)
    ]
    waiting = sorted(jobs, key=lambda job: len(job.src_ids))
    best: dict[object, Hypothesis] = {}
    began = time.process_time()
    while waiting or batch.sentences:
        batch.admit([waiting.pop() for _ in range(SENTENCES_AT_ONCE - batch.sentences) if waiting])
        best.update((one.key, one.hypotheses[0]) for one in batch.step())
    taken = time.process_time() - began
    return taken, [bundle.tokenizer.decode(best[job.key].ids) for job in jobs]


if __name__ == "__main__":
    main()
