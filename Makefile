# Two commands do everything: `make compare` and `make test`. Both install what they need, once. `make test-all` also runs
# the tests on the real architecture, and others that take long.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
BIN5 := .venv5/bin

.PHONY: compare demo test test-all test-transformers5 large fuzz check docs handoff notebook clean

compare: .venv/installed
	$(BIN)/python -m compare $(ARGS)

# Compares the shipped model in about half a minute. The last line that it prints is the path of the page.
demo: .venv/installed
	$(BIN)/python -m compare --model byte-gpt2 --time 10 $(ARGS)

# Two files of tests at a time: most of a test is waiting for a process to import its libraries.
PYTEST := -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test: .venv/engines
	$(BIN)/python $(PYTEST) -m "not slow" --nbmake tests notebooks $(ARGS)

test-all: test
	$(BIN)/python $(PYTEST) -m slow tests $(ARGS)

# The unit tests of what loads, exports, taps and runs a model of transformers, with the newest version of everything.
# optimum-onnx does not allow transformers 5 yet, so without it. Of the slow tests, those of the families of models.
LOADS := latency/test_machine_limits numerics/test_controls numerics/test_golden numerics/test_golden_cache
LOADS += numerics/test_planted_faults numerics/test_replay numerics/test_verdicts onnx_files/test_structure
LOADS += pipeline/test_compare_model pipeline/test_decode_stage pipeline/test_encoders pipeline/test_families
LOADS += pipeline/test_failing_runtimes pipeline/test_inputs
LOADS += pipeline/test_padding_stage pipeline/test_refused_comparisons runtimes/test_decoders
LOADS += runtimes/test_onnx_attention runtimes/test_padded_sequences runtimes/test_runtimes
LOADS += runtimes/test_sdpa_probabilities test_model_utils test_pytest_plugin
TESTS5 := tests/export tests/faults tests/benchmarks/test_trials.py tests/test_docstrings.py tests/test_light_imports.py
TESTS5 += $(LOADS:%=tests/compare/%.py)

test-transformers5: .venv5/installed
	$(BIN5)/python $(PYTEST) -m "not slow and not optimum" $(TESTS5) $(ARGS)
	$(BIN5)/python $(PYTEST) --dist load -m slow tests/export/test_families.py $(ARGS)

# Compares a model with more than 2 GB of weights, which it makes first. It takes minutes, and 12 GB of memory.
large: .venv/installed
	$(BIN)/python -m benchmarks.large

# Fuzzes what reads manifests, reports and ONNX files, for ten minutes.
fuzz: .venv/installed
	$(BIN)/pip install --quiet --constraint constraints.txt atheris
	$(BIN)/python -m benchmarks.fuzz $(ARGS)

check: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/mypy

# Builds the documentation site, which opens from disk: build/docs/index.html. Only its search needs a server, such as
# .venv/bin/mkdocs serve.
docs: .venv/installed
	$(BIN)/mkdocs build

# Runs the tests, the notebook and a comparison, and keeps what came of them in .epic5_complete.json.
handoff: .venv/engines
	$(BIN)/python -m benchmarks.handoff

# Executes the notebook and saves it with its outputs.
notebook: .venv/installed
	$(BIN)/python -m benchmarks.notebook

clean:
	rm -rf .venv .venv5 build dist

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt pip
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,optimum]'
	touch $@

# Kernel libraries that only tests, and a comparison that names them, need.
.venv/engines: .venv/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,engines,optimum,web]'
	$(BIN)/python -m compare runtimes --install onnxruntime-web
	$(BIN)/python -m compare runtimes --install mnn
	touch $@

.venv5/installed: pyproject.toml constraints-transformers5.txt
	$(PYTHON) -m venv .venv5
	$(BIN5)/pip install --quiet --requirement constraints-transformers5.txt
	$(BIN5)/pip install --quiet --no-deps --editable .
	touch $@
