# make train    set up .venv and train the default job       make train ARGS="dataset=time_machine size=base"
# make test     set up .venv, then lint, types and tests
# make test-next  the tests on the next Hydra and OmegaConf (TESTS=tests/test_study.py: a part)
# make test-elsewhere   without affinity, sessions and forkserver, and as on Python 3.14: tests/elsewhere
# make test-lowest   the same on the oldest of everything that pyproject.toml allows
# make test-cluster   queues, Ray, torchrun, machines that share a folder: with submitit and Ray
# make test-browser   report, pages, TensorBoard, the documentation's site, in a headless Chromium (Debian: apt-get install chromium chromium-driver)
# make test-slow  what takes longest: studies, lengthened ones, forged folders, attacks, memory
# make bench    engines against their peers on this machine (BENCH="--cells rnn --sizes 64,512")
# make gpu-check   GPU tests and benchmarks, with the torch, numpy and pytest of $(PYTHON) alone
# make bench-sweep   a study beside Hydra's other launchers (half an hour)
# make bench-large   a text of 2 GB beside a small one (5 GB of disk)
# make bench-scaling   queues, several processes of a job; writes docs/scaling.md
# make bench-comparison   false alarms and intervals of rnnlab compare; writes docs/comparison.md
# make bench-page   the report of a thousand runs in a browser
# make faults   kill and break runs and studies in every way we know; writes docs/reliability.md (half an hour)
# make crashes  a kill and a power cut after every file operation of a run, a stack, a study (a quarter of an hour)
# make attack  what a folder from somebody else can do, and other attacks; writes docs/reliability.md
# make fuzz     100,000 damaged checkpoints, results, configs, command lines and texts
# make soak     half an hour of a stack of eight: memory and speed over time
# make experiments   train all of experiments/ and check their claims, three quarters of an hour (REPRODUCE=--miniature: minutes)
# make demo   train the model that comes with the package: rnnlab generate demo
# make docs     the documentation as a site, into site/; a broken link is an error
# make reference   docs/reference, from where each knob, choice, key and command is defined
# make pictures   the documentation's pictures of a report and of TensorBoard, and the runs that they show (two minutes)
PYTHON ?= python3
ARGS ?= sampler=random lr=1
BIN = .venv/bin
PYTEST = pytest -n 4 --dist worksteal

define ABOUT_SET_UP
Setting up .venv, once: pip brings torch, Hydra, TensorBoard, matplotlib and what they need from PyPI.
On Linux with torch's CUDA build: about 3 GB to download, 6 GB on the disk, 5 to 15 minutes. On macOS and
Windows, and on Linux with the CPU build (README: Installation), 0.4 GB, 1 GB and 2 to 5 minutes.
endef
export ABOUT_SET_UP
ABOUT_DEFAULT = 500 epochs: one to two minutes on two idle cores. Ctrl-C stops and saves.

.PHONY: train test test-next test-elsewhere test-lowest test-slow test-cluster test-browser lint format bench bench-sweep bench-large bench-scaling bench-comparison bench-page faults crashes attack fuzz soak gpu-check docs reference pictures demo experiments clean

train: .venv/installed
	@$(if $(filter file,$(origin ARGS)),echo "$(ABOUT_DEFAULT)")
	$(BIN)/python run.py $(ARGS)

test: lint
	$(BIN)/$(PYTEST) $(TESTS)

test-next: .venv-next/installed
	.venv-next/bin/$(PYTEST) $(TESTS)

test-lowest: .venv-lowest/installed
	.venv-lowest/bin/$(PYTEST) $(TESTS)

test-elsewhere: .venv/installed-dev
	ELSEWHERE="spawn python3.14" PYTHONPATH=tests/elsewhere $(BIN)/$(PYTEST) $(TESTS)

test-cluster: .venv/installed-dev
	$(BIN)/pip install --quiet -c constraints.txt -e '.[slurm,ray]'
	$(BIN)/pytest -m cluster -n 2 --dist worksteal $(TESTS)

test-browser: .venv/installed-dev
	$(BIN)/pip install --quiet -c constraints.txt -e '.[browser,docs]'
	$(BIN)/pytest -m browser -n 2 --dist loadfile $(TESTS)

