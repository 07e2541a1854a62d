"""Bulk translation by Ray Data: every text once, although an actor is killed on the way."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from mt.errors import ConfigError
from mt.search_options import SearchOptions
from serving.bulk import bulk, ray_data, shards
from serving.bulk.shards import Order
from serving.commands import file_jobs
from serving.settings import EngineSettings
from tests.echo_bundle import write_echo_bundle

pytest.importorskip("pyarrow", reason="Ray Data needs the extra `ray`")
pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
LINES = [f"Il dort {number}.\n" for number in range(60)]


class DiesOnce(ray_data.ShardTranslator):
    """Is killed with its first shard translated but not told."""

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        done = super().__call__(batch)
        mark = Path(str(batch["target"][0])).parents[2] / "killed"
        try:
            mark.touch(exist_ok=False)
        except FileExistsError:
            return done
        os.kill(os.getpid(), signal.SIGKILL)
        return done


@pytest.mark.timeout(900)
def test_every_line_comes_out_once_though_an_actor_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_echo_bundle(tmp_path / "echo")
    (tmp_path / "in").mkdir()
    for name in ("a.txt", "b.txt"):
        (tmp_path / "in" / name).write_text("".join(LINES))
    monkeypatch.setattr(ray_data, "ShardTranslator", DiesOnce)
    monkeypatch.setattr(shards, "SHARD_BYTES", 200)
    order = Order(tmp_path / "echo", EngineSettings(), SearchOptions(beam_size=1))
    jobs = file_jobs.plan([str(tmp_path / "in")], tmp_path / "out")
    bulk.run(jobs, order, ray_data.on_ray(actors=2))
    assert (tmp_path / "killed").exists()
    for name in ("a.txt", "b.txt"):
        assert (tmp_path / "out" / name).read_text() == "".join(LINES)
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == ["a.txt", "b.txt"]


@pytest.mark.timeout(600)
def test_more_actors_than_cores_are_refused(tmp_path: Path) -> None:
    write_echo_bundle(tmp_path / "echo")
    (tmp_path / "a.txt").write_text("Il dort.\n")
    order = Order(tmp_path / "echo", EngineSettings(), SearchOptions(beam_size=1))
    jobs = file_jobs.plan([str(tmp_path / "a.txt")], tmp_path / "b.txt")
    with pytest.raises(ConfigError, match="--actors 1000 of 1 cores need 1000, but Ray has"):
        bulk.run(jobs, order, ray_data.on_ray(actors=1000))
