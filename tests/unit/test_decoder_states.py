import numpy as np

from serving.steps.decoder_states import Axes, DecoderStates
from serving.steps.home import Array

INPUTS: dict[str, Axes] = {
    "state.hidden": ["entries", 2],
    "state.context": ["entries", 1],
    "state.keys": ["sentences", 2, "cache_len", 3],
    "last_ids": ["sentences", "width"],
}


def first_states(value: float) -> dict[str, Array]:
    shapes = {"start.hidden": (1, 2), "start.context": (1, 1)}
    return {name: np.full(shape, value, np.float32) for name, shape in shapes.items()}


def test_caches_are_none_of_its_business() -> None:
    states = DecoderStates(INPUTS)
    assert states.names == ["state.hidden", "state.context"]
    assert states.start_names == ["start.hidden", "start.context"]


def test_new_sentences_stand_behind_the_old_entries() -> None:
    states = DecoderStates(INPUTS)
    assert states.begin([first_states(1)]).tolist() == [0]
    assert states.begin([first_states(2), first_states(1)]).tolist() == [1, 2]
    assert states.tensors["state.hidden"].tolist() == [[1, 1], [2, 2], [1, 1]]
    assert states.tensors["state.context"].tolist() == [[1], [2], [1]]


def test_a_step_replaces_them_all() -> None:
    states = DecoderStates(INPUTS)
    states.begin([first_states(1)])
    following = states.following(3)
    assert {name: array.shape for name, array in following.items()} == {
        "next.hidden": (3, 2),
        "next.context": (3, 1),
    }
    for array in following.values():
        array[...] = 7
    states.replace(following, 3)
    assert states.tensors["state.hidden"] is following["next.hidden"]
    assert states.begin([first_states(1)]).tolist() == [3]


def test_without_states_there_is_nothing_to_begin() -> None:
    assert DecoderStates({}).begin([{}, {}]).tolist() == [0, 0]
