# make demo      the whole chain on drawn faces, in minutes
# make test      installs, tests, lints: what CI runs
# make test-all  also the slow tests: the tfds command, Keras on JAX, other runtimes, training killed
#                at random, two replicas, two workers
# make pretrained  trains the model that comes with fer_tf again, from data/raw: hours on two cores
# make bench     installs the peers (PyTorch, ...) into .venv-bench and compares with them

PYTHON ?= python3
BIN := .venv/bin
DEMO := --data-dir build/demo/tfds
RUNS := --runs-dir build/demo/runs
MODELS := --models-dir build/demo/saved_models

# Tests run in a process for each core, at most four: each needs about 1.5 GB, and TensorFlow's
# threads use the other cores. worksteal leaves most tests of a module, which may share what is
# expensive, in one process.
PYTEST := $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist worksteal

# Options for training the model that comes with fer_tf. On CPUs without bfloat16: make pretrained PRECISION=
PRECISION ?= --mixed-precision bfloat16

.PHONY: demo pretrained test test-all bench lint clean

demo: .venv/runtime
	$(BIN)/python cli.py build-datasets --sources drawn $(DEMO)
	$(BIN)/python cli.py train all --recipe demo $(DEMO) $(RUNS) $(MODELS)
	$(BIN)/python cli.py evaluate --recipe demo $(DEMO) $(RUNS) $(MODELS) --require-above-floor
	$(BIN)/python -c "import cv2; from fer_tf.data.sources.drawn import draw_portrait; \
	  cv2.imwrite('build/demo/portrait.png', draw_portrait(subject=200, expression=0, take=0))"
	for name in concat_db bconcat_db eye_cdb; do \
	  $(BIN)/python cli.py predict build/demo/portrait.png --name $$name $(MODELS) || exit 1; done
	$(BIN)/python -c "from pathlib import Path; from fer_tf.app.example_pictures import write_examples; \
	  write_examples(Path('build/demo/examples'))"
	$(BIN)/python cli.py predict build/demo/examples --name any_occlusion --annotate build/demo/answered
	@echo
	@echo "The whole chain ran on drawn faces; its results say nothing about real ones. The last four"
	@echo "answers are of the model that comes with fer_tf, for a photograph (public domain) as it is"
	@echo "and with a mask, a headset and sunglasses drawn over it: see build/demo/answered. Next:"
	@echo "  put FER2013 (or JAFFE, KDEF, RAF-DB) under data/raw, see README.md, then"
	@echo "  $(BIN)/python cli.py build-datasets"
	@echo "  $(BIN)/python cli.py train all"

pretrained: .venv/runtime
	$(BIN)/python cli.py build-datasets --leak-free
	$(BIN)/python cli.py train flat --database uncovered --recipe teacher $(PRECISION)
	$(BIN)/python cli.py train flat --database mixed --recipe strong $(PRECISION)
	for name in concat_db bconcat_db eye_cdb uncovered; do \
	  $(BIN)/python cli.py train all --database $$name --recipe strong $(PRECISION) || exit 1; done
	$(BIN)/python cli.py train occlusion_net $(PRECISION)
	$(BIN)/python cli.py combine any_occlusion --recipe strong --weights float16 --mirrored
	$(BIN)/python cli.py evaluate any_occlusion
	rm -rf fer_tf/pretrained/any_occlusion
	mkdir -p fer_tf/pretrained/any_occlusion
	cp -r saved_models/any_occlusion/"$$(ls saved_models/any_occlusion | grep -x '[0-9]*' | sort -n | tail -1)" fer_tf/pretrained/any_occlusion/

test: .venv/dev
	$(PYTEST) -m "not slow"
	$(MAKE) lint

test-all: .venv/all
	$(PYTEST)
	$(MAKE) lint

bench: .venv/runtime .venv-bench/ready
	$(BIN)/python benchmarks/training_throughput.py --json build/bench/training_throughput.json
	$(BIN)/python benchmarks/serving_latency.py --json build/bench/serving_latency.json

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.venv/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) \
	  else "Python 3.11 to 3.13 is needed, %s is %d.%d; choose another: make PYTHON=python3.12" \
	  % (sys.executable, *v))'
	$(PYTHON) -m venv .venv

.venv/runtime: requirements.txt pyproject.toml setup.py | .venv/bin/python
	$(BIN)/pip install --quiet --requirement requirements.txt --editable .
	touch $@

.venv/dev: requirements-dev.txt .venv/runtime
	$(BIN)/pip install --quiet --requirement requirements-dev.txt
	touch $@

.venv/all: requirements-all.txt .venv/dev
	$(BIN)/pip install --quiet --requirement requirements-all.txt
	touch $@

.venv-bench/ready: requirements-bench.txt | .venv/bin/python
	$(BIN)/python -m venv .venv-bench
	.venv-bench/bin/pip install --quiet --requirement requirements-bench.txt
	touch $@

clean:
	rm -rf build .venv .venv-bench
