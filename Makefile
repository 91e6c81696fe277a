# Every target makes and uses .venv itself; PYTHON chooses the interpreter (3.11 or newer).
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
RUNS := .venv/.runs

.PHONY: demo test test-fast check docs bench weights weights-net weights-maps weights-core-size weights-thrombus clean

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
	$(LEARN) data simulate ica -o $(WEIGHTS)/injections --patients 60 --seed 21 --setting A --size 256 \
		--vessels carotid,carotid,vertebral,external
	$(LEARN) guard ica --data $(WEIGHTS)/injections -o src/bolus/learn/weights/ica.onnx

NET := $(WEIGHTS)/net
NET_SCORES := --scores simulated=$(NET)/scores/scores.json --scores shifted=$(NET)/scores-shifted/scores.json
weights-net: $(STAMP)  ## train the network of `--method net` that is shipped, from nothing: six minutes of a GPU, and a quarter of an hour of one processor
	$(LEARN) data simulate net -o $(NET)/cases --patients 896 --seed 1 --setting A --size 96
	$(LEARN) data simulate net -o $(NET)/shifted --patients 60 --seed 2 --setting B --size 96
	$(LEARN) data split --data $(NET)/cases -o $(NET)/cases --parts 0.95,0.025,0.025
	$(LEARN) train net --data $(NET)/cases -o $(NET)/run --minutes 6 --cache-mb 8000 --set batch=16 --set average=0.999 --set precision=fp16 --resume
	$(LEARN) evaluate net --run $(NET)/run --data $(NET)/cases -o $(NET)/scores
	$(LEARN) evaluate net --run $(NET)/run --data $(NET)/shifted -o $(NET)/scores-shifted
	$(LEARN) export net --run $(NET)/run -o $(NET)/run/net.onnx --half $(NET_SCORES)
	$(BIN)/python -m benchmarks.net_whole $(NET)/run/net.onnx -o $(NET)/whole.json
	$(LEARN) export net --run $(NET)/run -o src/bolus/learn/weights/net.onnx --half $(NET_SCORES) --scores whole=$(NET)/whole.json

