"""What no file of the program may do, read from its syntax trees; findings name file and line."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [
    path for part in ("mt", "training", "serving") for path in sorted((ROOT / part).rglob("*.py"))
]
RUNS_WHAT_IT_READS = {"pickle", "_pickle", "cPickle", "dill", "joblib", "marshal", "shelve"}
PARSES_XML_AS_IT_COMES = {"xml.etree", "xml.dom", "xml.sax", "lxml"}
HARMLESS = {"xml.sax.saxutils"}  # escapes text
EXPAT = {"mt/bilingual_files/xml_units.py", "serving/text/markup_tokens.py"}  # refuse entities
FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "tempfile.mktemp",
    "torch.load", "torch.jit.load", "torch.package.PackageImporter", "yaml.unsafe_load",
    "yaml.full_load", "numpy.fromfile", "pandas.read_pickle", "hashlib.md5",
}  # fmt: skip
FORBIDDEN_ARGUMENTS = {"shell": True, "allow_pickle": True, "weights_only": False, "verify": False}
YAML_LOADERS = {"mt/config.py"}  # its own, which is a safe one


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node, ast.unparse(node.func)


def is_in(name: str, modules: set[str]) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def findings(name: str, tree: ast.AST) -> list[str]:
    """One line for everything that must not be there."""
    found = []
    for line, module in imported(tree):
        unsafe = is_in(module, RUNS_WHAT_IT_READS)
        unsafe |= is_in(module, PARSES_XML_AS_IT_COMES) and not is_in(module, HARMLESS)
        unsafe |= is_in(module, {"xml.parsers"}) and name not in EXPAT
        found += [f"{name}:{line}: imports {module}"] if unsafe else []
    for call, function in calls(tree):
        unsafe = function in FORBIDDEN_CALLS
        unsafe |= function == "yaml.load" and name not in YAML_LOADERS
        for given in call.keywords:
            value = given.value.value if isinstance(given.value, ast.Constant) else None
            unsafe |= given.arg in FORBIDDEN_ARGUMENTS and value is FORBIDDEN_ARGUMENTS[given.arg]
        found += [f"{name}:{call.lineno}: calls {function}"] if unsafe else []
    return found


def test_nothing_runs_what_it_reads() -> None:
    trees = {str(path.relative_to(ROOT)): ast.parse(path.read_bytes()) for path in FILES}
    assert len(trees) > 200
    assert [line for name, tree in trees.items() for line in findings(name, tree)] == []


def bandit(*given: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bandit", "--quiet", "--recursive"]
    command += ["--configfile", str(ROOT / "pyproject.toml"), "--format", "custom"]
    command += ["--msg-template", "{relpath}:{line}: {test_id} {msg}", *given]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def test_bandit_finds_nothing() -> None:
    """Exceptions are `nosec` with their number and reason, beside the line."""
    found = bandit("mt", "training", "serving")
    assert (found.returncode, found.stdout) == (0, ""), found.stderr


def test_bandit_would_find_it(tmp_path: Path) -> None:
    (tmp_path / "new.py").write_text("import random\nkey = random.randint(1, 9)\n")
    found = bandit(str(tmp_path))
    assert found.returncode == 1
    assert "new.py:2: B311" in found.stdout


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from pickle import loads",
        "import xml.etree.ElementTree as ET",
        "from xml.parsers import expat",
        "from lxml import etree",
        "torch.load(path)",
        "torch.load(path, weights_only=True)",
        "np.load(path, allow_pickle=True)",
        "subprocess.run(command, shell=True)",
        "yaml.load(text, Loader)",
        "eval(text)",
        "httpx.get(url, verify=False)",
    ],
)
def test_this_test_would_see_it(code: str) -> None:
    assert len(findings("mt/new.py", ast.parse(code))) == 1
