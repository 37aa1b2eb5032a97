# Everything a newcomer or the CI needs. `make demo` and `make test` set up what they lack.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# the newer proxy needs Node.js 20, which Debian 12 has not
PROXY_VERSION = $$(node -p "parseInt(process.versions.node) >= 20 ? '5.3.0' : '4.6.3'")
NUMBER_OF_TEST_WORKERS ?= 2
# what lies below the services and the faces: quick, and without a server of ours or of others
UNIT_TESTS := tests/algo tests/volumes tests/toolkit tests/tools tests/records tests/run tests/notebook tests/test_deploy.py tests/test_docs.py tests/test_docs_commands.py
UNIT_MARKS := not slow and not data and not s3 and not postgres and not gpu and not browser and not nginx and not docker and not slurm and not hub and not galaxy
# what stands on files that a wheel may lack: pages, pictures, scripts, statements of SQL, templates
PACKED_TESTS := tests/volumes tests/toolkit tests/records tests/notebook tests/test_deploy.py tests/service/test_home.py tests/service/test_report.py tests/web/test_skeleton.py tests/web/test_openapi.py tests/web/test_dataset_page.py tests/web/test_viewer_page.py tests/galaxy/test_render.py tests/galaxy/test_plugin.py tests/hub/test_config.py

.PHONY: help install demo test check unit bench docs images wheel-test clean
IMAGES ?=
BASE ?= debian:bookworm-slim
BUILD ?=

help:
	@echo "make demo     set up, then tiles -> stitched brain -> nuclei -> report.html, served in the browser"
	@echo "make test     set up, then run every test"
	@echo "make check    lint, types, layers, unit tests (a few minutes)"
	@echo "make bench    compare with the peers and print ratios"
	@echo "make docs     write the generated reference pages and the tools of Galaxy"
	@echo "make images   build the container images; IMAGES=\"tools lab\" names some, BASE=... what they start from"
	@echo "make clean    remove the environment and everything generated"

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@echo "==> setting up $(VENV) (about two minutes the first time)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Brain Gateway needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
	  || { echo "Python's venv module is missing. On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@if command -v npm > /dev/null; then \
	  echo "==> the proxy of the hub"; \
	  npm install --silent --no-audit --no-fund --no-package-lock --prefix $(VENV)/npm configurable-http-proxy@$(PROXY_VERSION) > /dev/null; \
	else \
	  echo "npm is not installed, so \`gateway up\` will not work; on Debian or Ubuntu: apt-get install nodejs npm, then make clean install"; \
	fi
	@echo "==> compiling the numerical kernels once"
	@$(BIN)/gateway doctor --warm > /dev/null
	@touch $@

demo: install
	@$(BIN)/gateway demo $(DEMO)

check: install
	@echo "==> ruff";    $(BIN)/ruff check . && $(BIN)/ruff format --check --quiet .
	@echo "==> mypy";    $(BIN)/mypy
	@echo "==> layers";  $(BIN)/lint-imports > .import-linter.log || { cat .import-linter.log; exit 1; }
	@$(MAKE) --no-print-directory unit

unit: install
	@echo "==> unit tests"
	@$(BIN)/pytest -q -n $(NUMBER_OF_TEST_WORKERS) -m "$(UNIT_MARKS)" $(UNIT_TESTS) tests/test_shape.py

test: install
	@echo "==> all tests (set GATEWAY_TEST_DATA to the folder of real volumes to include those)"
	@$(BIN)/pytest -n $(NUMBER_OF_TEST_WORKERS) -m "not galaxy"
	@echo "==> one Galaxy for all tests that need it"
	@$(BIN)/pytest -m galaxy

bench: install
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --constraint constraints.txt --editable '.[dev,bench]' \
	  || echo "some peers could not be installed: their rows will say so"
	@for script in benchmarks/bench_*.py; do echo "==> $$script"; $(BIN)/python $$script || exit 1; done

docs: install
	@$(BIN)/python docs/generate.py
	@$(BIN)/gateway-galaxy tools galaxy_tools

# BUILD passes more on, such as BUILD="--network host --ca proxy.crt"; see images/build.py --help
images:
	@$(PYTHON) images/build.py $(IMAGES) --base $(BASE) $(BUILD)

# Tests must pass on the files a user gets, not on the checkout.
wheel-test: install
	@set -e; work=$$(mktemp -d); trap 'rm -rf "$$work"' EXIT; \
	echo "==> building the wheel and testing it in an empty environment"; \
	$(BIN)/python -m build --wheel --outdir "$$work" . > "$$work/build.log" 2>&1 || { tail -20 "$$work/build.log"; exit 1; }; \
	$(PYTHON) -m venv "$$work/venv"; \
	VIRTUAL_ENV="$$work/venv" $(BIN)/uv pip install --quiet --constraint constraints.txt "$$(ls $$work/*.whl)[test]"; \
	cp -r tests "$$work/tests"; cp pyproject.toml "$$work/pyproject.toml"; cd "$$work"; \
	"$$work/venv/bin/pytest" -q -n $(NUMBER_OF_TEST_WORKERS) -m "$(UNIT_MARKS)" $(PACKED_TESTS)

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis demo-output .import-linter.log
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
