"""`seq2serve compare`: train what is missing, score, test, and write comparison.json.

The folder of a comparison holds comparison.json, `translations` and what was made on the way in
`runs`: trainings, shared pieces, and in `runs/found` everything that scoring found out.
"""

from collections.abc import Sequence
from functools import partial
from itertools import chain
from pathlib import Path

from mt.errors import CheckpointError, ConfigError
from training.compare.comparing import Comparing
from training.compare.contrasts import (
    Cell,
    SeedOutput,
    SingleSeedTests,
    contrast_all,
    paired_tests,
    summarise,
)
from training.compare.jobs import (
    candidates,
    checkpoints,
    is_finished,
)
from training.compare.joined import joined_test
from training.compare.outcome import FILE, Comparison, Metric, View, ViewName
from training.compare.plan import Plan
from training.compare.price import price, table
from training.compare.records import Found, record
from training.compare.scored import (
    PointJob,
    RememberedTests,
    ScoredPoint,
    Search,
    Sentences,
    score_points,
)
from training.compare.spread import Workers
from training.console import say
from training.corpora.corpus import Corpus, open_corpus
from training.durable_files import write_file, write_folder
from training.recipe import Recipe
from training.remembered import remembered
from training.scoring import evenly

TRANSLATIONS = "translations"


def price_lines(comparing: Comparing, workers: Workers) -> list[str]:
    """What is left to train and how long it takes, for people."""
    return table(price(comparing.jobs, comparing.shared), workers.at_once)


def compare(comparing: Comparing, workers: Workers, command: str) -> Comparison:
    """Train, score, test, and write; what is there already is used.

    Raises:
        MTError: a step failed; the same command goes on from there.
        KeyboardInterrupt: a signal came; the same.
    """
    waiting = {job.run: job.recipe for job in comparing.jobs if not is_finished(job)}
    workers.train(waiting)
    for job in comparing.jobs:
        if not is_finished(job):
            raise CheckpointError(f"{job.run} did not come to its end; repeat the command")
    say("translating and scoring; what was translated before is used again")
    found = _score(comparing, workers)
    say("testing differences")
    cells = make_cells(comparing.plan, found)
    samples = comparing.plan.samples
    summaries = [summary for cell in cells for summary in summarise(cell, samples)]
    contrasts = contrast_all(cells, samples, partial(_remembered_tests, comparing))
    outcome, texts = record(comparing, found, summaries, contrasts, command)
    write_folder(comparing.folder / TRANSLATIONS, texts)
    data = outcome.model_dump_json(indent=1).encode() + b"\n"
    write_file(comparing.folder / FILE, data)
    return outcome


def _score(comparing: Comparing, workers: Workers) -> Found:
    """Every point of every run, translated and scored."""
    plan = comparing.plan
    corpus = open_corpus(next(iter(comparing.recipes.values())).corpus)
    tests = _test_sets(plan, comparing.fair.tests, corpus)
    validation = _validation(plan, next(iter(comparing.recipes.values())), corpus)
    search = Search(plan.search.beam_size, plan.search.length_penalties, plan.threads)
    asked: dict[tuple[Path, ViewName], PointJob] = {}
    for job in comparing.jobs:
        kept = checkpoints(job.run)
        for view, mark in job.marks.items():
            weights = tuple((one.folder, one.sha256) for one in candidates(kept, mark, job.run))
            asked[job.run, view] = PointJob(weights, search, validation, tests, comparing.memory)
    return Found(corpus, validation, tests, comparing.jobs, _points(asked, workers))


def _points(
    asked: dict[tuple[Path, ViewName], PointJob], workers: Workers
) -> dict[tuple[Path, ViewName], ScoredPoint]:
    """All points of a run in one piece of work: views may share weights, which are scored once."""
    by_run: dict[Path, list[PointJob]] = {}
    for (run, _), point in asked.items():
        by_run.setdefault(run, []).append(point)
    title = f"scoring {len(asked)} points of {len(by_run)} runs"
    scored = workers.score(score_points, list(by_run.values()), title)
    return dict(zip(asked, chain.from_iterable(scored), strict=True))


def _test_sets(plan: Plan, splits: Sequence[str], corpus: Corpus) -> tuple[Sentences, ...]:
    """The splits, and where joined sentences are asked for, two and more of them made one."""
    most = plan.joined.longest if plan.joined else 1
    found = []
    for split in splits:
        pairs = evenly(list(corpus.pairs(split)), plan.search.test_sentences)
        for count_joined in range(1, most + 1):
            name = split if count_joined == 1 else f"{split}-joined-{count_joined}"
            made = tuple(joined_test(pairs, count_joined))
            if not made:
                raise ConfigError(f"{split} has too few sentences to join {count_joined} of them")
            found.append(Sentences(name, split, count_joined, _title(corpus, name), made))
    return tuple(found)


def _validation(plan: Plan, recipe: Recipe, corpus: Corpus) -> Sentences:
    split = recipe.evaluation.split
    pairs = evenly(list(corpus.pairs(split)), plan.search.validation_sentences)
    return Sentences(split, split, 1, _title(corpus, split), tuple(pairs))


def _title(corpus: Corpus, name: str) -> str:
    return f"{corpus.name}:{corpus.source}-{corpus.target}:{name}"


def make_cells(plan: Plan, found: Found) -> list[Cell]:
    """Test sets x views x data conditions, each with the outputs of all systems and seeds."""
    return [
        _cell(plan, found, data.name, view, test)
        for data in plan.conditions
        for view in plan.views_of(data)
        for test in found.tests
    ]


def _cell(plan: Plan, found: Found, data: str, view: View, test: Sentences) -> Cell:
    references = tuple(pair.tgt for pair in test.pairs)
    systems = {
        system.name: [
            _output(found.point(system.name, seed, data, view.name), seed, test.name)
            for seed in plan.seeds
        ]
        for system in plan.systems
    }
    return Cell(data, view, test.name, references, systems)


def _output(point: ScoredPoint, seed: int, test: str) -> SeedOutput:
    hypotheses = point.tests[test].hypotheses
    return SeedOutput(seed, point.chosen.bleu, hypotheses, point.counts[test])


def _remembered_tests(
    comparing: Comparing,
    metric: Metric,
    first: SeedOutput,
    second: SeedOutput,
    references: tuple[str, ...],
) -> SingleSeedTests:
    """What sacreBLEU's tests found of the same translations before, or find now."""
    samples = comparing.plan.samples
    texts = (first.seed, first.hypotheses, second.seed, second.hypotheses, references)
    found = remembered(
        comparing.memory,
        RememberedTests,
        lambda: RememberedTests(tests=paired_tests(metric, first, second, samples)),
        *(metric, samples, texts),
    )
    return found.tests
