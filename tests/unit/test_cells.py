"""Recurrent cells by hand-worked numbers, and against PyTorch's."""

import math

import pytest
import torch
from torch import Tensor, nn

from training.models.cell import Cell
from training.models.cells import CELLS, CellName, run
from training.models.gate_norm import GateNorm
from training.models.lstm_cell import LSTMCell
from training.models.rnn_cell import RNNCell

every_cell = pytest.mark.parametrize("name", CELLS)
with_and_without_norm = pytest.mark.parametrize("layer_norm", [False, True])


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def fill(cell: Cell, w: list[float], u: list[float], b: list[float]) -> None:
    """Weights of a cell of one number that reads one number, a gate each."""
    with torch.no_grad():
        cell.input.weight.copy_(torch.tensor(w).unsqueeze(1))
        cell.hidden.weight.copy_(torch.tensor(u).unsqueeze(1))
        cell.input.bias.copy_(torch.tensor(b))
        cell.hidden.bias.zero_()


@torch.no_grad()
def step(cell: Cell, x: list[float], state: list[float]) -> list[float]:
    after: Tensor = cell(cell.project(torch.tensor([x])), torch.tensor([state]))
    return after[0].tolist()


def test_the_plain_cell_by_hand() -> None:
    cell = RNNCell(1, 1)
    fill(cell, w=[2.0], u=[-3.0], b=[0.25])
    assert step(cell, [0.5], [0.1]) == pytest.approx([math.tanh(2 * 0.5 - 3 * 0.1 + 0.25)])


def test_long_short_term_memory_by_hand() -> None:
    cell = LSTMCell(1, 1)
    log3 = math.log(3)  # sigmoid(log 3) = 3/4
    fill(cell, w=[log3, 0.0, 0.0, 0.5], u=[0.0, 0.0, 1.0, 2.0], b=[0.0, -log3, 0.0, 0.0])
    hidden, memory = step(cell, [1.0], [0.2, 4.0])
    # opens by 3/4, keeps 1/4, shows sigmoid(0.2), and would write tanh(0.5 + 0.4)
    assert memory == pytest.approx(4 / 4 + 3 / 4 * math.tanh(0.9))
    assert hidden == pytest.approx(sigmoid(0.2) * math.tanh(memory))


def test_a_memory_is_normalised_before_it_is_shown_but_carried_as_it_is() -> None:
    cell = LSTMCell(1, 2, layer_norm=True)
    with torch.no_grad():
        for norm in (cell.input_norm, cell.hidden_norm):
            norm.get_parameter("weight").zero_()
    # all gates are 1/2 and nothing new is written: the memory halves, and its norm is -1, 1
    shown = 0.5 * math.tanh(1.0)
    wanted = [-shown, shown, 2.0, 4.0]
    assert step(cell, [7.0], [0.3, 0.4, 4.0, 8.0]) == pytest.approx(wanted, abs=1e-4)


def test_long_short_term_memory_is_pytorchs() -> None:
    torch.manual_seed(0)
    ours, theirs = LSTMCell(3, 4), nn.LSTMCell(3, 4)

    def reordered(x: Tensor) -> Tensor:
        """PyTorch's order is i, f, g, o."""
        opening, forget, showing, candidate = x.chunk(4)
        return torch.cat((opening, forget, candidate, showing))

    with torch.no_grad():
        theirs.weight_ih.copy_(reordered(ours.input.weight))
        theirs.bias_ih.copy_(reordered(ours.input.bias))
        theirs.weight_hh.copy_(reordered(ours.hidden.weight))
        theirs.bias_hh.copy_(reordered(ours.hidden.bias))
        x, state = torch.randn(5, 3), torch.randn(5, 8)
        wanted = torch.cat(theirs(x, (state[:, :4], state[:, 4:])), -1)
        torch.testing.assert_close(ours(ours.project(x), state), wanted)


