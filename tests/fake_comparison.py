"""A comparison without trainings: texts spoiled by chance, with the statistics of a real one.

Three systems, three seeds: `gru-plain` falls behind on long sentences, `gru` is close to
`transformer`. Scores, summaries and contrasts are those of the texts; costs are invented.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.tiny_run import random_pairs, recipe_values, write_corpus
from training.compare.contrasts import Cell, SeedOutput, contrast_all, summarise
from training.compare.counts import METRICS, count, values
from training.compare.joined import joined_test
from training.compare.outcome import (
    FILE,
    ComparedSystem,
    Comparison,
    Contrast,
    CorpusFacts,
    CurvePoint,
    DataCondition,
    Decoding,
    Energy,
    Metric,
    Point,
    Protocol,
    Result,
    Run,
    SingleSeedTest,
    Summary,
    TestSet,
    View,
    ViewName,
)
from training.compare.report import write_report
from training.corpora.pair import Pair
from training.evaluate import bleu, chrf

SEEDS = (1, 2, 3)
VIEWS: tuple[ViewName, ...] = ("tokens", "minutes", "flops")
SAMPLES = 100
DAMAGE = {"transformer": 0.16, "gru": 0.18, "gru-plain": 0.22}
SIGNATURE = "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"
ENERGY = Energy(joules=90.0, method="estimate", watts_per_core=8.0)
BUDGETS: dict[ViewName, str] = {
    "tokens": "6,000,000 target tokens",
    "minutes": "90 minutes",
    "flops": "2.4e14 FLOPs",
}


HOSTILE = Pair(
    "</script><script>window.hacked = 1</script> | a & b",
    '<img src=x onerror="window.hacked = 1"> {{ 7 * 7 }} </style>',
)


@dataclass
class Fake:
    """Writes the texts of a comparison below `folder`, and comparison.json."""

    folder: Path
    pairs: Sequence[Pair]
    corpus: dict[str, Any]
    conditions: Sequence[DataCondition] = (
        DataCondition(name="all"),
        DataCondition(name="1000-pairs", train_pairs=1000),
        DataCondition(name="joined", joined=True),
    )
    name: str = "rnn-or-transformer"
    seeds: Sequence[int] = SEEDS
    checkpoints: dict[str, Path] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    texts: dict[str, list[Pair]] = field(default_factory=dict)

    def write(self) -> Comparison:
        """All of it."""
        test_sets = [self._test_set(joined) for joined in (1, 2, 3, 4)]
        for view in VIEWS:
            for condition in self.conditions:
                for test_set in test_sets:
                    if view == "tokens" or (condition.name == "all" and test_set.joined == 1):
                        self._translate(view, condition, test_set)
        comparison = self._comparison(test_sets)
        (self.folder / FILE).write_text(comparison.model_dump_json(indent=1), encoding="utf-8")
        return comparison

    def _test_set(self, joined: int) -> TestSet:
        name = "test" if joined == 1 else f"test-joined-{joined}"
        pairs = joined_test(self.pairs, joined)
        self.texts[name] = pairs
        self._write(f"texts/{name}.source", [pair.src for pair in pairs])
        self._write(f"texts/{name}.reference", [pair.tgt for pair in pairs])
        return TestSet(
            name=name,
            split="test",
            joined=joined,
            sentences=len(pairs),
            sources=f"texts/{name}.source",
            references=f"texts/{name}.reference",
        )

    def _translate(self, view: ViewName, condition: DataCondition, test_set: TestSet) -> None:
        for system in DAMAGE:
            for seed in self.seeds:
                draw = random.Random(f"{system} {seed} {view} {condition.name} {test_set.name}")
                pairs = self.texts[test_set.name]
                lines = [spoiled(pair.tgt, system, condition, draw) for pair in pairs]
                path = f"texts/{view}-{condition.name}-{test_set.name}-{system}-{seed}.txt"
                self._write(path, lines)
                facts = {"system": system, "seed": seed, "data": condition.name, "view": view}
                references = [pair.tgt for pair in pairs]
                self.results.append(
                    Result(
                        **facts,
                        test_set=test_set.name,
                        scores=tuple(
                            score(lines, references, test_set.name) for score in (bleu, chrf)
                        ),
                        hypotheses=path,
                        decoding=_decoding(system, seed, len(pairs)),
                    )
                )

    def _write(self, path: str, lines: Sequence[str]) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def _comparison(self, test_sets: list[TestSet]) -> Comparison:
        summaries, contrasts = self._statistics()
        return Comparison(
            name=self.name,
            command="seq2serve compare plan.yaml --out build/compare",
            versions={"seq2serve": "0.1.0", "torch": "2.13.0", "sacrebleu": "2.6.0"},
            machine={"processor": "one of chance", "cores": 2, "device": "cpu"},
            revision="0123456789abcdef0123456789abcdef01234567",
            corpus=_corpus(),
            protocol=_protocol(),
            systems=tuple(_system(name, self.corpus) for name in DAMAGE),
            seeds=tuple(self.seeds),
            data=tuple(self.conditions),
            views=tuple(map(_view, VIEWS)),
            test_sets=tuple(test_sets),
            runs=tuple(_run(name, seed) for name in DAMAGE for seed in self.seeds),
            points=tuple(
                self._point(name, seed, view)
                for name in DAMAGE
                for seed in self.seeds
                for view in VIEWS
            ),
            results=tuple(self.results),
            summaries=tuple(summaries),
            contrasts=tuple(contrasts),
        )

    def _point(self, system: str, seed: int, view: ViewName) -> Point:
        return Point(
            system=system,
            seed=seed,
            data="all",
            view=view,
            checkpoint=str(self.checkpoints.get(system, f"runs/{system}-{seed}/final")),
            weights_sha256="0" * 64,
            updates=4000,
            target_tokens=6_000_000,
            processor_minutes=90.0,
            flops=2.4e14,
            length_penalty=1.0,
            validation_bleu={"1.0": 35.0},
        )

    def _statistics(self) -> tuple[list[Summary], list[Contrast]]:
        places = dict.fromkeys((one.data, one.view, one.test_set) for one in self.results)
        cells = [self._cell(*place) for place in places]
        summaries = [summary for cell in cells for summary in summarise(cell, SAMPLES)]
        return summaries, contrast_all(cells, SAMPLES, _no_test)

    def _cell(self, data: str, view: ViewName, test_set: str) -> Cell:
        references = tuple(pair.tgt for pair in self.texts[test_set])
        systems: dict[str, list[SeedOutput]] = {}
        for one in self.results:
            if (one.data, one.view, one.test_set) == (data, view, test_set):
                text = (self.folder / one.hypotheses).read_text(encoding="utf-8")
                lines = tuple(text.split("\n")[:-1])
                tables = {metric: count(metric, lines, references) for metric in METRICS}
                output = SeedOutput(one.seed, 35.0 + one.seed, lines, tables)
                systems.setdefault(one.system, []).append(output)
        return Cell(data, _view(view), test_set, references, systems)


def _view(name: ViewName) -> View:
    return View(name=name, budget=1.0, title=BUDGETS[name])


def _no_test(
    metric: Metric, first: SeedOutput, second: SeedOutput, references: tuple[str, ...]
) -> tuple[SingleSeedTest, ...]:
    """Stands for sacreBLEU's tests, which take their time."""
    difference = float(values(metric, second.tables[metric].sum(0)))
    difference -= float(values(metric, first.tables[metric].sum(0)))
    return (
        SingleSeedTest(
            method="paired bootstrap",
            first_seed=first.seed,
            second_seed=second.seed,
            difference=difference,
            p=0.04,
            p_holm=0.04,
            signature=f"{SIGNATURE}|bs:{SAMPLES}|seed:12345",
        ),
    )


