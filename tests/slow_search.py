"""The slow, obvious twins of the search: one sentence, plain lists, nothing dropped early."""

from collections.abc import Iterator, Sequence
from functools import reduce
from operator import add

import numpy as np

from mt.hypothesis import Hypothesis
from mt.search_options import SearchOptions
from mt.tokenizer import EOS_ID
from tests.fakes import CheckedStepper

Tokens = tuple[int, ...]


def token_log_probs(
    model: CheckedStepper, src: Sequence[int], options: SearchOptions, tokens: Tokens
) -> list[float]:
    """The log-probability of each token after those before it; 0 in the forced prefix."""
    given = len(options.prefix)
    return [
        0.0 if i < given else float(model.distribution(src, tokens[:i])[token])
        for i, token in enumerate(tokens)
    ]


def total(log_probs: list[float]) -> float:
    """Their sum, rounded after every addition as the search's is (`sum` of 3.12 is not)."""
    return reduce(add, log_probs, 0.0)


def hypothesis(
    model: CheckedStepper, src: Sequence[int], options: SearchOptions, tokens: Tokens
) -> Hypothesis:
    """A sequence of tokens (eos included, where it ends so) as the search must report it."""
    log_probs = token_log_probs(model, src, options, tokens)
    finished = tokens[-1:] == (EOS_ID,)
    rows = [model.attention(src, tokens[:i]) for i in range(len(tokens))]
    attention = np.array(rows, np.float32).reshape(len(tokens), len(src))
    score = total(log_probs) / options.norm(max(len(tokens), 1))
    if options.coverage_penalty:
        received = np.minimum(attention.astype(np.float64).sum(axis=0), 1.0)
        score += options.coverage_penalty * float(np.log(received).sum())
    return Hypothesis(
        ids=list(tokens[: len(tokens) - finished]),
        score=score,
        log_prob=total(log_probs),
        token_log_probs=log_probs,
        finished=finished,
        attention=attention if options.attention else None,
    )


def continuations(
    model: CheckedStepper, src: Sequence[int], options: SearchOptions, tokens: Tokens
) -> Iterator[int]:
    """The ids that may follow, the most probable first."""
    if len(tokens) < len(options.prefix):
        yield options.prefix[len(tokens)]
        return
    log_probs = model.distribution(src, tokens)
    for token in np.argsort(-log_probs, kind="stable").tolist():
        too_early = token == EOS_ID and len(tokens) + 1 < options.min_length
        repeats = _repeats(tokens, token, options.no_repeat_ngram)
        if not too_early and not repeats and log_probs[token] > -np.inf:
            yield token


def _repeats(tokens: Tokens, token: int, n: int) -> bool:
    longer = (*tokens, token)
    return n > 0 and any(longer[i : i + n] == longer[-n:] for i in range(len(longer) - n))


def exhaustive(
    model: CheckedStepper, src: Sequence[int], options: SearchOptions, max_length: int
) -> list[Hypothesis]:
    """Score every sequence there is; the n best of them."""
    ended: list[Tokens] = []
    live: list[Tokens] = [()]
    while live:
        longer = []
        for tokens in live:
            if len(tokens) == max_length or tokens[-1:] == (EOS_ID,):
                ended.append(tokens)
                continue
            following = list(continuations(model, src, options, tokens))
            longer += [(*tokens, token) for token in following]
            ended += [] if following else [tokens]
        live = longer
    return _best(model, src, options, ended)


def plain_beam_search(
    model: CheckedStepper, src: Sequence[int], options: SearchOptions, max_length: int
) -> list[Hypothesis]:
    """Beam search that drops nothing, but what `early_stopping` says is to be given up."""
    *_, (_, ended) = plain_steps(model, src, options, max_length)
    return _best(model, src, options, ended)


def plain_steps(
    model: CheckedStepper, src: Sequence[int], options: SearchOptions, max_length: int
) -> Iterator[tuple[list[Tokens], list[Tokens]]]:
    """What is live, and what has ended so far: before each step of that search, and after all."""
    ended: list[Tokens] = []
    live: list[Tokens] = [()]
    while live:
        yield live, list(ended)
        longer = []
        for tokens in live:
            following = list(continuations(model, src, options, tokens))
            longer += [(*tokens, token) for token in following]
            ended += [] if following else [tokens]
        longer.sort(key=lambda tokens: -total(token_log_probs(model, src, options, tokens)))
        live = []
        for tokens in longer[: options.beam_size]:
            ends = tokens[-1] == EOS_ID or len(tokens) == max_length
            (ended if ends else live).append(tokens)
        if options.early_stopping is not None:
            least = score_to_beat(model, src, options, ended)
            live = [one for one in live if best_ahead(model, src, options, one) > least]
    yield live, ended


def score_to_beat(
    model: CheckedStepper, src: Sequence[int], options: SearchOptions, ended: list[Tokens]
) -> float:
    """The score of the worst of the n best that have ended; -inf while there are fewer."""
    best = _best(model, src, options, ended)
    return best[-1].score if len(best) == options.n_best else float("-inf")


def best_ahead(
    model: CheckedStepper, src: Sequence[int], options: SearchOptions, tokens: Tokens
) -> float:
    """A live row's score if the model were certain of all that it is granted."""
    assert options.max_length
    reach = options.reach(len(tokens), len(src), options.max_length)
    return total(token_log_probs(model, src, options, tokens)) / options.norm(reach)


def greedy(
    model: CheckedStepper, src: Sequence[int], options: SearchOptions, max_length: int
) -> Tokens:
    """The most probable id, again and again; eos included."""
    tokens: Tokens = ()
    while len(tokens) < max_length and tokens[-1:] != (EOS_ID,):
        following = next(continuations(model, src, options, tokens), None)
        if following is None:
            break
        tokens = (*tokens, following)
    return tokens


def _best(
    model: CheckedStepper, src: Sequence[int], options: SearchOptions, ended: list[Tokens]
) -> list[Hypothesis]:
    scored = [hypothesis(model, src, options, tokens) for tokens in ended]
    return sorted(scored, key=lambda found: -found.score)[: options.n_best]
