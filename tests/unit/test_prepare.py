"""What is made before the first update, beyond what the tests of `train` cover."""

from pathlib import Path

from tests.tiny_run import tiny_recipe, tiny_tokenizer, write_corpus
from training.dataset import read_facts
from training.prepare import DATA, TOKENIZER, prepare, sha256_of


def test_a_student_takes_its_teacher_s_pieces_and_their_checksum_is_recorded(
    tmp_path: Path,
) -> None:
    write_corpus(tmp_path)
    (tmp_path / "teacher").mkdir()
    (tmp_path / "teacher" / TOKENIZER).write_bytes(tiny_tokenizer().model)
    recipe = tiny_recipe(tmp_path, subwords={"model": str(tmp_path / "teacher")})
    prepared = prepare(recipe, tmp_path / "run", None)
    assert (tmp_path / "run" / TOKENIZER).read_bytes() == tiny_tokenizer().model
    assert prepared.origin.tokenizer_sha256 == sha256_of(tiny_tokenizer())
    facts = read_facts(tmp_path / "run" / DATA)
    assert facts is not None
    assert facts.made_from["tokenizer"] == prepared.origin.tokenizer_sha256
