import random
import unicodedata
from collections import Counter
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from mt.errors import CorpusError
from training.corpora import splitting
from training.corpora.pair import Pair
from training.corpora.splitting import SplitConfig, assign_splits, comparable

# Few words, so that sides are shared often and chains grow.
sides = st.text("abcdefgh .!Ä", min_size=1, max_size=3)
corpora = st.lists(st.builds(Pair, sides, sides), min_size=4, max_size=60)
configs = st.builds(
    SplitConfig,
    validation=st.integers(1, 8),
    test=st.integers(0, 8),
    seed=st.integers(0, 99),
)


def groups(pairs: list[Pair]) -> list[list[int]]:
    """Connected components the slow way: spread until nothing changes."""
    label = list(range(len(pairs)))
    keys = [{("s", comparable(src)), ("t", comparable(tgt))} for src, tgt in pairs]
    changed = True
    while changed:
        changed = False
        for i in range(len(pairs)):
            for j in range(i):
                if keys[i] & keys[j] and label[i] != label[j]:
                    label[i] = label[j] = min(label[i], label[j])
                    changed = True
    return [[i for i, own in enumerate(label) if own == root] for root in set(label)]


@settings(max_examples=100, deadline=None)
@given(corpora, configs)
def test_no_side_is_shared_and_every_pair_has_one_split(
    pairs: list[Pair], config: SplitConfig
) -> None:
    try:
        assignment = assign_splits(iter(pairs), config)
    except CorpusError:
        groups_of = [len(group) for group in groups(pairs)]
        too_few_pairs = config.validation + config.test >= len(pairs)
        no_validation = min(groups_of) > config.validation
        no_test = config.test > 0 and sum(size <= config.test for size in groups_of) < 2
        assert too_few_pairs or no_validation or no_test
        return
    assert len(assignment) == len(pairs)
    for group in groups(pairs):
        assert len({assignment[i] for i in group}) == 1
    sizes = Counter(assignment)
    assert 1 <= sizes[1] <= config.validation
    assert sizes[2] <= config.test
    assert sizes[0] >= 1


@settings(max_examples=50, deadline=None)
@given(st.integers(40, 120), configs, st.data())
def test_sizes_are_exact_where_single_pairs_can_fill_them(
    singles: int, config: SplitConfig, data: st.DataObject
) -> None:
    pairs = [Pair(f"s{n}", f"t{n}") for n in range(singles)]
    pairs += [Pair(f"shared{n % 3}", f"u{n}") for n in range(data.draw(st.integers(0, 30)))]
    order = data.draw(st.permutations(pairs))
    sizes = Counter(assign_splits(order, config))
    assert (sizes[1], sizes[2]) == (config.validation, config.test)


def plainly_assigned(pairs: list[Pair], config: SplitConfig) -> list[int]:
    """Draw components, each named by its first pair, until there is no room."""
    members = {min(group): group for group in groups(pairs)}
    order = sorted(members)
    random.Random(config.seed).shuffle(order)
    asked = {1: config.validation, 2: config.test}
    room, given = dict(asked), [0] * len(pairs)
    for root in order:
        fitting = [split for split in room if len(members[root]) <= room[split]]
        if fitting:
            chosen = max(fitting, key=lambda split: room[split] / asked[split])
            room[chosen] -= len(members[root])
            for pair in members[root]:
                given[pair] = chosen
    return given


@settings(max_examples=60, deadline=None)
@given(corpora, configs, st.integers(1, 7))
def test_equals_the_plain_way(pairs: list[Pair], config: SplitConfig, chunk: int) -> None:
    with mock.patch.multiple(splitting, CHUNK=chunk, IN_MEMORY=20, DRAWERS=3):
        try:
            assignment = assign_splits(iter(pairs), config)
        except CorpusError:
            return
    assert list(assignment) == plainly_assigned(pairs, config)


def spelled_out(text: str) -> str:
    """What `comparable` says, letter by letter."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = (one if unicodedata.category(one)[0] in "LMN" else " " for one in folded)
    return " ".join("".join(kept).split()) or text.strip()


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_side_is_compared_by_its_letters_digits_and_marks(text: str) -> None:
    assert comparable(text) == spelled_out(text)
