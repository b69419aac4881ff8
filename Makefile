# Everything a contributor runs. Needs Python 3.11 or newer and make; sets up $(VENV) by itself.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
OUT ?= out
SURFACES := langchain llama-index-readers llama-index-llms server mcp
URI ?= synthetic://mixed?seconds=30

.DEFAULT_GOAL := help
.PHONY: help install demo test test-all test-processors lint format type bench table clean

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
	$(BIN)/python -m pytest -m "not slow" $(ARGS)

# torchvision stays out of the environment, since nothing may need it but the models' own processors.
test-processors: $(READY) ## Compare prompts with the models' own video processors, which need torchvision
	$(BIN)/python -m pip install --quiet --no-deps --upgrade --target $(OUT)/torchvision "torchvision==0.28.*"
	PYTHONPATH=$(OUT)/torchvision $(BIN)/python -m pytest -m torchvision $(ARGS)

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

table: $(READY) ## Refresh the tables of README
	$(BIN)/python -m framesift.evaluation.readme README.md

# PySceneDetect asks for opencv-python, which breaks the headless one beside it, hence --no-deps.
bench: $(READY) ## Measure speed and memory against other libraries; writes JSON and figures
	$(BIN)/python -m pip install --quiet --no-deps "scenedetect==0.7.*"
	@for peer in "decord==0.6.*" "torchcodec==0.13.*"; do \
		$(BIN)/python -m pip install --quiet --no-deps "$$peer" || echo "bench goes on without $$peer"; \
	done
	$(BIN)/python -m framesift.evaluation.benchmark --out examples/results $(ARGS)

clean: ## Remove what make made
	rm -rf $(VENV) $(OUT) .pytest_cache .mypy_cache .ruff_cache .coverage
