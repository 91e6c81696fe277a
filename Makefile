# Every target makes and uses .venv itself; PYTHON chooses the interpreter (3.11 or newer).
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
RUNS := .venv/.runs

.PHONY: demo test test-fast check docs bench weights weights-thrombus clean

$(RUNS): pyproject.toml constraints.txt  # what running takes: no PyTorch
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "bolus needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(STAMP): $(RUNS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,docs,learn]'
	touch $@

demo: $(RUNS)  ## simulate a CT perfusion study as DICOM, run it, print the table and the report's path
	rm -rf demo
	$(BIN)/bolus phantom ct -o demo/study --seed 7 --motion
	$(BIN)/bolus run demo/study/dicom -o demo/result

test: $(STAMP)  ## all tests
	$(BIN)/python -m pytest -n auto

test-fast: $(STAMP)  ## tests that need no minutes
	$(BIN)/python -m pytest -n auto -m 'not slow'

check: $(STAMP)  ## what a reviewer would run: format, lint, types, layers, spelling
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/typos

docs: $(STAMP)  ## the documentation, into docs/_build/html; warnings are errors
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

bench: $(STAMP)  ## benchmarks, into benchmarks/results
	$(BIN)/python -m benchmarks

WEIGHTS := weights
LEARN := $(BIN)/bolus learn
weights: $(STAMP)  ## train the carotid network that is shipped, from nothing: about an hour of two processors
	$(LEARN) data simulate ica -o $(WEIGHTS)/cases --patients 200 --seed 1 --setting A --size 320
	$(LEARN) data simulate ica -o $(WEIGHTS)/shifted --patients 40 --seed 2 --setting B --size 320
	$(LEARN) data split --data $(WEIGHTS)/cases -o $(WEIGHTS)/cases --parts 0.75,0.08,0.17
	$(LEARN) train ica --data $(WEIGHTS)/cases --preset small -o $(WEIGHTS)/run --epochs 32 --resume
	$(LEARN) evaluate ica --run $(WEIGHTS)/run --data $(WEIGHTS)/cases -o $(WEIGHTS)/scores
	$(LEARN) evaluate ica --run $(WEIGHTS)/run --data $(WEIGHTS)/shifted -o $(WEIGHTS)/scores-shifted
	$(LEARN) export ica --run $(WEIGHTS)/run -o src/bolus/learn/weights/ica.onnx \
		--scores simulated=$(WEIGHTS)/scores/scores.json --scores shifted=$(WEIGHTS)/scores-shifted/scores.json

clean:
	rm -rf .venv demo weights docs/_build docs/api benchmarks/results benchmarks/.peers
