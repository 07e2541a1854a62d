"""Minimum-risk training against sums over whole spaces of translations, and on a toy problem."""

import math
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mt.errors import ConfigError
from mt.tokenizer import BOS_ID, EOS_ID, PAD_ID, UNK_ID
from tests.tiny_models import tiny_decoder_only, tiny_gru, tiny_transformer
from tests.tiny_run import random_pairs, tiny_recipe, tiny_tokenizer, write_corpus
from training.ancestral_sampling import draw_one, sample_translations
from training.batching import Batch, collate
from training.budget import RunState
from training.loss import LossConfig, MinimumRiskConfig, batch_loss
from training.minimum_risk import MinimumRisk, Subset, bleu_risk, expected_risk, score, unite
from training.models.seq2seq import Seq2Seq
from training.objective import build_objective
from training.recipe import load_recipe
from training.train import train

A, B = 4, 5
WORDS = (A, B)
NEVER = torch.tensor([PAD_ID, UNK_ID, BOS_ID, *range(6, 20)])
MODELS = {
    "transformer": tiny_transformer(dropout=0.0),
    "gru": tiny_gru(dropout=0.0, dropout_output=0.0),
    "gru without attention": tiny_gru(attention="none", dropout=0.0, dropout_output=0.0),
}


@pytest.fixture(params=list(MODELS))
def model(request: pytest.FixtureRequest) -> Iterator[Seq2Seq]:
    found = MODELS[request.param]
    yield found
    found.zero_grad()


def ids(*sentences: list[int]) -> Tensor:
    """Ids with eos, padded."""
    longest = max(map(len, sentences)) + 1
    return torch.tensor([[*s, EOS_ID] + [PAD_ID] * (longest - 1 - len(s)) for s in sentences])


def batch() -> Batch:
    numbers = [[9, 8, 7], [6]], [[A, B], [B]]
    return collate(*([torch.tensor(s).int().numpy() for s in side] for side in numbers))


def all_sentences(longest: int) -> list[list[int]]:
    """Every sentence of the two words with so many of them at most."""
    return [list(s) for n in range(longest + 1) for s in product(WORDS, repeat=n)]


def length_risk(translation: object, reference: object) -> float:
    """A risk that words decide: the share of the reference's places that differ."""
    one, other = (list(s) for s in (translation, reference))  # type: ignore[call-overload]
    return float(sum(x != y for x, y in zip(one, other, strict=False)) / len(other))


def log_prob(model: Seq2Seq, src: Tensor, sentence: list[int]) -> Tensor:
    """log p of one sentence, word by word."""
    tgt_in = torch.tensor([[BOS_ID, *sentence]])
    log_probs = model(src, tgt_in).log_softmax(-1)[0]
    return sum((log_probs[i, word] for i, word in enumerate([*sentence, EOS_ID])), torch.zeros(()))


def test_expected_risk_by_hand() -> None:
    # alpha 1/2: the square roots of 0.16, 0.04 and of 0.09, 0.01 stand as 2 : 1 and 3 : 1
    log_probs = torch.tensor([0.16, 0.09, 0.04, 0.01]).log()
    owner, place = torch.tensor([0, 1, 0, 1]), torch.tensor([0, 0, 1, 1])
    subset = Subset(torch.empty(4, 1), owner, place, torch.tensor([0.0, 0.2, 0.9, 1.0]))
    found = expected_risk(log_probs, subset, alpha=0.5, sentences=2)
    assert found.tolist() == pytest.approx([0.9 / 3, 0.2 * 3 / 4 + 1.0 / 4])


def test_a_sentence_with_fewer_candidates_is_not_disturbed() -> None:
    log_probs = torch.tensor([-1.0, -2.0, -3.0], requires_grad=True)
    owner, place = torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1])
    subset = Subset(torch.empty(3, 1), owner, place, torch.tensor([0.4, 0.0, 1.0]))
    found = expected_risk(log_probs, subset, alpha=1.0, sentences=2)
    assert found.tolist() == pytest.approx([0.4, 1 / (1 + math.e)])
    found.sum().backward()  # type: ignore[no-untyped-call]
    assert log_probs.grad is not None
    assert torch.isfinite(log_probs.grad).all()
    assert log_probs.grad[0] == 0  # alone, it is certain whatever its probability


