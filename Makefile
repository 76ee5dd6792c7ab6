# The two commands are `make demo` and `make test`; everything they need goes into .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: help demo test journeys tables bench clean

help:            ## what can be made
	@grep -hE '^[a-z]+: .*##|^[a-z]+:  +##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(STAMP): setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Flue needs Python 3.11 or later" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Is python3-venv installed?  apt install python3-venv"; exit 1; }
	@echo "setting up $(VENV) (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[speed,test]'
	@touch $(STAMP)

demo: $(STAMP)   ## run the laboratory feed of examples/lab_results; ONCE=1 stops when all is delivered
	@$(BIN)/flue demo $(if $(ONCE),--once)

test: $(STAMP)   ## the tests (under ten minutes)
	@$(BIN)/python -m pytest

journeys: $(STAMP)  ## the long tests: real peers, crashes, load
	@$(BIN)/python -m pytest -m journey

tables: $(STAMP) ## make the packaged tables again from hl7apy and the FHIR definitions
	@$(BIN)/python -m transforms.hl7.definitions.make
	@$(BIN)/python -m transforms.fhir.definitions.make

bench: $(STAMP)  ## the reference load, engine and floor in one run
	@$(BIN)/flue bench

clean:           ## remove what was installed and made
	rm -rf $(VENV) .peers build dist *.egg-info .pytest_cache .hypothesis
