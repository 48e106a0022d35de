# Four commands. Each one makes its own environment first; nothing outside this folder is touched.
#   make run      the whole platform on this machine (PORT=8000, DEMO=1)
#   make test     every test, with servers of its own (ARGS="tests/core -x" narrows it)
#   make check    format, lint, types, contracts, missing migrations, deployment checks
#   make bench    the workloads against their limits (ONLY=name, SIZE=middle or full, DATA=folder of
#                 public data, KEEP=folder that keeps the simulated shops, which are made there once;
#                 ONLY=soak.day MINUTES=60 SAMPLES=folder SHOP=folder: a day of load in an hour, only
#                 when named)

PORT ?= 8000
DEMO ?= 1
ONLY ?=
SIZE ?=
DATA ?=
KEEP ?=
MINUTES ?=
SAMPLES ?=
SHOP ?=
ARGS ?=
PY := .venv/bin/python

.PHONY: run test check bench environment environment-dev lock

run: environment
	@PORT="$(PORT)" DEMO="$(DEMO)" exec $(PY) manage.py up

# A process a core, each with servers of its own; ARGS="-n 0" runs all in one.
test: environment-dev
	@$(PY) -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

check: environment-dev
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@.venv/bin/lint-imports --no-cache
	@$(PY) -m mypy -n auto
	@$(PY) -m marketing.deploy.check

bench: environment-dev
	@ONLY="$(ONLY)" SIZE="$(SIZE)" DATA="$(DATA)" KEEP="$(KEEP)" MINUTES="$(MINUTES)" \
		SAMPLES="$(SAMPLES)" SHOP="$(SHOP)" $(PY) manage.py bench

environment:
	@sh marketing/deploy/environment.sh requirements.lock

environment-dev:
	@sh marketing/deploy/environment.sh requirements-dev.lock

# Rewrites both lock files from what is installed in .venv now.
lock:
	@$(PY) marketing/deploy/lock.py