def spoiled(text: str, system: str, condition: DataCondition, draw: random.Random) -> str:
    """The reference as a system of some quality might write it."""
    words, kept = text.split(), []
    damage = DAMAGE[system] * (1.8 if condition.train_pairs else 1.0)
    for place, word in enumerate(words):
        fading = max(0, place - 9) / 40 if system == "gru-plain" and not condition.joined else 0
        fate = draw.random() / (damage + fading)
        if fate > 1:
            kept.append(word)
        elif fate > 0.6:
            kept.append(draw.choice(words))
        elif fate > 0.5:
            kept += [word, word]
    return " ".join(kept)


def fake_comparison(folder: Path, sentences: int = 24) -> Comparison:
    """A small one, quick to make, whose corpus is that of `tests.tiny_run`."""
    write_corpus(folder)
    return Fake(folder, random_pairs(sentences, seed=3), recipe_values(folder)["corpus"]).write()


def write_hostile_comparison(folder: Path) -> None:
    """A comparison with a sentence that would be a script, and its report."""
    write_corpus(folder)
    pairs = [HOSTILE, *random_pairs(23, seed=3)]
    comparison = Fake(folder, pairs, recipe_values(folder)["corpus"]).write()
    write_report(comparison, folder, folder / "report")


def _decoding(system: str, seed: int, sentences: int) -> Decoding:
    seconds = sentences * {"transformer": 0.011, "gru": 0.007, "gru-plain": 0.006}[system]
    seconds *= 1 + 0.02 * seed
    return Decoding(
        seconds=seconds,
        processor_seconds=seconds,
        sentences_per_s=sentences / seconds,
        tokens_per_s=12 * sentences / seconds,
        sentences_per_processor_s=sentences / seconds,
        memory_mib=400.0 + 10 * seed + 100 * len(system),
        energy=ENERGY.model_copy(update={"joules": 8 * seconds}),
    )