def test_the_subset_holds_references_first_and_each_sample_once() -> None:
    references = ids([A, B], [B])
    samples = ids([A], [A, B], [A], [B, B], [], [B, B])  # three of each sentence
    subset = unite(references, samples, length_risk)
    assert subset.ids.tolist() == ids([A, B], [B], [A], [B, B], []).tolist()
    assert subset.owner.tolist() == [0, 1, 0, 1, 1]
    assert subset.place.tolist() == [0, 0, 1, 1, 2]
    assert subset.risks.tolist() == pytest.approx([0, 0, 1 / 3, 1 / 2, 1 / 2])


def test_candidates_are_scored_as_if_each_stood_alone(model: Seq2Seq) -> None:
    wanted = batch()
    samples = [[A], [B, B, B], [], [A, A]]  # two of each sentence
    subset = unite(wanted.tgt_out, ids(*samples), length_risk)
    log_probs, entropy = score(model, wanted, subset, smoothing=0.1)
    sources = torch.tensor([[9, 8, 7, EOS_ID]]), torch.tensor([[6, EOS_ID]])
    sentences = [[A, B], [B], *samples]
    expected = [
        log_prob(model, sources[owner], sentence).item()
        for owner, sentence in zip(subset.owner.tolist(), sentences, strict=True)
    ]
    assert log_probs.tolist() == pytest.approx(expected, rel=1e-4)
    assert entropy.item() == pytest.approx(batch_loss(model, wanted, 0.1).item(), rel=1e-4)


def test_risk_and_gradient_equal_those_of_the_whole_space(model: Seq2Seq) -> None:
    """Shen et al. 2016, equation 13, over all sentences of up to three words, one by one."""
    src, reference, alpha = torch.tensor([[9, 8, EOS_ID]]), [A, B], 0.7
    space = all_sentences(3)
    log_probs = torch.stack([log_prob(model, src, sentence) for sentence in space])
    q = (alpha * log_probs.detach()).softmax(0)
    risks = torch.tensor([length_risk([*s, EOS_ID], [*reference, EOS_ID]) for s in space])
    mean = (q * risks).sum()
    (alpha * q * (risks - mean) * log_probs).sum().backward()  # type: ignore[no-untyped-call]
    expected = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()

    wanted = collate([torch.tensor([9, 8]).int().numpy()], [torch.tensor(reference).int().numpy()])
    subset = unite(wanted.tgt_out, ids(*space), length_risk)
    assert len(subset.ids) == len(space) == 15
    found, _ = score(model, wanted, subset, smoothing=0.0)
    risk = expected_risk(found, subset, alpha, sentences=1)
    risk.sum().backward()  # type: ignore[no-untyped-call]
    assert risk.item() == pytest.approx(mean.item(), rel=1e-4)
    for name, parameter in model.named_parameters():
        if name in expected:
            torch.testing.assert_close(parameter.grad, expected[name], rtol=1e-3, atol=1e-6)


def test_ids_are_drawn_as_often_as_their_probability_says() -> None:
    torch.manual_seed(6)
    probabilities = torch.tensor([0.0, 0.5, 0.0, 0.2, 0.3, 0.0])
    shares = draw_one(probabilities.expand(10_000, -1)).bincount(minlength=6) / 10_000
    assert shares[probabilities == 0].sum() == 0
    assert shares.tolist() == pytest.approx(probabilities.tolist(), abs=0.02)


@pytest.mark.parametrize("drawn", [0.0, 1.0])
def test_the_ends_of_the_running_sum_fall_on_ids_that_exist(
    drawn: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "rand_like", lambda total: torch.full_like(total, drawn))
    assert draw_one(torch.tensor([[0.0, 0.4, 0.6, 0.0]])).item() == (2 if drawn else 1)


def test_samples_come_as_often_as_the_model_says(model: Seq2Seq) -> None:
    src, draws, limit = torch.tensor([[9, 8, EOS_ID]]), 4000, 3
    torch.manual_seed(1)
    drawn = sample_translations(model, src, torch.tensor([limit]), draws, 1.0, NEVER)
    assert drawn.shape == (draws, limit)
    assert not drawn.requires_grad
    counts: dict[tuple[int, ...], int] = {}
    for row in drawn.tolist():
        counts[tuple(row)] = counts.get(tuple(row), 0) + 1
    with torch.no_grad():
        for sentence in all_sentences(limit - 1):
            share = _probability(model, src, sentence, limit)
            padded = tuple([*sentence, EOS_ID] + [PAD_ID] * (limit - 1 - len(sentence)))
            spread = math.sqrt(draws * share * (1 - share))
            assert abs(counts.pop(padded, 0) - draws * share) < 4 * spread + 1
    assert not counts  # nothing was drawn that is not in the space


