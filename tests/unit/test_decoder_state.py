import numpy as np
import pytest

from serving.decoder_state import Axes, DecoderState, Floats

CACHE: dict[str, Axes] = {
    "state.keys": ["entries", 2, "past_len", 3],
    "last_ids": ["sentences", "width"],
}
REPLACED: dict[str, Axes] = {"state.hidden": ["entries", 2], "state.context": ["entries", 1]}


def test_caches_begin_with_one_entry_of_length_zero() -> None:
    state = DecoderState(CACHE)
    assert state.tensors["state.keys"].shape == (1, 2, 0, 3)
    assert state.begin([{}, {}]).tolist() == [0, 0]
    assert state.start_names == []
    assert state.next_names == ["next.keys"]


def test_new_sentences_stand_behind_the_old_entries() -> None:
    state = DecoderState(REPLACED)
    assert state.start_names == ["start.hidden", "start.context"]
    assert state.begin([first_states(1)]).tolist() == [0]
    assert state.begin([first_states(2), first_states(1)]).tolist() == [1, 2]
    assert state.tensors["state.hidden"].tolist() == [[1, 1], [2, 2], [1, 1]]
    assert state.tensors["state.context"].tolist() == [[1], [2], [1]]


def test_caches_beside_replaced_states_get_entries_with_them() -> None:
    state = DecoderState(CACHE | {"state.hidden": ["entries", 2]})
    assert state.start_names == ["start.hidden"]
    assert state.begin([first_states(1), first_states(2)]).tolist() == [1, 2]  # entry 0 is no one's
    assert state.tensors["state.keys"].shape == (3, 2, 0, 3)
    written = np.ones((2, 2, 1, 3), np.float32)
    state.replace({"next.keys": written, "next.hidden": np.ones((2, 2), np.float32)})
    assert state.begin([first_states(3)]).tolist() == [2]
    assert state.tensors["state.hidden"].tolist() == [[1, 1], [1, 1], [3, 3]]
    assert state.tensors["state.keys"][:, 0, 0, 0].tolist() == [1, 1, 0]


def first_states(value: float) -> dict[str, Floats]:
    shapes = {"start.hidden": (1, 2), "start.context": (1, 1)}
    return {name: np.full(shape, value, np.float32) for name, shape in shapes.items()}


@pytest.mark.parametrize(
    ("length", "longest", "kept"),
    [(20, 20, 20), (20, 13, 20), (20, 12, 12), (40, 31, 40), (40, 30, 30), (9, 0, 0)],
)
def test_caches_are_trimmed_on_the_left_when_it_pays(length: int, longest: int, kept: int) -> None:
    state = DecoderState(CACHE)
    cache = np.arange(length, dtype=np.float32)[None, None, :, None] * np.ones((1, 2, 1, 3))
    state.replace({"next.keys": cache.astype(np.float32)})
    state.trim(longest)
    assert state.tensors["state.keys"][0, 0, :, 0].tolist() == list(range(length - kept, length))
