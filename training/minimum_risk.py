"""Minimum-risk training: Shen et al. 2016, "Minimum Risk Training for Neural Machine Translation".

Cross-entropy teaches a model the reference's next word; here it translates by itself, and the
translations that resemble the reference gain probability at the expense of those that do not. It is
for fine-tuning: a model that knows nothing samples nothing worth telling apart.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from sacrebleu.metrics.bleu import BLEU
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mt.tokenizer import BOS_ID, PAD_ID, Tokenizer
from training.ancestral_sampling import repeated, sample_translations
from training.batching import Batch
from training.loss import MinimumRiskConfig, label_smoothed_cross_entropy
from training.models.seq2seq import Seq2Seq

Risk = Callable[[Sequence[int], Sequence[int]], float]  # of a translation's and a reference's ids


@dataclass(frozen=True)
class Subset:
    """The translations that stand for all: S(x) of equation 11. The first are the references.

    ids (candidates, tgt_len), each ending with eos, padded; owner (candidates,), the sentence of
    the batch that each translates; place (candidates,), how many of the same sentence stand before
    it; risks (candidates,), 0 of the best to 1 of the worst.
    """

    ids: Tensor
    owner: Tensor
    place: Tensor
    risks: Tensor


class MinimumRisk:
    """The objective of a recipe with `loss.minimum_risk`."""

    def __init__(self, config: MinimumRiskConfig, smoothing: float, tokenizer: Tokenizer) -> None:
        self._config, self._smoothing = config, smoothing
        self._never_emitted = torch.tensor(tokenizer.never_emitted())
        self._risk = bleu_risk(tokenizer)

    def __call__(self, model: Seq2Seq, batch: Batch) -> Tensor:
        """Expected risk and cross-entropy of a batch, each with its weight, summed over tokens.

        Each sentence's risk counts as much as another's; their mean stands for every target token,
        so that an update divides both parts by the same number.
        """
        config = self._config
        subset = self.subset(model, batch)
        log_probs, entropy = score(model, batch, subset, self._smoothing)
        expected = expected_risk(log_probs, subset, config.alpha, len(batch.src))
        risk = expected.mean() * batch.target_tokens
        return config.weight * risk + config.cross_entropy * entropy

    def subset(self, model: Seq2Seq, batch: Batch) -> Subset:
        """The references and distinct samples of a batch, with their risks."""
        config = self._config
        lengths = (batch.tgt_out != PAD_ID).sum(1)
        samples = sample_translations(
            model,
            batch.src,
            (lengths * config.max_length_ratio).ceil().long(),
            config.samples,
            config.temperature,
            self._never_emitted.to(batch.src.device),
        )
        return unite(batch.tgt_out, samples, self._risk)


def bleu_risk(tokenizer: Tokenizer) -> Risk:
    """1 - BLEU of one sentence's text, by sacreBLEU: 13a tokens, exponential smoothing.

    The effective order leaves n-grams out that a short sentence cannot have.
    """
    metric = BLEU(effective_order=True)

    def risk(translation: Sequence[int], reference: Sequence[int]) -> float:
        texts = tokenizer.decode(translation), tokenizer.decode(reference)
        return 1.0 - metric.sentence_score(texts[0], [texts[1]]).score / 100

    return risk


def unite(references: Tensor, samples: Tensor, risk: Risk) -> Subset:
    """References (batch, tgt_len), and of the samples of each those that are new.

    samples (batch * n, any length), those of one sentence together; both padded.
    """
    known = [_sentence(row) for row in references.tolist()]
    found, owner, place = list(known), list(range(len(known))), [0] * len(known)
    per_sentence = len(samples) // len(known)
    seen = [{ids} for ids in known]
    for i, row in enumerate(samples.tolist()):
        sentence, ids = i // per_sentence, _sentence(row)
        if ids not in seen[sentence]:
            found.append(ids)
            owner.append(sentence)
            place.append(len(seen[sentence]))
            seen[sentence].add(ids)
    risks = [risk(ids, known[sentence]) for ids, sentence in zip(found, owner, strict=True)]
    device = references.device
    return Subset(
        pad_sequence([torch.tensor(ids) for ids in found], True, float(PAD_ID)).to(device),
        torch.tensor(owner, device=device),
        torch.tensor(place, device=device),
        torch.tensor(risks, device=device),
    )


def score(model: Seq2Seq, batch: Batch, subset: Subset, smoothing: float) -> tuple[Tensor, Tensor]:
    """The log p(y|x) of every candidate (candidates,), and the references' smoothed cross-entropy.

    Both with gradients, from one teacher-forced pass; the entropy is a sum over tokens in nats.
    """
    real = subset.ids != PAD_ID
    bos = torch.full_like(subset.ids[:, :1], BOS_ID)
    tgt_in = torch.cat((bos, subset.ids[:, :-1]), 1)
    hidden = model.decode(repeated(model.encode(batch.src), subset.owner), tgt_in)
    logits = model.project(hidden[real]).float()  # (tokens, vocab)
    of_tokens = -F.cross_entropy(logits, subset.ids[real], reduction="none")
    candidate = real.nonzero()[:, 0]  # (tokens,)
    log_probs = of_tokens.new_zeros(len(real)).index_add(0, candidate, of_tokens)
    first = batch.target_tokens  # the references' tokens
    return log_probs, label_smoothed_cross_entropy(
        logits[:first], subset.ids[real][:first], smoothing
    )


def expected_risk(log_probs: Tensor, subset: Subset, alpha: float, sentences: int) -> Tensor:
    """Risk of every sentence (sentences,) under the model, equations 11 and 12.

    Q(y|x) = p(y|x)^alpha / sum over S(x) of p(y'|x)^alpha; risk = sum over S(x) of Q(y|x) risk(y).
    """
    at = subset.owner, subset.place
    table = log_probs.new_full((sentences, int(subset.place.max()) + 1), -torch.inf)
    table = table.index_put(at, alpha * log_probs)
    risks = torch.zeros_like(table).index_put(at, subset.risks)
    return (table.softmax(-1) * risks).sum(-1)


def _sentence(row: list[int]) -> tuple[int, ...]:
    """Ids without padding, which is only ever behind them."""
    return tuple(i for i in row if i != PAD_ID)
