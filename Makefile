# Two commands are enough: `make demo` and `make test`. Both make their own environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= 2
CONSTRAINTS ?= constraints/cpu.txt

.PHONY: demo test docs lint format clean

$(VENV)/.installed: pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet -c $(CONSTRAINTS) -e ".[plot]" --group test --group lint
	touch $@

demo: $(VENV)/.installed  ## simulate a cohort in the real file formats and run the whole job on it
	rm -rf demo_results
	$(BIN)/sksurv-tta demo --out demo_results

test: $(VENV)/.installed  ## run all tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile

docs: $(VENV)/.installed  ## build the documentation into docs/_build/html; examples are run, warnings are errors
	$(BIN)/python -m pip install --quiet -c $(CONSTRAINTS) --group docs
	OMP_NUM_THREADS=1 $(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

lint: $(VENV)/.installed  ## style, types, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell README.md CHANGELOG.md docs sksurv_tta tests examples benchmarks

format: $(VENV)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) demo_results docs/_build docs/api docs/auto_examples .pytest_cache .mypy_cache .ruff_cache
