"""Which files are translated, where they go, and what an interrupted run leaves to do."""

from pathlib import Path

import pytest

from mt.errors import ConfigError, InputError
from serving import file_formats
from serving.commands import file_jobs
from serving.commands.file_jobs import FileJob, Report


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("in/a.txt", "in/deep/b.SRT", "in/deep/c.exe", "in/.hidden.job"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def planned(*inputs: str, out: str = "out") -> list[tuple[str, str]]:
    jobs = file_jobs.plan(inputs, Path(out))
    return [(str(job.source), str(job.target)) for job in jobs]


@pytest.mark.usefixtures("tree")
def test_a_folder_keeps_its_layout() -> None:
    assert planned("in") == [("in/a.txt", "out/a.txt"), ("in/deep/b.SRT", "out/deep/b.SRT")]


@pytest.mark.usefixtures("tree")
def test_a_pattern_keeps_what_comes_after_its_fixed_part() -> None:
    assert planned("in/**/*.SRT") == [("in/deep/b.SRT", "out/deep/b.SRT")]
    assert planned("in/*.txt", "in/deep/c.*") == [
        ("in/a.txt", "out/a.txt"),
        ("in/deep/c.exe", "out/c.exe"),
    ]


@pytest.mark.usefixtures("tree")
def test_one_file_goes_to_a_file_or_into_a_folder(tree: Path) -> None:
    assert planned("in/a.txt", out="b.txt") == [("in/a.txt", "b.txt")]
    (tree / "out").mkdir()
    assert planned("in/a.txt") == [("in/a.txt", "out/a.txt")]


@pytest.mark.usefixtures("tree")
def test_what_cannot_be() -> None:
    with pytest.raises(ConfigError, match="no file none"):
        planned("none.txt")
    with pytest.raises(ConfigError, match="would be overwritten"):
        planned("in", out="in")
    Path("a.txt").write_text("")
    with pytest.raises(ConfigError, match="several files would be written to out/a"):
        planned("in/a.txt", "a.txt")


def jobs_in(folder: Path, *names: str) -> list[FileJob]:
    return [FileJob(folder / name, folder / "out" / name) for name in names]


def test_what_is_there_is_done(tmp_path: Path) -> None:
    jobs = jobs_in(tmp_path, "a", "b", "c")
    seen = []

    def translate(job: FileJob, report: Report) -> bytes:
        seen.append(job.source.name)
        report(0.5)
        if job.source.name == "b" and len(seen) < 3:
            raise KeyboardInterrupt
        job.note.parent.mkdir(exist_ok=True)
        job.note.write_text("{}")
        return job.source.name.encode()

    with pytest.raises(KeyboardInterrupt):
        file_jobs.run(jobs, translate)
    file_jobs.run(jobs, translate)
    assert seen == ["a", "b", "b", "c"]
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == ["a", "b", "c"]
    assert (tmp_path / "out" / "c").read_bytes() == b"c"


def test_one_that_fails_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def translate(job: FileJob, report: Report) -> bytes:
        if job.source.name == "a":
            raise InputError("file: byte 1 is not UTF-8")
        return b""

    with pytest.raises(ConfigError, match="1 of 2 files failed"):
        file_jobs.run(jobs_in(tmp_path, "a", "b"), translate)
    assert "a: file: byte 1 is not UTF-8" in capsys.readouterr().err
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["b"]


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        file_jobs.read(tmp_path)
    (tmp_path / "out").write_text("")
    with pytest.raises(ConfigError, match="1 of 1 files failed"):
        file_jobs.run(jobs_in(tmp_path, "a"), lambda *_: b"")


def test_folders_give_what_can_be_read() -> None:
    assert set(file_jobs.ENDINGS) == set(file_formats.ENDINGS)
