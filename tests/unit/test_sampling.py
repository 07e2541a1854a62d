import numpy as np
import pytest

from mt.sampling import draw, keep_drawn, uniform_draws
from mt.search_options import SearchOptions

HALVES = np.log([[0.5, 0.25, 0.125, 0.125]])


def drawn(uniform: float, log_probs: np.ndarray = HALVES, **options: float) -> int:
    """The candidate that one row's draw falls on."""
    asked = SearchOptions.model_validate({"samples": 1, **options})
    ids = np.arange(log_probs.shape[1])[None]
    return int(draw(ids, log_probs, np.array([uniform]), [asked])[0])


@pytest.mark.parametrize(
    ("uniform", "candidate"),
    [(0.0, 0), (0.49, 0), (0.51, 1), (0.74, 1), (0.76, 2), (0.87, 2), (0.88, 3), (1 - 2**-53, 3)],
)
def test_each_candidate_has_its_share_of_the_numbers(uniform: float, candidate: int) -> None:
    assert drawn(uniform) == candidate


def test_temperature_one_half_squares_probabilities() -> None:
    share = 16 / (16 + 4 + 1 + 1)
    assert drawn(share - 1e-9, temperature=0.5) == 0
    assert drawn(share + 1e-9, temperature=0.5) == 1


def test_top_k_leaves_so_many() -> None:
    assert drawn(0.66, top_k=2) == 0  # 2/3 of the rest
    assert drawn(0.67, top_k=2) == 1
    assert drawn(1 - 2**-53, top_k=2) == 1
    assert drawn(1 - 2**-53, top_k=9) == 3


@pytest.mark.parametrize(("top_p", "worst"), [(0.1, 0), (0.5, 0), (0.51, 1), (0.75, 1), (0.76, 2)])
def test_top_p_leaves_the_fewest_that_reach_it(top_p: float, worst: int) -> None:
    assert drawn(1 - 2**-53, top_p=top_p) == worst


def test_top_p_is_of_what_temperature_and_top_k_leave() -> None:
    assert drawn(1 - 2**-53, top_k=2, top_p=0.66) == 0
    assert drawn(1 - 2**-53, top_k=2, top_p=0.67) == 1
    assert drawn(1 - 2**-53, temperature=0.5, top_p=0.72) == 0  # 16/22 = 0.727


def test_banned_candidates_are_never_drawn_nor_counted() -> None:
    banned = np.array([[-np.inf, np.log(0.6), -np.inf, np.log(0.4)]])
    assert drawn(0.0, banned) == 1
    assert drawn(0.61, banned) == 3
    assert drawn(1 - 2**-53, banned, top_k=2) == 3
    assert drawn(1 - 2**-53, banned, top_k=1) == 1


def test_a_row_without_candidates_stays_so() -> None:
    assert drawn(0.5, np.full((1, 3), -np.inf)) == 0


def test_the_coldest_temperature_takes_the_best() -> None:
    assert drawn(1 - 2**-53, np.array([[-0.5, -1.0, -1e4, -np.inf]]), temperature=0.01) == 0


def test_rows_draw_each_by_its_own_options() -> None:
    asked = [SearchOptions(samples=1, top_k=1), SearchOptions(samples=1)]
    ids = np.arange(4)[None].repeat(2, axis=0)
    found = draw(ids, HALVES.repeat(2, axis=0), np.array([0.9, 0.9]), asked)
    assert found.tolist() == [0, 3]


def test_candidates_beyond_the_cut_change_nothing() -> None:
    """Neighbours may ask the model for more: not even rounding may differ."""
    wide = np.sort(np.random.default_rng(0).normal(size=(200, 300)))[:, ::-1]
    uniform = np.random.default_rng(1).random(200)
    asked = [SearchOptions(samples=1, top_k=7, temperature=0.7)] * 200
    ids = np.argsort(np.random.default_rng(2).random((200, 300)))
    alone = [
        draw(ids[i : i + 1, :7], wide[i : i + 1, :7], uniform[i : i + 1], asked[:1])[0]
        for i in range(200)
    ]
    assert draw(ids, wide, uniform, asked).tolist() == alone


def test_a_swap_of_near_equals_changes_no_draw() -> None:
    """Rounding may rank them either way."""
    ids, log_probs = np.array([[4, 7, 5, 6]]), HALVES.copy()
    swapped, other = ids[:, [0, 1, 3, 2]], np.add(log_probs, [[0, 0, 1e-9, -1e-9]])
    asked = [SearchOptions(samples=1)]
    for uniform in np.arange(0.01, 1, 0.04):
        number = np.array([uniform])
        one, two = draw(ids, log_probs, number, asked), draw(swapped, other, number, asked)
        assert ids[0, one] == swapped[0, two]


def test_only_the_drawn_candidate_is_kept_with_its_own_log_probability() -> None:
    ids = np.array([[7, 8, 9], [4, 5, 6]])
    log_probs = np.array([[-1.0, -2.0, -3.0], [-1.5, -2.5, -3.5]])
    kept_ids, kept = keep_drawn(np.array([1]), np.array([2]), ids, log_probs, width=2)
    assert kept_ids[0].tolist() == [7, 8]
    assert kept[0].tolist() == [-1.0, -2.0]
    assert (kept_ids[1, 0], kept[1].tolist()) == (6, [-3.5, -np.inf])
    assert (ids[1, 0], log_probs[1, 0]) == (4, -1.5)  # the model's arrays are left alone


def test_numbers_belong_to_seed_source_sample_and_position() -> None:
    numbers = uniform_draws(1, [4, 3], samples=3, length=5)
    assert numbers.shape == (3, 5)
    assert len(np.unique(numbers)) == 15
    assert (uniform_draws(1, [4, 3], 2, 9)[:, :5] == numbers[:2]).all()
    assert not np.isin(uniform_draws(2, [4, 3], 3, 5), numbers).any()
    assert not np.isin(uniform_draws(1, [5, 3], 3, 5), numbers).any()
    assert uniform_draws(1, [4, 3], 0, 5).size == 0
