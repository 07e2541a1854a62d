"""Small parts of a comparison: joined sentences, energy, memory."""

import mmap
from pathlib import Path

import pytest

from training.compare.energy import WATTS_PER_CORE, EnergyMeter, estimate_energy
from training.compare.joined import joined_test, joined_training, write_pairs
from training.compare.memory import forget_peak, peak_mib
from training.corpora.pair import Pair
from training.corpora.readers import JsonLinesFile, read_pairs

PAIRS = [Pair(f"s{i}", f"t{i}") for i in range(7)]


def test_joined_tests_take_neighbours_and_leave_the_rest() -> None:
    assert joined_test(PAIRS, 1) == PAIRS
    assert joined_test(PAIRS, 3) == [Pair("s0 s1 s2", "t0 t1 t2"), Pair("s3 s4 s5", "t3 t4 t5")]
    assert joined_test(PAIRS, 8) == []


def test_joined_training_pairs_are_as_many_and_of_all_lengths(tmp_path: Path) -> None:
    joined = joined_training(PAIRS, longest=4)
    assert len(joined) == len(PAIRS)
    assert [len(pair.src.split()) for pair in joined] == [2, 3, 4, 2, 3, 4, 2]
    for src, tgt in joined:
        assert [word[1:] for word in src.split()] == [word[1:] for word in tgt.split()]
    assert joined == joined_training(PAIRS, longest=4)
    write_pairs(tmp_path / "joined.jsonl", joined)
    assert list(read_pairs(JsonLinesFile(path=tmp_path / "joined.jsonl"))) == joined


def test_a_single_pair_cannot_be_joined_with_others() -> None:
    assert joined_training(PAIRS[:1], longest=4) == PAIRS[:1]


def write_counter(powercap: Path, microjoules: int) -> None:
    for name in ("intel-rapl:0", "intel-rapl:0:0"):  # a package, and a part of it that counts twice
        (powercap / name).mkdir(parents=True, exist_ok=True)
        (powercap / name / "energy_uj").write_text(f"{microjoules}\n")
        (powercap / name / "max_energy_range_uj").write_text("10000000\n")


def test_energy_is_read_from_the_processor(tmp_path: Path) -> None:
    write_counter(tmp_path, 1_000_000)
    meter = EnergyMeter(tmp_path)
    write_counter(tmp_path, 3_500_000)
    found = meter.spent()
    assert (found.joules, found.method, found.watts_per_core) == (2.5, "rapl", None)


def test_a_counter_that_started_again_is_understood(tmp_path: Path) -> None:
    write_counter(tmp_path, 9_000_000)
    meter = EnergyMeter(tmp_path)
    write_counter(tmp_path, 500_000)
    assert meter.spent().joules == 1.5


def test_energy_is_an_estimate_where_it_cannot_be_read(tmp_path: Path) -> None:
    found = EnergyMeter(tmp_path / "nothing").spent()
    assert (found.method, found.watts_per_core) == ("estimate", WATTS_PER_CORE)
    assert estimate_energy(60).joules == 60 * WATTS_PER_CORE


def test_the_peak_of_memory_is_that_of_the_work() -> None:
    forget_peak()
    before = peak_mib()
    with mmap.mmap(-1, 64 * 2**20) as block:  # fresh: what was freed before may be kept for more
        for page in range(0, len(block), mmap.PAGESIZE):
            block[page] = 1
        assert peak_mib() - before == pytest.approx(64, abs=8)
