"""Each extra alone is enough for its half: every module imports, and serving translates."""

import json
from pathlib import Path

import pytest

from tests.app_client import echo
from tests.e2e.conftest import Chain
from tests.e2e.environment import make_environment, run_in
from tests.fake_bundle import fake_bundle
from tests.loopback import on_loopback

IMPORT_ALL = """
import importlib, pkgutil
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        if module.name != "mt.__main__":
            importlib.import_module(module.name)
"""

TRANSLATE = """
import importlib.util, json
assert importlib.util.find_spec("torch") is None
from serving.translator import Translator
with Translator.open(sys.argv[1]) as translator:
    [answer] = translator.translate(["Jane visite l'Afrique en septembre."])
print(json.dumps({"text": answer.text, "torch": "torch" in sys.modules}))
"""


CLIENT = """
import importlib.util, json
heavy = ["torch", "ray", "onnxruntime", "onnx", "fastapi", "starlette", "uvicorn", "limits"]
assert [name for name in heavy if importlib.util.find_spec(name)] == []
from mt.cli import main
server, *rest = sys.argv[1:]
try:
    main(["translate", "--server", server, "--source", "fr", "--target", "en", *rest])
finally:
    print(json.dumps([name for name in ["numpy", "sentencepiece"] if name in sys.modules]))
"""


@pytest.mark.parametrize(("extra", "half"), [("train", "training"), ("serve", "serving")])
def test_every_module_imports_with_its_extra_alone(
    extra: str, half: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    environment = make_environment(tmp_path_factory.mktemp("env") / extra, extra)
    done = run_in(environment, IMPORT_ALL, "mt", half)
    assert done.returncode == 0, done.stderr


def test_serving_translates_where_torch_is_not_installed(
    chains: dict[str, Chain], tmp_path_factory: pytest.TempPathFactory
) -> None:
    environment = make_environment(tmp_path_factory.mktemp("env") / "serve", "serve")
    done = run_in(environment, TRANSLATE, str(chains["transformer"].bundle))
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["text"].strip()
    assert answer["torch"] is False


def test_the_client_needs_nothing_of_a_server(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    environment = make_environment(tmp_path_factory.mktemp("env") / "client", "client")
    (tmp_path / "talk.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nJane visite.\n")
    with on_loopback(echo(fake_bundle())) as server:
        for more in ([], ["--out", str(tmp_path / "out.srt")]):
            done = run_in(environment, CLIENT, server, str(tmp_path / "talk.srt"), *more)
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout.splitlines()[-1]) == []
    assert (tmp_path / "out.srt").read_text() == (tmp_path / "talk.srt").read_text()


def test_the_other_half_says_what_to_install(tmp_path_factory: pytest.TempPathFactory) -> None:
    environment = make_environment(tmp_path_factory.mktemp("env") / "serve", "serve")
    code = "from mt.cli import main; main(['export', 'run', '--out', 'bundle'])"
    done = run_in(environment, code)
    assert done.returncode == 2
    assert "pip install 'seq2serve[train]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
