# `make` alone lists the targets. Each first does what is missing, and may be stopped at any point and repeated.
MAKEFLAGS += --no-print-directory

help:  ## list the targets
	@awk -F ':  ## ' '/^[a-z]+:  ## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile
lab:  ## set up what is missing, open JupyterLab with lesson 0 (ARGS=--no-browser prints the address)
	@sh .setup.sh lab $(ARGS)
test:  ## all tests: style, pytest, every notebook executed and compared
	@sh .setup.sh test
quick:  ## the tests that need no notebook and no real model, in under a minute
	@sh .setup.sh quick
lint:  ## style, spelling, and the layers of the package
	@sh .setup.sh lint
mutants:  ## break the trainer in one line at a time, and see which test notices
	@sh .setup.sh mutants
kill:  ## kill a tiny training at 50 random moments, go on, and compare with an undisturbed one
	@sh .setup.sh kill
bench:  ## time and memory beside TRL's trainer, an hour (ARGS=growth, limit or learn measures other things)
	@sh .setup.sh bench $(ARGS)
exercises:  ## write exercises/ from solutions/
	@sh .setup.sh course exercises $(ARGS)
lessons:  ## execute lessons and solutions and store their outputs
	@sh .setup.sh course lessons $(ARGS)
fetch:  ## fetch and verify model and ratings, convert the model once
	@sh .setup.sh course fetch
clean:  ## remove .venv and the tools' caches; the fetched model stays
	@rm -rf .venv .pytest_cache .ruff_cache .import_linter_cache build *.egg-info

.PHONY: help lab test quick lint mutants kill bench exercises lessons fetch clean