def _corpus() -> CorpusFacts:
    return CorpusFacts(
        name="own",
        source="en",
        target="de",
        licence="ours",
        sha256={"train.en": "1" * 64},
        tokenizer="tokenizer.model",
        tokenizer_sha256="2" * 64,
        vocab_size=8000,
    )


def _protocol() -> Protocol:
    return Protocol(
        selection="the weights with the best validation BLEU within the budget",
        validation_split="validation",
        validation_sentences=500,
        beam_size=5,
        length_penalties=(0.6, 1.0, 1.4),
        threads=1,
        samples=SAMPLES,
        random_seed=12345,
        confidence=0.95,
        correction="Holm over test sets, views and pairs",
        checks=("All systems share one vocabulary.", "Sizes differ by less than 1 %."),
        notes=("gru-plain is unmatched: without attention it has fewer parameters.",),
    )


def _system(name: str, corpus: dict[str, Any]) -> ComparedSystem:
    return ComparedSystem(
        name=name,
        recipe=f"multi30k-en-de-{name}",
        family="transformer" if name == "transformer" else "gru",
        settings={"corpus": corpus, "model": {"dropout": 0.3}},
        parameters=2_349_056 if name == "transformer" else 2_368_752,
        embedding_parameters=1_024_000,
        flops_per_target_token=1.4e7,
        unmatched="without attention it has fewer parameters" if name == "gru-plain" else None,
    )


def _run(system: str, seed: int) -> Run:
    best = {"transformer": 36.0, "gru": 34.5, "gru-plain": 20.0}[system]
    speed = {"transformer": 1.0, "gru": 0.8, "gru-plain": 1.1}[system]
    curve = tuple(
        CurvePoint(
            update=400 * step,
            target_tokens=6e5 * step,
            processor_minutes=9 * step / speed,
            minutes=10 * step / speed,
            flops=2.4e13 * step,
            validation_bleu=best * (1 - 0.7**step) + 0.2 * seed,
        )
        for step in range(1, 11)
    )
    return Run(
        system=system,
        seed=seed,
        data="all",
        views=VIEWS,
        folder=f"runs/{system}-{seed}",
        updates=4000,
        epochs=16.0,
        target_tokens=6_000_000,
        processor_minutes=90 / speed,
        minutes=100 / speed,
        flops=2.4e14,
        target_tokens_per_processor_s=1100 * speed,
        peak_memory_mib=900.0,
        energy=ENERGY.model_copy(update={"joules": 43_000 / speed}),
        curve=curve,
    )