def _probability(model: Seq2Seq, src: Tensor, sentence: list[int], limit: int) -> float:
    """Of a sentence among those of two words and eos, where eos is certain at the limit."""
    logits = model(src, torch.tensor([[BOS_ID, *sentence]]))[0].index_fill(1, NEVER, -torch.inf)
    probs, wanted = logits.softmax(-1), [*sentence, EOS_ID]
    return float(math.prod(probs[i, w].item() for i, w in enumerate(wanted) if i + 1 < limit))


def test_samples_end_at_their_own_limit_and_hold_nothing_forbidden(model: Seq2Seq) -> None:
    src = torch.tensor([[9, 8, EOS_ID], [7, EOS_ID, PAD_ID]])
    torch.manual_seed(2)
    drawn = sample_translations(model, src, torch.tensor([1, 6]), 50, 3.0, NEVER)
    assert drawn[:50, 0].unique().tolist() == [EOS_ID]  # type: ignore[no-untyped-call]
    assert drawn[:50, 1:].unique().tolist() == [PAD_ID]  # type: ignore[no-untyped-call]
    lengths = (drawn[50:] != PAD_ID).sum(1)
    assert 1 <= lengths.min() < lengths.max() <= 6
    assert set(drawn.flatten().tolist()) <= {PAD_ID, EOS_ID, *WORDS}
    assert ((drawn == EOS_ID).sum(1) == 1).all()


def test_sampling_leaves_the_mode_and_follows_the_seed() -> None:
    model = tiny_transformer(dropout=0.5).train()
    src, limits = torch.tensor([[9, 8, EOS_ID]]), torch.tensor([5])
    draws = []
    for _ in range(2):
        torch.manual_seed(3)
        draws.append(sample_translations(model, src, limits, 8, 1.0, NEVER))
    assert model.training
    assert torch.equal(*draws)
    assert not torch.equal(draws[0], sample_translations(model, src, limits, 8, 1.0, NEVER))


def test_a_cold_draw_is_the_greedy_translation(model: Seq2Seq) -> None:
    src = torch.tensor([[9, 8, EOS_ID]])
    drawn = sample_translations(model, src, torch.tensor([4]), 5, 1e-4, NEVER)
    words = [BOS_ID]
    while words[-1] != EOS_ID and len(words) < 4:
        logits = model(src, torch.tensor([words]))[0, -1].index_fill(0, NEVER, -torch.inf)
        words.append(int(logits.argmax()))
    greedy = [w for w in words[1:] if w != EOS_ID]
    assert [[i for i in row if i > EOS_ID] for row in drawn.tolist()] == [greedy] * 5


def test_the_risk_is_one_less_bleu_of_the_text() -> None:
    tokenizer = tiny_tokenizer()
    risk = bleu_risk(tokenizer)
    text, other = (
        [*tokenizer.encode(words), EOS_ID] for words in ("die rot katze sieht", "die rot katze mag")
    )
    assert risk(text, text) == pytest.approx(0.0)
    assert risk([EOS_ID], text) == 1.0
    # three of four words, two of three pairs, one of two triples; of no four half a one is counted
    assert risk(other, text) == pytest.approx(1 - (3 / 4 * 2 / 3 * 1 / 2 * 1 / 2) ** 0.25)


def toy() -> tuple[MinimumRisk, Seq2Seq, Batch]:
    """A model of the tiny corpus that has seen a few references, and one batch of it."""
    tokenizer, some = tiny_tokenizer(), toy_batch()
    config = MinimumRiskConfig(samples=8, alpha=0.05, weight=20.0)
    model = tiny_transformer(vocab_size=tokenizer.vocab_size, dropout=0.0).train()
    descend(model, 100, lambda: batch_loss(model, some, 0.1), 1e-2)
    return MinimumRisk(config, 0.1, tokenizer), model, some


def toy_batch() -> Batch:
    tokenizer, pairs = tiny_tokenizer(), random_pairs(5, seed=3)
    sides = zip(*((tokenizer.encode(p.src), tokenizer.encode(p.tgt)) for p in pairs), strict=True)
    return collate(*[[torch.tensor(s).int().numpy() for s in side] for side in sides])


