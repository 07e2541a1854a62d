"""The conditional GRU's loop over words with its way back written by hand, for a CPU.

What `training.models.recurrence` says of one cell holds for the two cells and the attention between
them. The plain twin, which autograd follows, is `GRU.loop` of `training.models.gru`; in float64 all
gradients agree to 1e-12 of the largest, in float32 to 1e-5.
"""

from collections.abc import Iterator
from itertools import chain, islice
from typing import NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from training.models.norm_tape import Norm, NormBack, NormTape
from training.models.recurrence import Tape, by_hand, scaled

Group = TypeVar("Group", bound=NamedTuple)


class Memory(NamedTuple):
    """What the attention reads."""

    keys: Tensor  # (batch, src_len, attention_size)
    values: Tensor  # (batch, src_len, value)
    mask: Tensor  # (batch, src_len), True at tokens


class Kept(NamedTuple):
    """What the states (batch, size) are scaled by before a cell reads them; see `scaled`."""

    by_word_cell: Tensor | None
    by_context_cell: Tensor | None


NOTHING_DROPPED = Kept(None, None)


class Weights(NamedTuple):
    """Everything that the loop multiplies by, as `nn.Linear` keeps it."""

    word_hidden: Tensor
    word_hidden_bias: Tensor
    query: Tensor
    query_bias: Tensor
    energy: Tensor
    context_input: Tensor
    context_input_bias: Tensor
    context_hidden: Tensor
    context_hidden_bias: Tensor


class Norms(NamedTuple):
    """Of what the products with U of both cells give, and the context's with W."""

    word_hidden: Norm
    context_input: Norm
    context_hidden: Norm


class Trace(NamedTuple):
    """What the loop writes down at every step, each (steps, batch, ...)."""

    before: Tensor  # the state that the word cell reads
    middle: Tensor  # the state between the two cells
    queries: Tensor
    attention: Tensor
    contexts: Tensor


def conditional_states(
    words: Tensor, first: Tensor, memory: Memory, kept: Kept, weights: Weights, norms: Norms
) -> tuple[Tensor, Tensor]:
    """States (steps, batch, size) and contexts (steps, batch, value) of the conditional GRU.

    words (steps, batch, 3 * size), projected for the word cell; first (batch, size), the state
    before the first word.
    """
    given = *memory, *kept, *weights, *chain.from_iterable(norms)
    states, contexts = by_hand(_ConditionalStates, words, first, *given)
    return states, contexts


