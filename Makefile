# Set up, run, test, measure. Everything is installed into .venv and nowhere else;
# what the commands themselves do is in rrgate/demo.py (run), tests/ (test) and bench/ (bench).

PYTHON ?= python3
BIN := .venv/bin
# As many as there are processors: with one more, 496 s of CPU became 583, and 5:07 minutes 5:25, on two.
WORKERS = $(shell nproc)

# Tests start some hundred processes: without bytecode each would compile the whole project again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test bench fuzz clean

run: .venv/installed
	$(BIN)/rrgate demo

# Types are checked beside the tests, which wait for much; what is said of them comes at the end. Either fails it.
test: .venv/installed-test tests/openid/node_modules/.package-lock.json
	$(BIN)/ruff check
	$(BIN)/mypy >.venv/types.txt 2>&1 & types=$$!; \
	$(BIN)/python -m pytest -q -rs -n $(WORKERS) --dist loadfile --no-loadscope-reorder; tests=$$?; \
	wait $$types; types=$$?; echo "mypy:"; cat .venv/types.txt; exit $$((tests | types))

# Installs what it compares with by itself, apart from everything else: bench/peers/installing.py.
bench: .venv/installed-test
	$(BIN)/python -m bench

# Long, and with a seed of its own each time, which it prints.
fuzz: .venv/installed-test
	$(BIN)/python -m tests.core.fuzzing

clean:
	rm -rf tests/openid/node_modules bench/peers/node_modules bench/peers/.installed .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .run
	find . -name __pycache__ -prune -exec rm -rf {} +
	rm -f twisted/plugins/dropin.cache

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "rrgate needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv

# The stamps make a second run quick; a change of the project's needs installs again.
.venv/installed: .venv/bin/python pyproject.toml setup.cfg
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

.venv/installed-test: .venv/bin/python pyproject.toml setup.cfg
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	touch $@ .venv/installed

# A real OpenID provider for the tests; without npm they skip, and say so.
tests/openid/node_modules/.package-lock.json: tests/openid/package-lock.json
	if command -v npm >/dev/null; then npm ci --prefix tests/openid --no-audit --no-fund --loglevel=error; fi
