# smolctl: `make demo` and `make test` each work as the first command on a fresh clone.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help setup demo test test-all lint format hooks completions man recording bench bench-peers release clean

help: ## Say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make the virtual environment and install everything into it

$(STAMP): pyproject.toml tools/setup.sh
	@sh tools/setup.sh "$(PYTHON)" "$(VENV)"
	@touch $@

demo: $(STAMP) ## Pull a small demo model from a registry on loopback and ask it something
	@$(BIN)/smolctl demo

test: $(STAMP) ## Run the fast tests
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow and not interop"

test-all: $(STAMP) ## Run every test, the slow ones and the interoperability ones too
	$(BIN)/python -m pytest -n auto --dist worksteal --hypothesis-profile thorough

lint: $(STAMP) ## Check style, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

hooks: $(STAMP) ## Have git check what you commit, and the types before you push
	$(BIN)/python -m pip --disable-pip-version-check --quiet install --group hooks
	$(BIN)/pre-commit install

completions: $(STAMP) ## Write the completions for bash, zsh, fish and PowerShell
	$(BIN)/python tools/write_completions.py

man: $(STAMP) ## Write the man pages
	$(BIN)/python tools/write_man_pages.py

recording: $(STAMP) ## Record the terminal in the README: docs/terminal.svg
	$(BIN)/python tools/record_terminal.py

bench: $(STAMP) ## Measure side by side with the peers that are installed, into benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks --write

bench-peers: $(STAMP) ## Build llama.cpp's own tools into .peers, for `make bench` (minutes)
	@sh tools/build_peers.sh "$(VENV)" .peers

release: $(STAMP) ## Build the sdist and the wheel, and check them in a clean environment
	@sh tools/release.sh "$(VENV)"

clean: ## Remove what the other targets made
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find smolctl tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