class _ConditionalStates(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx, words: Tensor, first: Tensor, *given: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        groups = iter(given)
        memory, kept, w = _next(groups, Memory), _next(groups, Kept), _next(groups, Weights)
        steps, batch, src_len = len(words), *memory.mask.shape
        states = first.new_empty(steps + 1, *first.shape)
        states[0] = first
        sizes = first.shape[-1], len(w.energy), src_len, memory.values.shape[-1]
        trace = Trace(states[:-1], *(first.new_empty(steps, batch, size) for size in sizes))
        word, context = Tape.blank(steps, first), Tape.blank(steps, first)
        norms = [NormTape.blank(_next(groups, Norm), steps, first) for _ in Norms._fields]
        word_norm, input_norm, context_norm = norms
        attention = _Attention(memory, w.energy)
        for t, (before, middle, query, looks, seen) in enumerate(zip(*trace, strict=True)):
            read = scaled(before, kept.by_word_cell)
            recurrent = word_norm.step(t, F.linear(read, w.word_hidden, w.word_hidden_bias))
            word.step(t, words[t], recurrent, before, out=middle)
            torch.addmm(w.query_bias, middle, w.query.t(), out=query)
            attention.look(query, looks, seen)
            read = scaled(middle, kept.by_context_cell)
            product = F.linear(read, w.context_hidden, w.context_hidden_bias)
            recurrent = context_norm.step(t, product)
            inputs = input_norm.step(t, F.linear(seen, w.context_input, w.context_input_bias))
            context.step(t, inputs, recurrent, middle, out=states[t + 1])
        tapes = *trace, *word, *context, *chain.from_iterable(norms)
        ctx.save_for_backward(*memory, *kept, *w, *tapes)  # type: ignore[arg-type]
        return states[1:], trace.contexts

    @staticmethod
    @once_differentiable
    def backward(
        ctx: FunctionCtx, to_states: Tensor, to_contexts: Tensor
    ) -> tuple[Tensor | None, ...]:
        groups = iter(ctx.saved_tensors)  # type: ignore[attr-defined]
        memory, kept, w = _next(groups, Memory), _next(groups, Kept), _next(groups, Weights)
        trace = _next(groups, Trace)
        word = _next(groups, Tape).slopes(trace.before)
        context = _next(groups, Tape).slopes(trace.middle)
        attention = _AttentionBack(memory, w.energy)
        rows = *trace.before.shape[:2], len(w.word_hidden)
        to_words, to_word_recurrent, to_inputs, to_context_recurrent = (
            to_states.new_empty(rows) for _ in range(4)
        )
        slopes = to_word_recurrent, to_inputs, to_context_recurrent
        norms = [NormBack(_next(groups, NormTape), to_normed) for to_normed in slopes]
        word_norm, input_norm, context_norm = norms
        to_queries, to_seen = torch.empty_like(trace.queries), torch.empty_like(trace.contexts)
        above = torch.zeros_like(trace.before[0])
        for t in reversed(range(len(to_states))):
            above = context.back(t, above + to_states[t], to_inputs[t], to_context_recurrent[t])
            above += scaled(context_norm.step(t) @ w.context_hidden, kept.by_context_cell)
            torch.addmm(to_contexts[t], input_norm.step(t), w.context_input, out=to_seen[t])
            attention.back(trace.queries[t], trace.attention[t], to_seen[t], to_queries[t])
            above += to_queries[t] @ w.query
            above = word.back(t, above, to_words[t], to_word_recurrent[t])
            above += scaled(word_norm.step(t) @ w.word_hidden, kept.by_word_cell)
        to_values = torch.bmm(trace.attention.permute(1, 2, 0), to_seen.transpose(0, 1))
        to_weights = Weights(
            *_of_linear(word_norm.to_projected, scaled(trace.before, kept.by_word_cell)),
            *_of_linear(to_queries, trace.middle),
            attention.to_energy,
            *_of_linear(input_norm.to_projected, trace.contexts),
            *_of_linear(context_norm.to_projected, scaled(trace.middle, kept.by_context_cell)),
        )
        to_norms = chain.from_iterable(norm.gradients() for norm in norms)
        to_memory = attention.to_keys, to_values, None
        return to_words, above, *to_memory, None, None, *to_weights, *to_norms


def _next(tensors: Iterator[Tensor | None], group: type[Group]) -> Group:
    """The next few of many tensors, by name."""
    return group._make(islice(tensors, len(group._fields)))


def _of_linear(to_outputs: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of the weight and the bias of a linear layer, all steps in one product."""
    flat = to_outputs.flatten(0, 1)
    return flat.t() @ inputs.flatten(0, 1), flat.sum(0)


class _Attention:
    """Additive attention without a tanh at every step.

    tanh(k + q) = 1 - 2 r with r = 1 / (1 + e^2k e^2q). The keys' exponentials are taken once for
    all words, so a word costs one product and one division a number. The 1 moves all energies of a
    sentence alike, and the softmax does not see that.
    """

    def __init__(self, memory: Memory, energy: Tensor) -> None:
        self.keys, self.values, self.energy = memory.keys, memory.values, energy
        self.padding, self.one = ~memory.mask, energy.new_ones(())
        self.buffer = torch.empty_like(memory.keys)
        self.growth = _growth(memory.keys) if _is_moderate(memory.keys) else None

    def look(self, query: Tensor, weights: Tensor, context: Tensor) -> None:
        """Write weights (batch, src_len) and context (batch, value) of query (batch, size)."""
        energies = self.rest(query) @ (-2 * self.energy)
        energies.masked_fill_(self.padding, torch.finfo(energies.dtype).min)
        torch.softmax(energies, -1, out=weights)
        torch.bmm(weights.unsqueeze(1), self.values, out=context.unsqueeze(1))

    def rest(self, query: Tensor) -> Tensor:
        """Returns r (batch, src_len, size), in a buffer that the next call overwrites."""
        if self.growth is None or not _is_moderate(query):
            return torch.add(self.keys, query.unsqueeze(1), out=self.buffer).mul_(-2).sigmoid_()
        grown = _growth(query).unsqueeze(1)
        return torch.addcmul(self.one, self.growth, grown, out=self.buffer).reciprocal_()


class _AttentionBack(_Attention):
    """Its way back; the derivative of tanh is 4 (r - r^2)."""

    def __init__(self, memory: Memory, energy: Tensor) -> None:
        super().__init__(memory, energy)
        self._slope, self._to_keys = torch.empty_like(self.keys), torch.zeros_like(self.keys)
        self._to_energy = torch.zeros_like(energy)

    def back(self, query: Tensor, weights: Tensor, to_context: Tensor, to_query: Tensor) -> None:
        """One step back from the slope of the context: fills in the query's."""
        # a row times a matrix: the same with a column takes MKL twelve times as long
        to_weights = torch.bmm(to_context.unsqueeze(1), self.values.transpose(1, 2)).squeeze(1)
        to_energies = weights * (to_weights - (weights * to_weights).sum(1, keepdim=True))
        to_energies.masked_fill_(self.padding, 0)
        rest = self.rest(query)
        self._to_energy += to_energies.flatten() @ rest.flatten(0, 1)
        slope = torch.addcmul(rest, rest, rest, value=-1, out=self._slope)  # r - r^2
        self._to_keys.addcmul_(slope, to_energies.unsqueeze(2))
        torch.bmm(to_energies.unsqueeze(1), slope, out=to_query.unsqueeze(1))
        to_query.mul_(4 * self.energy)

    @property
    def to_keys(self) -> Tensor:
        """The keys' gradient, after the last step back."""
        return self._to_keys * (4 * self.energy)

    @property
    def to_energy(self) -> Tensor:
        """The energy vector's gradient, after the last step back."""
        return -2 * self._to_energy


def _growth(x: Tensor) -> Tensor:
    return torch.mul(x, 2).exp_()


def _is_moderate(x: Tensor) -> bool:
    """Whether e^2x neither overflows nor vanishes; where a product of two does, r is 0 or 1."""
    return bool(x.abs().amax() <= 40)
