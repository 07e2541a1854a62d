"""The GPU benchmark's script with toys on a CPU, and its figures by hand."""

import json
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.benchmarks import gpu
from tests.benchmarks.gpu_parts import GPU, LARGER, SIZES, gpu_parts
from tests.benchmarks.gpu_report import GPUReport, bleu_of_seeds, gain_of_sharing, minutes_to_goals
from tests.benchmarks.gpu_speed import useful_flops
from tests.benchmarks.gpu_workers import Workers
from tests.tiny_models import tiny_gru, tiny_transformer
from training.batching import Batch
from training.recipe import read_recipe


def batch(src: list[list[int]], tgt: list[list[int]]) -> Batch:
    none = torch.zeros(0, dtype=torch.int64)
    return Batch(torch.tensor(src), torch.tensor(tgt), torch.tensor(tgt), none, none)


ONE = batch([[5, 3]], [[6, 7, 3]])  # two source tokens, three target tokens


def test_the_useful_products_of_a_transformer_by_hand() -> None:
    model = tiny_transformer()  # 2 + 2 layers, d 16, ff 24, 20 words
    source = 2 * (4 * 16 * 16 + 2 * 16 * 24) + 2 * 2 * 16 * 16  # encoder; keys, values
    target = 2 * (4 * 16 * 16 + 2 * 16 * 16 + 2 * 16 * 24) + 20 * 16  # decoder; output
    attention = 2 * 16 * (2 * 2 * 2 + 2 * (1 + 2 + 3) + 2 * 3 * 2)
    assert useful_flops(model, ONE) == 6 * (2 * source + 3 * target + attention)


def test_the_useful_products_of_a_gru_by_hand() -> None:
    model = tiny_gru()  # embedding 10, encoder 6 each way, decoder 14, attention 8, 20 words
    source = 2 * 3 * 6 * (10 + 6) + 12 * 8
    cells = 3 * 14 * (10 + 14) + 3 * 14 * (12 + 14)
    target = cells + 14 * 8 + 10 * (14 + 12 + 10) + 20 * 10
    assert useful_flops(model, ONE) == 6 * (2 * source + 3 * target + 2 * 3 * (8 + 12))


def test_padding_is_no_useful_work() -> None:
    padded = batch([[5, 3, 0], [5, 6, 3]], [[6, 7, 3, 0], [6, 7, 7, 3]])
    parts = ONE, batch([[5, 6, 3]], [[6, 7, 7, 3]])
    model = tiny_transformer()
    assert useful_flops(model, padded) == sum(useful_flops(model, part) for part in parts)


def test_a_goal_is_reached_at_the_first_evaluation_over_it() -> None:
    curve = [
        {"minutes": 0.5, "validation": 39.0, "test": 38.0},
        {"minutes": 1.0, "validation": 39.6, "test": 39.4},
        {"minutes": 1.5, "validation": 39.4, "test": 41.2},
    ]
    assert minutes_to_goals(curve) == {
        "validation": {"39.5": 1.0, "41": None},
        "test": {"39.5": 1.5, "41": 1.5},
    }


def test_seeds_have_a_mean_and_a_deviation() -> None:
    def run(value: float) -> dict[str, Any]:
        scores = [{"metric": "BLEU", "value": value}]
        return {"part": "seeds-de", "run": {"recipe": "s"}, "scored": {"scores": scores}}

    runs = {"a": run(39.0), "b": run(41.0), "unfinished": {"part": "seeds-de"}}
    assert bleu_of_seeds(runs) == {"s": {"seeds": 2, "BLEU": 40.0, "BLEU sd": 1.41}}


def test_several_at_once_are_compared_with_one_in_the_same_work() -> None:
    def row(part: str, tokens: int, speed: float) -> dict[str, Any]:
        work = {"recipe": "s", "max_tokens": tokens, "compiled": False, "whole_logits": False}
        return {"part": part, "tokens_per_s": speed, **work}

    alone = [row("speed", 4096, 10.0), row("speed", 8192, 20.0)]
    assert gain_of_sharing([*alone, *(row("sharing", 8192, 12.0) for _ in range(5))]) == 3.0
    assert gain_of_sharing(alone) is None


def test_utilisation_is_of_the_datasheet_or_else_of_what_was_measured(tmp_path: Path) -> None:
    for datasheet, expected in ((100.0, 0.3), (None, 0.6)):
        found = GPUReport(tmp_path / "gpu.json", {})
        facts = {"datasheet_flops": datasheet, "measured_matmul_flops": 50.0}
        found.receive("device", {"name": "device", "device": facts})
        found.receive("speed", {"name": "row", "speed": {"useful_flops_per_s": 30.0}})
        assert found.values["speed"][0]["model_flops_utilisation"] == expected


def test_every_recipe_of_the_gpu_s_jobs_is_valid_with_its_overrides() -> None:
    seen = set()
    for part in gpu_parts():
        for job in part.jobs(100.0):
            recipe = read_recipe(job["recipe"], tuple(job["overrides"]))
            assert recipe.training.device == "cuda"
            assert recipe.training.precision == "bf16"
            seen.add(job["recipe"])
            if job["kind"] == "train":
                assert recipe.training.max_minutes == pytest.approx(
                    100 * GPU.training_share / 60, abs=1e-3
                )
    assert len(seen) == 4 + 2 + 1
    assert LARGER.keys() <= {*SIZES}


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    pool = Workers(tmp_path)
    yield pool
    pool.stop()


def test_a_job_that_fails_is_told_and_one_that_is_late_is_cut_off(workers: Workers) -> None:
    told: list[dict[str, Any]] = []
    deadline = time.monotonic() + 300
    wrong = {"name": "wrong", "kind": "speed", "recipe": "no-such", "overrides": []}
    assert workers.run([wrong], 1, deadline, told.append) == []
    assert [message["name"] for message in told] == ["wrong"]
    assert told[0]["failed"].startswith("ConfigError: no-such")
    assert workers.run([wrong, wrong | {"name": "next"}], 1, time.monotonic(), told.append) == [
        "wrong",
        "next",
    ]


@pytest.mark.slow
def test_the_whole_script_with_toys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bench" / "gpu.json"
    gpu.main(["--toy", "--minutes", "20", "--out", str(out)])
    assert capsys.readouterr().out == f"{out}: 3 speeds, 2 runs, 0 failures\n"
    found = json.loads(out.read_text(encoding="utf-8"))
    assert found["device"]["device"] == "cpu"
    assert all(facts["cut"] == [] for facts in found["parts"].values())
    assert all(row["model_flops_utilisation"] > 0 for row in found["speed"])
    assert found["summary"]["gain_of_sharing"] > 0
    assert found["summary"]["bleu"]["demo-gru"]["seeds"] == 1
    curve = found["runs"]["demo-transformer.curve"]
    assert {"minutes", "since_start_s", "validation", "test"} <= curve["curve"][0].keys()
    assert curve["scored"]["scores"][0]["signature"]
    assert curve["run"]["updates"] >= 1
    assert "update 1" in out.with_suffix(".log").read_text(encoding="utf-8")
    with tarfile.open(out.with_suffix(".hypotheses.tar.gz")) as archive:
        names = archive.getnames()
    assert names == ["demo-gru.seeds-de.test.txt", "demo-transformer.curve.test.txt"]