MAPS := $(WEIGHTS)/maps
AGAIN := --threads 1 --resume
# What ships had 3.35 minutes of one NVIDIA H200 that twelve other trainings shared: 123 epochs. A card of its own makes more of them.
# Then it had 37 minutes of one processor (five epochs) on other patients, of whom a third move.
MAPS_MINUTES ?= 3.35
GPU ?= cuda
WIDE := --preset wide --set stop_after=100000
weights-maps: $(STAMP)  ## train the networks of `--method unet` (an hour and a half of one processor) and `temp-pix2pix` (minutes of a GPU, then 37 of a processor) that are shipped
	$(LEARN) data simulate dsc-gan -o $(MAPS)/mixed --patients 57 --size 128 --seed 11 --setting mixed
	$(LEARN) data simulate dsc-gan -o $(MAPS)/moving --patients 140 --size 128 --seed 31 --setting mixed
	$(LEARN) data simulate dsc-gan -o $(MAPS)/dsc --patients 44 --size 128 --seed 1 --setting A
	$(LEARN) data simulate dsc-gan -o $(MAPS)/dsc-B --patients 8 --size 128 --seed 2 --setting B
	$(LEARN) data simulate dsc-gan -o $(MAPS)/dsc-decoupled --patients 8 --size 128 --seed 3 --setting decoupled
	$(LEARN) data simulate ctp-unet -o $(MAPS)/ctp --patients 130 --size 128 --seed 31 --setting mixed
	$(LEARN) data simulate ctp-unet -o $(MAPS)/ctp-A --patients 60 --size 128 --seed 41 --setting A
	$(LEARN) data simulate ctp-unet -o $(MAPS)/ctp-B --patients 24 --size 128 --seed 42 --setting B
	$(LEARN) data simulate ctp-unet -o $(MAPS)/ctp-decoupled --patients 24 --size 128 --seed 43 --setting decoupled
	$(LEARN) data split --data $(MAPS)/mixed -o $(MAPS)/mixed --parts 0.94,0.06,0
	$(LEARN) data split --data $(MAPS)/moving -o $(MAPS)/moving --parts 0.94,0.06,0
	$(LEARN) data split --data $(MAPS)/ctp -o $(MAPS)/ctp --parts 0.94,0.06,0
	$(LEARN) train dsc-gan --data $(MAPS)/mixed -o $(MAPS)/temp-still $(WIDE) --set lr=2e-3 --device $(GPU) --cache-mb 12000 --minutes $(MAPS_MINUTES) $(AGAIN)
	$(LEARN) train dsc-gan --data $(MAPS)/moving -o $(MAPS)/temp $(WIDE) --set loss=l1_ssim_apart --set lr=1e-3 --device cpu --cache-mb 6000 --minutes 36 \
		--begin-with $(MAPS)/temp-still/best.safetensors $(AGAIN)
	$(LEARN) train ctp-unet --data $(MAPS)/ctp -o $(MAPS)/unet-1 --preset wide --set stop_after=100000 --cache-mb 6000 --minutes 60 $(AGAIN)
	$(LEARN) train ctp-unet --data $(MAPS)/ctp -o $(MAPS)/unet --preset wide --set stop_after=100000 --set lr=1e-3 --cache-mb 6000 --minutes 24 \
		--begin-with $(MAPS)/unet-1/last.safetensors $(AGAIN)
	$(LEARN) export dsc-gan --run $(MAPS)/temp -o $(MAPS)/temp/dsc-gan.onnx --half  # what is scored is what is shipped
	$(LEARN) evaluate dsc-gan --run $(MAPS)/temp --data $(MAPS)/dsc -o $(MAPS)/scores-dsc
	$(LEARN) evaluate dsc-gan --run $(MAPS)/temp --data $(MAPS)/dsc-B -o $(MAPS)/scores-dsc-B
	$(LEARN) evaluate dsc-gan --run $(MAPS)/temp --data $(MAPS)/dsc-decoupled -o $(MAPS)/scores-dsc-decoupled
	$(LEARN) evaluate ctp-unet --run $(MAPS)/unet --data $(MAPS)/ctp-A -o $(MAPS)/scores-ctp --part all
	$(LEARN) evaluate ctp-unet --run $(MAPS)/unet --data $(MAPS)/ctp-B -o $(MAPS)/scores-ctp-B --part all
	$(LEARN) evaluate ctp-unet --run $(MAPS)/unet --data $(MAPS)/ctp-decoupled -o $(MAPS)/scores-ctp-decoupled --part all
	$(LEARN) export dsc-gan --run $(MAPS)/temp -o src/bolus/learn/weights/temp-pix2pix.onnx --half \
		--scores simulated=$(MAPS)/scores-dsc/scores.json --scores shifted=$(MAPS)/scores-dsc-B/scores.json \
		--scores decoupled=$(MAPS)/scores-dsc-decoupled/scores.json
	$(LEARN) export ctp-unet --run $(MAPS)/unet -o src/bolus/learn/weights/ctp-unet.onnx --half \
		--scores simulated=$(MAPS)/scores-ctp/scores.json --scores shifted=$(MAPS)/scores-ctp-B/scores.json \
		--scores decoupled=$(MAPS)/scores-ctp-decoupled/scores.json

CORE := $(WEIGHTS)/core-size
CORE_PATIENTS ?= 106
CORE_TESTS ?= 24
CORE_MINUTES ?= 1.7
weights-core-size: $(STAMP)  ## train the core-size network that is shipped, from nothing: about a quarter of an hour of one processor
	$(LEARN) data simulate core-size -o $(CORE)/cases --patients $(CORE_PATIENTS) --seed 1 --setting A --size 96
	$(LEARN) data simulate core-size -o $(CORE)/test --patients $(CORE_TESTS) --seed 3 --setting A --size 96 --reference bolus
	$(LEARN) data simulate core-size -o $(CORE)/shifted --patients $(CORE_TESTS) --seed 2 --setting B --size 96 --reference bolus
	$(LEARN) data split --data $(CORE)/cases -o $(CORE)/cases --parts 0.8,0.2,0
	$(LEARN) train core-size --data $(CORE)/cases -o $(CORE)/run --minutes $(CORE_MINUTES) --threads 1 --resume
	$(LEARN) calibrate core-size --data $(CORE)/cases --run $(CORE)/run
	$(LEARN) evaluate core-size --run $(CORE)/run --data $(CORE)/test -o $(CORE)/scores --part all
	$(LEARN) evaluate core-size --run $(CORE)/run --data $(CORE)/shifted -o $(CORE)/scores-shifted --part all
	$(LEARN) export core-size --run $(CORE)/run -o src/bolus/learn/weights/core-size.onnx \
		--scores "site A=$(CORE)/scores/scores.json" --scores "site B=$(CORE)/scores-shifted/scores.json"

FILMS := $(WEIGHTS)/thrombus-films
TAKES := $(WEIGHTS)/thrombus-takes
CLOTS := $(WEIGHTS)/thrombus
CLOT := --threads 1 --resume
SCENES := $(WEIGHTS)/thrombus-scenes
POINTERS := --set network=clot_pointers --set 'options={members=3, width=16, windows=15, stride=2}' --set 'fitting={n_frames=15, half=true}' \
	--set 'augment=["flip", "shift_scale_rotate", "retake", "shorten"]' --set average=0.998 --set stop_after=100000
