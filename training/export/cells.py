"""Any recurrent cell as nodes of a graph; the mirror of `training.models.cells`."""

from collections.abc import Callable

from training.export.graph import GraphBuilder
from training.export.gru import gate_norm, next_state
from training.models.cell import Cell
from training.models.gru_cell import GRUCell
from training.models.lstm_cell import LSTMCell
from training.models.rnn_cell import RNNCell


def project(graph: GraphBuilder, cell: Cell, x: str) -> str:
    """What `step` reads of x (n, input): (n, gates * hidden)."""
    return gate_norm(graph, graph.linear(x, cell.input), cell.input_norm)


def output(graph: GraphBuilder, cell: Cell, state: str) -> str:
    """What others read of a state (..., state_size): (..., hidden)."""
    return parts(graph, cell, state)[0]


def parts(graph: GraphBuilder, cell: Cell, state: str) -> list[str]:
    """All that a state holds, the output first, each (..., hidden)."""
    if cell.parts == 1:
        return [state]
    return graph.ops("Split", state, outputs=cell.parts, axis=-1, num_outputs=cell.parts)


def step(graph: GraphBuilder, cell: Cell, inputs: str, state: str, name: str = "") -> str:
    """The next state (n, state_size), called `name` or a fresh name.

    inputs (n, gates * hidden), projected; state (n, state_size).
    """
    hidden, *more = parts(graph, cell, state)
    recurrent = gate_norm(graph, graph.linear(hidden, cell.hidden), cell.hidden_norm)
    return _EQUATIONS[type(cell)](graph, cell, inputs, recurrent, [hidden, *more], name)


def _gru(
    graph: GraphBuilder, cell: Cell, inputs: str, recurrent: str, state: list[str], name: str
) -> str:
    return next_state(graph, inputs, recurrent, state[0], cell.hidden_size, name)


def _lstm(
    graph: GraphBuilder, cell: Cell, inputs: str, recurrent: str, state: list[str], name: str
) -> str:
    total, size = graph.op("Add", inputs, recurrent), cell.hidden_size
    sizes = graph.constant([3 * size, size])
    gates, candidate = graph.ops("Split", total, sizes, outputs=2, axis=-1)
    gates = graph.op("Sigmoid", gates)
    opening, forget, showing = graph.ops("Split", gates, outputs=3, axis=-1, num_outputs=3)
    written = graph.op("Mul", opening, graph.op("Tanh", candidate))
    memory = graph.op("Add", graph.op("Mul", forget, state[1]), written)
    shown = graph.op("Tanh", gate_norm(graph, memory, cell.get_submodule("cell_norm")))
    return graph.op("Concat", graph.op("Mul", showing, shown), memory, axis=-1, name=name)


def _rnn(
    graph: GraphBuilder, cell: Cell, inputs: str, recurrent: str, state: list[str], name: str
) -> str:
    return graph.op("Tanh", graph.op("Add", inputs, recurrent), name=name)


_EQUATIONS: dict[type[Cell], Callable[[GraphBuilder, Cell, str, str, list[str], str], str]] = {
    GRUCell: _gru,
    LSTMCell: _lstm,
    RNNCell: _rnn,
}
