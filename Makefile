# `make` alone lists the targets. Each first does what is missing, and may be stopped at any point and repeated.
MAKEFLAGS += --no-print-directory

## help        list the targets
help:
	@sed -n 's/^## /make /p' Makefile
## lab         set up what is missing, open JupyterLab with lesson 0 (ARGS=--no-browser prints the address)
lab:
	@sh .setup.sh lab $(ARGS)
## test        all tests: style, pytest, every notebook executed and compared
## quick       the tests that need no notebook and no real model, in under a minute
## lint        style, spelling, and the layers of the package
test quick lint:
	@sh .setup.sh $@
## mutants     break the trainer in one line at a time, and see which test notices
## kill        kill a tiny training at 50 random moments, go on, and compare with an undisturbed one
mutants kill:
	@sh .setup.sh $@ $(ARGS)
## bench       time and memory beside TRL's trainer, an hour (ARGS=growth, limit or learn measures other things)
bench:
	@sh .setup.sh bench $(ARGS)
## exercises   write exercises/ from solutions/
## lessons     execute lessons and solutions and store their outputs
## fetch       fetch and verify model and ratings, convert the model once
exercises lessons fetch:
	@sh .setup.sh course $@ $(ARGS)
## test-colab  every lesson with the versions of Colab, as far as that can be simulated (ARGS="0 3": only these)
## test-lab    a lesson and an exercise in JupyterLab, in a browser (apt install chromium)
## test-model  every lesson with a model of another family, as COURSE_MODEL puts it there (ARGS="--family qwen3 0 3")
## test-device lesson 5 on a device that is not the CPU, as far as that can be simulated (ARGS="--family qwen2")
## test-gpu    8-bit, fp16, bf16, the trainer and two lessons on a GPU; fails where there is none
## drift       the quick tests with the newest version of everything, and what broke
## versions    the quick tests on Python 3.11, 3.12 and 3.13, and with the oldest versions (ARGS=--real: all tests)
test-colab test-lab test-model test-device test-gpu drift versions:
	@sh .setup.sh $@ $(ARGS)
## clean       remove .venv, other environments and the tools' caches; the fetched model stays
clean:
	@rm -rf .venv .venv-* .pytest_cache .ruff_cache .import_linter_cache build *.egg-info

.PHONY: help lab test quick lint mutants kill bench exercises lessons fetch test-colab test-lab test-model test-device test-gpu drift versions clean