# What ships had 6.05 minutes of one NVIDIA H200 that twelve other trainings shared, then 48 of one processor.
CLOT_MINUTES ?= 6.05
weights-thrombus: $(STAMP)  ## train the network for clots that is shipped, from nothing: four hours of one processor, and six minutes of a GPU
	$(LEARN) data simulate thrombus -o $(FILMS) --patients 1200 --seed 3 --setting A --size 256 --reference film
	$(LEARN) data simulate thrombus -o $(TAKES) --patients 1015 --seed 5 --setting A --size 192 --reference take
	$(LEARN) data simulate thrombus -o $(SCENES) --patients 902 --seed 51 --setting A --size 192 --reference scene
	$(LEARN) data simulate thrombus -o $(SCENES)-2 --patients 1800 --seed 61 --setting A --size 192 --reference scene
	$(LEARN) data simulate thrombus -o $(CLOTS)/runs --patients 160 --seed 1 --setting A --size 256
	$(LEARN) data simulate thrombus -o $(CLOTS)/more --patients 61 --seed 11 --setting A --size 256
	$(LEARN) data simulate thrombus -o $(CLOTS)/fresh --patients 63 --seed 21 --setting A --size 256
	$(LEARN) data simulate thrombus -o $(CLOTS)/shifted --patients 80 --seed 2 --setting B --size 256
	$(LEARN) data split --data $(FILMS) -o $(FILMS) --parts 0.94,0.05,0.01
	$(LEARN) data split --data $(TAKES) -o $(TAKES) --parts 0.94,0.05,0.01
	$(LEARN) data split --data $(SCENES) -o $(SCENES) --parts 0.98,0.02,0
	$(LEARN) data split --data $(SCENES)-2 -o $(SCENES)-2 --parts 0.98,0.02,0
	$(LEARN) data split --data $(CLOTS)/runs -o $(CLOTS)/runs --parts 0.5,0.15,0.35
	$(LEARN) train thrombus --data $(FILMS) -o $(CLOTS)/coarse --minutes 24 --set size=128 --set lr=2e-3 $(CLOT) \
		--set loss=clot_place
	$(LEARN) train thrombus --data $(FILMS) -o $(CLOTS)/films --minutes 38 --set lr=1e-3 --set loss=clot_place $(CLOT) \
		--begin-with $(CLOTS)/coarse/best.safetensors
	$(LEARN) train thrombus --data $(FILMS) -o $(CLOTS)/films-2 --minutes 20 --set lr=7e-4 --set seed=1 --set loss=clot_place \
		$(CLOT) --begin-with $(CLOTS)/films/best.safetensors
	$(LEARN) train thrombus --data $(TAKES) -o $(CLOTS)/takes --minutes 16 --set lr=1e-3 --set seed=2 $(CLOT) \
		--begin-with $(CLOTS)/films-2/best.safetensors
	$(LEARN) train thrombus --data $(CLOTS)/runs -o $(CLOTS)/run --epochs 6 --set lr=1e-4 $(CLOT) \
		--begin-with $(CLOTS)/takes/last.safetensors
	$(LEARN) train thrombus --data $(SCENES) -o $(CLOTS)/three --minutes $(CLOT_MINUTES) --device $(GPU) --cache-mb 12500 $(POINTERS) --set batch=96 --set lr=2e-3 $(CLOT)
	$(LEARN) gather $(CLOTS)/run/best.safetensors $(CLOTS)/three/last.safetensors -o $(CLOTS)/start.safetensors --members 3
	$(LEARN) train thrombus --data $(SCENES)-2 -o $(CLOTS)/members --minutes 45 --device cpu --cache-mb 3000 $(POINTERS) --set batch=24 --set lr=7e-4 $(CLOT) \
		--begin-with $(CLOTS)/start.safetensors
	$(LEARN) calibrate thrombus --data $(CLOTS)/runs --split $(CLOTS)/runs/split.json --run $(CLOTS)/members --more $(CLOTS)/more
	$(LEARN) evaluate thrombus --run $(CLOTS)/members --data $(CLOTS)/fresh --part all -o $(CLOTS)/scores
	$(LEARN) evaluate thrombus --run $(CLOTS)/members --data $(CLOTS)/shifted --part all -o $(CLOTS)/scores-shifted
	$(LEARN) export thrombus --run $(CLOTS)/members -o src/bolus/learn/weights/thrombus.onnx --half \
		--scores "site A=$(CLOTS)/scores/scores.json" --scores "site B=$(CLOTS)/scores-shifted/scores.json"

clean:
	rm -rf .venv demo weights docs/_build docs/api benchmarks/results benchmarks/.peers