def descend(model: Seq2Seq, updates: int, loss: Callable[[], Tensor], rate: float) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    for _ in range(updates):
        optimizer.zero_grad()
        (loss() / 10).backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def mean_risk(objective: MinimumRisk, model: Seq2Seq, some: Batch) -> float:
    """Of fresh samples, references left out; of twenty draws, which differ by 0.05 and more."""
    torch.manual_seed(99)
    with torch.no_grad():
        draws = (objective.subset(model, some).risks[len(some.src) :].mean() for _ in range(20))
        return float(torch.stack(list(draws)).mean())


def test_the_risk_of_what_is_sampled_falls() -> None:
    torch.manual_seed(1)
    objective, model, some = toy()
    before = mean_risk(objective, model, some)
    torch.manual_seed(2)
    descend(model, 80, lambda: objective(model, some), 1e-3)
    assert mean_risk(objective, model, some) < before - 0.04


@pytest.mark.parametrize(
    "make", [tiny_transformer, tiny_gru, tiny_decoder_only], ids=lambda make: make.__name__
)
def test_bfloat16_samples_the_same_and_every_weight_learns(make: Callable[..., Seq2Seq]) -> None:
    model = make(vocab_size=tiny_tokenizer().vocab_size)
    config = MinimumRiskConfig(samples=4, cross_entropy=0.5)
    objective = build_objective(LossConfig(minimum_risk=config), tiny_tokenizer())
    losses, gradients = [], []
    for enabled in (False, True):
        torch.manual_seed(4)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            loss = objective(model.eval(), toy_batch())
        model.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        losses.append(loss.item())
        gradients.append(
            torch.cat([one.grad.flatten() for one in model.parameters() if one.grad is not None])
        )
    assert losses[1] == pytest.approx(losses[0], rel=0.02)
    assert torch.cosine_similarity(gradients[0], gradients[1], dim=0) > 0.99


def test_both_parts_have_their_weight() -> None:
    _, model, some = toy()
    losses = {}
    for weight, entropy in ((1.0, 0.0), (2.0, 0.0), (1.0, 0.5)):
        config = MinimumRiskConfig(samples=4, weight=weight, cross_entropy=entropy)
        torch.manual_seed(4)
        objective = build_objective(LossConfig(minimum_risk=config), tiny_tokenizer())
        losses[weight, entropy] = objective(model, some).item()
    assert 0 < losses[1.0, 0.0] < some.target_tokens  # a risk of 0 to 1 for every token
    assert losses[2.0, 0.0] == pytest.approx(2 * losses[1.0, 0.0])
    added = losses[1.0, 0.5] - losses[1.0, 0.0]
    assert added == pytest.approx(0.5 * batch_loss(model, some, 0.1).item(), rel=1e-3)


def test_a_finished_run_is_tuned_and_a_killed_tuning_ends_with_the_same_weights(
    tmp_path: Path,
) -> None:
    write_corpus(tmp_path)
    threads = torch.get_num_threads()
    base = train(tiny_recipe(tmp_path, **{"training.max_updates": 4}), tmp_path / "base")
    recipe = tiny_recipe(
        tmp_path,
        initialise_from=str(base.run),
        **{
            "training.max_updates": 6,
            "evaluation.every_updates": 3,
            "loss.minimum_risk.samples": 3,
            "loss.minimum_risk.cross_entropy": 0.3,
            "subwords.model": str(base.run / "tokenizer.model"),
        },
    )

    def kill(state: RunState) -> None:
        raise KeyboardInterrupt

    straight = train(recipe, tmp_path / "straight")
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "killed", kill)
    assert train(recipe, tmp_path / "killed").sha256 == straight.sha256
    assert straight.sha256 != base.sha256
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("loss.minimum_risk.samples=0", r"loss\.minimum_risk\.samples"),
        ("loss.minimum_risk.alpha=0", r"loss\.minimum_risk\.alpha"),
        ("loss.minimum_risk.temperature=0", r"loss\.minimum_risk\.temperature"),
        ("loss.minimum_risk.max_length_ratio=0.5", r"loss\.minimum_risk\.max_length_ratio"),
        ("loss.minimum_risk.beam=5", r"loss\.minimum_risk\.beam: Extra inputs"),
        ("loss={r_drop: 3, minimum_risk: {}}", "r_drop and minimum_risk are 2 objectives"),
    ],
)
def test_wrong_settings_are_refused_by_their_keys(override: str, says: str) -> None:
    shipped = Path(__file__).parents[2] / "training/recipes/multi30k-en-de-transformer-s.yaml"
    with pytest.raises(ConfigError, match=says):
        load_recipe(shipped, [override])
