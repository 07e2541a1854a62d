"""Each extra alone is enough for its half: every module imports, and serving translates."""

import json

import pytest

from tests.e2e.conftest import Chain
from tests.e2e.environment import make_environment, run_in

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


def test_the_other_half_says_what_to_install(tmp_path_factory: pytest.TempPathFactory) -> None:
    environment = make_environment(tmp_path_factory.mktemp("env") / "serve", "serve")
    code = "from mt.cli import main; main(['export', 'run', '--out', 'bundle'])"
    done = run_in(environment, code)
    assert done.returncode == 2
    assert "pip install 'seq2serve[train]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
