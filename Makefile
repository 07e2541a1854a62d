# seq2serve: `make demo` shows everything, `make test` checks everything.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/installed
EXTRAS := train,embeddings,serve,ray,trace,dev
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: audit chaos soak help setup demo test lint bench-bulk bench-decoding bench-decoding-file bench-gpu bench-serving bench-training bench-training-peers clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-21s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## create .venv and install everything into it

$(STAMP): Makefile pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[$(EXTRAS)]'
	@touch $@

demo: setup ## train, compare, export and serve three small models (6 minutes)
	$(BIN)/seq2serve demo --out build/demo

lint: setup ## formatting, style, types and the architecture's import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

audit: setup ## known vulnerabilities of what is installed; asks public databases, so needs a network
	$(PIP) pip-audit
	$(BIN)/pip-audit --no-deps --disable-pip --requirement constraints.txt

test: lint ## every check and every test
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

bench-bulk: setup ## translate --ray by one and two actors: make bench-bulk BUNDLE=... LINES=...
	$(BIN)/python -m tests.benchmarks.bulk $(BUNDLE) $(LINES)

bench-decoding: setup ## decoding speed beside CTranslate2 and PyTorch -> build/bench/decoding.json
	$(PIP) -e '.[bench]'
	$(BIN)/python -m tests.benchmarks.decoding

bench-decoding-file: setup ## a test set to natural ends [RUN=... BUNDLE=...; or 20 minutes of training]
	$(PIP) -e '.[bench]'
	$(BIN)/python -m tests.benchmarks.decoding_file $(RUN) $(BUNDLE)

bench-serving: setup ## load over HTTP, beside CTranslate2 [RUN=... BUNDLE=...; or as above]
	$(PIP) -e '.[bench]'
	$(BIN)/python -m tests.benchmarks.serving $(RUN) $(BUNDLE)

bench-training: setup ## training speed beside PyTorch and installed peers -> build/bench/training.json
	$(BIN)/python -m tests.benchmarks.training

bench-training-peers: setup ## install the toolkits that training is measured against (8 GB)
	$(BIN)/python -m tests.benchmarks.training_peers.environments

chaos: setup ## inject faults into real servers, every answer compared -> build/faults/
	$(BIN)/python -m tests.e2e.faults.chaos

soak: setup ## two hours of mixed load with cancellations -> build/faults/
	$(BIN)/python -m tests.e2e.faults.soak

bench-gpu: setup ## training on a GPU, all of it in 9 minutes -> build/bench/gpu.json
	$(BIN)/python -m tests.benchmarks.gpu

clean: ## remove everything that was built, but for .venv
	rm -rf build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