def test_the_plain_cell_is_pytorchs() -> None:
    torch.manual_seed(0)
    ours, theirs = RNNCell(3, 4), nn.RNNCell(3, 4)
    with torch.no_grad():
        theirs.weight_ih.copy_(ours.input.weight)
        theirs.bias_ih.copy_(ours.input.bias)
        theirs.weight_hh.copy_(ours.hidden.weight)
        theirs.bias_hh.copy_(ours.hidden.bias)
        x, state = torch.randn(5, 3), torch.randn(5, 4)
        torch.testing.assert_close(ours(ours.project(x), state), theirs(x, state))


@every_cell
@with_and_without_norm
def test_a_state_is_one_tensor_and_begins_with_the_output(name: CellName, layer_norm: bool) -> None:
    cell = CELLS[name](3, 4, layer_norm)
    state = cell(cell.project(torch.randn(2, 3)), torch.zeros(2, cell.state_size))
    assert state.shape == (2, cell.state_size) == (2, 8 if name == "lstm" else 4)
    assert torch.equal(cell.output(state), state[:, :4])
    assert (cell.output(state).abs() < 1).all()


@every_cell
@with_and_without_norm
def test_a_run_is_one_step_after_another(name: CellName, layer_norm: bool) -> None:
    cell = CELLS[name](3, 4, layer_norm)
    x, kept = torch.randn(2, 3, 3), torch.tensor([[0.0, 2.0, 0.0, 2.0]]).expand(2, 4)
    state = torch.randn(2, cell.state_size)
    states = run(cell, cell.project(x), state, kept)
    for t in range(3):
        state = cell(cell.project(x[:, t]), state, kept)
        torch.testing.assert_close(states[:, t], state)


@every_cell
def test_what_is_dropped_from_a_state_is_not_read(name: CellName) -> None:
    cell = CELLS[name](3, 4)
    inputs, state = cell.project(torch.randn(1, 3)), torch.zeros(1, cell.state_size)
    other, kept = state.clone(), torch.tensor([[0.0, 1.0, 1.0, 1.0]])
    other[0, 0] = 5.0
    before, after = cell(inputs, state, kept), cell(inputs, other, kept)
    assert torch.equal(before[:, 1:], after[:, 1:])


@every_cell
@with_and_without_norm
def test_a_cell_starts_orthogonal_and_without_biases(name: CellName, layer_norm: bool) -> None:
    torch.manual_seed(0)
    cell = CELLS[name](3, 4, layer_norm)
    cell.initialise()
    for gate in cell.hidden.weight.chunk(cell.gates):
        torch.testing.assert_close(gate @ gate.T, torch.eye(4), atol=1e-5, rtol=0)
    biases = {n: p for n, p in cell.named_parameters() if n.endswith("bias")}
    wanted = [0.0] * 4 + [1.0] * 4 + [0.0] * 8 if name == "lstm" else [0.0] * 4 * cell.gates
    assert biases.pop("input_norm.bias" if layer_norm else "input.bias").tolist() == wanted
    assert all((bias == 0).all() for bias in biases.values())


@every_cell
def test_layer_norm_makes_a_cell_blind_to_the_scale_of_what_it_reads(name: CellName) -> None:
    torch.manual_seed(0)
    cell = CELLS[name](3, 8, layer_norm=True)
    cell.initialise()
    x, state = torch.randn(5, 3), torch.randn(5, cell.state_size)
    once, tenfold = (cell(cell.project(k * x), state) for k in (1, 10))
    torch.testing.assert_close(once, tenfold, atol=0.02, rtol=0)


def test_a_norm_of_any_number_of_gates() -> None:
    normal = GateNorm(2, 3)(torch.tensor([[1.0, 2.0, 3.0, -5.0, 5.0, 0.0]]))
    one = math.sqrt(3 / 2)  # both gates have mean 2 or 0; deviations sqrt(2/3) and sqrt(50/3)
    wanted = torch.tensor([[-one, 0.0, one, -one, one, 0.0]])
    torch.testing.assert_close(normal, wanted, atol=1e-4, rtol=0)