test-slow: lint
	$(BIN)/pytest -m slow

lint: .venv/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff check --preview --select PLW1514 src run.py benchmarks  # no text without its encoding
	$(BIN)/ruff format --check
	$(BIN)/pyrefly check --python-interpreter-path $(BIN)/python

bench: .venv/installed-dev
	$(BIN)/python benchmarks/engines.py --save benchmarks/results/cpu.json $(BENCH)
	$(BIN)/python benchmarks/lengths.py
	$(BIN)/python benchmarks/own_cell.py
	$(BIN)/python benchmarks/instruments.py
	$(BIN)/python benchmarks/report.py

bench-sweep: .venv/installed-dev
	$(BIN)/pip install --quiet -c constraints.txt -e '.[peers]'
	$(BIN)/python benchmarks/studies.py
	$(BIN)/python benchmarks/report.py

bench-large: .venv/installed-dev
	$(BIN)/python benchmarks/large_text.py

bench-scaling: .venv/installed-dev
	$(BIN)/pip install --quiet -c constraints.txt -e '.[slurm]'
	$(BIN)/python benchmarks/scaling.py

bench-comparison: .venv/installed-dev
	$(BIN)/python benchmarks/comparison.py

bench-page: .venv/installed-dev
	$(BIN)/pip install --quiet -c constraints.txt -e '.[browser]'
	PYTHONPATH=tests $(BIN)/python benchmarks/page.py

faults: .venv/installed-dev
	PYTHONPATH=tests $(BIN)/python tests/faults.py

crashes: .venv/installed-dev
	PYTHONPATH=tests $(BIN)/python tests/crashes.py $(CRASHES)
	PYTHONPATH=tests $(BIN)/python tests/ext4.py

attack: .venv/installed-dev
	PYTHONPATH=tests $(BIN)/python tests/faults.py attacks

fuzz: .venv/installed-dev
	PYTHONPATH=tests $(BIN)/python tests/fuzz.py 100000

soak: .venv/installed-dev
	$(BIN)/python benchmarks/soak.py

gpu-check:
	PYTHONPATH=src $(PYTHON) -m pytest -q -m gpu tests/test_gpu.py
	PYTHONPATH=src $(PYTHON) benchmarks/engines.py --device cuda --cells rnn,lstm,gru --rounds 3 --sizes 64,512 --lanes 1,64 --save benchmarks/results/cuda.json

docs: .venv/installed-dev
	$(BIN)/pip install --quiet -c constraints.txt -e '.[docs]'
	$(BIN)/python docs/make_site.py

reference: .venv/installed-dev
	$(BIN)/python docs/make_reference.py

pictures: .venv/installed-dev
	$(BIN)/pip install --quiet -c constraints.txt -e '.[browser]'
	PYTHONPATH=tests $(BIN)/python docs/make_pictures.py

demo: .venv/installed
	$(BIN)/python docs/make_demo.py

experiments: .venv/installed
	@failed=; for study in experiments/*/; do $(BIN)/rnnlab reproduce $$study $(REPRODUCE) || failed="$$failed $$study"; done; \
		[ -z "$$failed" ] || { echo "not reproduced:$$failed"; exit 1; }

format: .venv/installed-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "rnnlab needs Python 3.11 or later (tested: 3.11, 3.13): make PYTHON=python3.11 ..."; exit 1; }
	@echo "$$ABOUT_SET_UP"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -c constraints.txt -e .
	@echo "In this shell, . $(BIN)/activate makes python and rnnlab those of .venv."
	@touch $@

.venv/installed-dev: .venv/installed
	@echo "Adding what the tests need: pytest, ruff, pyrefly, Optuna and others, 0.3 GB."
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

.venv-next/installed: pyproject.toml constraints-next.txt
	$(PYTHON) -m venv .venv-next
	.venv-next/bin/pip install --quiet --pre -c constraints-next.txt -e '.[dev]'
	@touch $@

.venv-lowest/installed: pyproject.toml constraints-lowest.txt
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/pip install --quiet -c constraints-lowest.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf .venv .venv-next .venv-lowest .pytest_cache .ruff_cache .hypothesis dist site
