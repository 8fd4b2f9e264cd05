PYTHON ?= python3
RUN = $(PYTHON) helpers/setup/bootstrap.py run
REPO ?=
ARGS ?=

.PHONY: help lab progress test quick refresh site grading bench badges format lock clean

help:  ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

lab:  ## Set up and open the first lesson in JupyterLab (PORT=8899 for another port)
	@PORT=$(PORT) $(PYTHON) helpers/setup/bootstrap.py lab $(ARGS)

progress:  ## List which exercises are right, wrong or open in your saved notebooks (ARGS=notebooks/03_learning_meaning.ipynb)
	@$(PYTHON) -m helpers.exercises $(ARGS)

test:  ## Set up and run all tests (ARGS="unit site" for these parts)
	@$(RUN) -m tests $(ARGS)

quick:  ## Run the fast tests, under a minute
	@$(RUN) -m tests quick

refresh:  ## Execute the notebooks and store their outputs (ARGS=06 for one)
	@$(RUN) -m tests.tools.refresh $(ARGS)

site:  ## Build the static site in .artefacts/site, with figures that need no kernel
	@$(RUN) -m helpers.site

grading:  ## Set up what instructors need, and grade (ARGS="grade hw1_word_embeddings"; see notebooks/homework)
	@$(RUN) -m helpers.grading $(ARGS)

bench:  ## Run the benchmarks and write tests/bench/RESULTS.md (ARGS=positions for one)
	@$(RUN) -m tests.bench $(ARGS)

badges:  ## Write the launch links (REPO=owner/name, by default the git remote; ARGS="--hub ADDRESS")
	@$(RUN) -m helpers.setup.badges $(REPO) $(ARGS)

format:  ## Format and lint code and notebooks
	@$(RUN) -m ruff format .
	@$(RUN) -m ruff check --fix .

lock:  ## Update the pinned requirements
	@$(RUN) -m tests.tools.lock

clean:  ## Remove the environment and everything generated
	rm -rf .venv .artefacts .ruff_cache .pytest_cache .hypothesis *.egg-info
