"""Attention of a model that is forced to write given translations, out of the one search."""

from collections import deque
from collections.abc import Hashable, Sequence

from mt.beam_search import Job, RunningBatch
from mt.search_options import SearchOptions
from mt.stepper import Attention
from training.system import System

SENTENCES_AT_ONCE = 64


def forced_attention(
    system: System, sources: Sequence[str], targets: Sequence[str]
) -> list[Attention] | None:
    """Attention (target ids + eos, source ids + eos) of each pair; None if the model has none.

    Raises:
        InputError: a source or a target has no tokens.
    """
    jobs = [_job(system, i, *pair) for i, pair in enumerate(zip(sources, targets, strict=True))]
    longest = max((len(job.options.prefix) for job in jobs), default=0)
    batch = RunningBatch(system.stepper, max_target_tokens=longest + 1)
    waiting = deque(sorted(jobs, key=lambda job: len(job.src_ids), reverse=True))
    found: dict[Hashable, Attention | None] = {}
    while waiting or batch.sentences:
        free = min(SENTENCES_AT_ONCE - batch.sentences, len(waiting))
        batch.admit([waiting.popleft() for _ in range(free)])
        found.update((one.key, one.hypotheses[0].attention) for one in batch.step())
    attentions = [found[i] for i in range(len(jobs))]
    present = [one for one in attentions if one is not None]
    return present if len(present) == len(jobs) else None


def _job(system: System, key: int, source: str, target: str) -> Job:
    """A search with one way to go: the target, then any one token more."""
    ids = system.tokenizer.encode(target)
    options = SearchOptions(beam_size=1, prefix=tuple(ids), max_length=len(ids) + 1, attention=True)
    return Job(key, system.tokenizer.encode_source(source), options)
