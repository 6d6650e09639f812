#!/bin/sh
# What the Makefile calls, `sh .setup.sh TARGET`, where `course COMMAND` is a command of the package; and, by this name
# alone, `attacks` on the sandbox, `grading` of 200 submissions with kills, `nbgrader` on the notebooks, and `browser`,
# after which `test` opens JupyterLab, too.
# POSIX sh, for it runs before anything is installed. A finished .venv holds a stamp; one without it was interrupted, and
# is made anew, since nobody can tell how much of a package pip had written. Downloads are not lost: pip keeps its cache.
set -eu

NEEDED_MB=3000 # the CPU build of torch and all the rest, while pip unpacks; a CUDA build needs three times that
PIP_LOG=.venv/pip.log
NO_NETWORK='connection|name resolution|timed out|Max retries|ProxyError|SSLError' # as pip words it
python=.venv/bin/python

fail() {
    echo "$*" >&2
    exit 1
}

usable() { # a version manager's shim can be on the PATH and still answer with an error: run it before trusting it
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1
}

find_python() {
    for candidate in "${PYTHON:-python3.11}" python3.11 python3.12 python3.13 python3 python; do
        if usable "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "No Python 3.11, 3.12 or 3.13 that can make a virtual environment was found. Install one (python.org; on" \
        "Debian and Ubuntu also the package python3-venv), or name it: make lab PYTHON=/path/to/python3.11"
}

stamp() { # changes with the pinned versions, and with the folder, for a virtual environment cannot be moved
    echo "$(cksum <requirements.txt) $PWD"
}

wait_for_builder() { # two set-ups at once: the second lets the first finish
    builder=$(cat .venv/builder 2>/dev/null || echo 0)
    { [ "$builder" -gt 0 ] && kill -0 "$builder" 2>/dev/null; } || return 0
    echo "Process $builder is making .venv; waiting until it is done. (There is no such process? Then: make clean)"
    while kill -0 "$builder" 2>/dev/null; do sleep 1; done
}

set_up() { # make .venv with all that requirements.txt names, unless it stands
    wait_for_builder
    if [ "$(cat .venv/stamp 2>/dev/null)" = "$(stamp)" ] && $python -c '' 2>/dev/null; then
        return
    fi
    base=$(find_python)
    free_mb=$(df -Pk . | awk 'NR == 2 { print int($4 / 1000) }')
    [ "$free_mb" -ge "$NEEDED_MB" ] || no_space "$free_mb MB are free"
    rm -rf .venv
    trap 'rm -rf .venv; fail "Stopped; half a .venv was removed. The same command starts again."' INT TERM HUP
    echo "Making .venv with $base ($("$base" -V))."
    mkdir .venv && echo $$ >.venv/builder && "$base" -m venv .venv >$PIP_LOG 2>&1 && mkdir .venv/tmp || broken
    echo "Installing the packages of requirements.txt into it: once, 1 to 10 minutes."
    install_requirements || broken
    rm -rf .venv/tmp .venv/builder
    stamp >.venv/stamp
    trap - INT TERM HUP
}

install_requirements() { # pip's temporary files go below .venv, so that a kill leaves them nowhere else
    tick &
    ticker=$!
    code=0
    TMPDIR=$PWD/.venv/tmp $python -m pip install --retries=3 --disable-pip-version-check --progress-bar=off \
        -r requirements.txt >$PIP_LOG 2>&1 || code=$?
    kill "$ticker" 2>/dev/null || true
    return $code
}

tick() { # say every five seconds that it goes on, and how far; `$$` is the script, without which this ends too
    seconds=0
    while sleep 5 && kill -0 $$ 2>/dev/null; do
        seconds=$((seconds + 5))
        megabytes=$(($(du -sk .venv 2>/dev/null | cut -f1) / 1000))
        echo "  $seconds s, $megabytes MB: $(tail -n 1 $PIP_LOG | sed 's/^ *//' | cut -c -80)"
    done
}

no_space() {
    rm -rf .venv
    fail "No disk space: $1 in $PWD, and about $NEEDED_MB MB are needed (three times that with a CUDA build of torch)." \
        "Free some, or clone the course onto another disk; then run this again."
}

broken() { # say why .venv could not be made, and leave no half of it
    ! grep -q -i -E 'No space left|Errno 28' $PIP_LOG 2>/dev/null || no_space "pip used up what was free"
    network=$(grep -i -m 1 -E "$NO_NETWORK" $PIP_LOG 2>/dev/null || true)
    problem=$(grep -E '^ERROR' $PIP_LOG 2>/dev/null || true)
    rm -rf .venv
    [ -z "$network" ] || fail "The Python package index was not reached, so .venv could not be filled. Check the" \
        "network (and the proxy, if there is one), then run this again."
    fail "The packages could not be installed, and .venv was removed. ${problem:-} Put that right, then run this again."
}

lab() {
    as_root=""
    [ "$(id -u)" -ne 0 ] || as_root=--allow-root # Jupyter asks for this from root, and from nobody else
    for lesson in notebooks/*.ipynb; do break; done # the first: what was handed out may hold a single one
    echo "Starting JupyterLab with $lesson. Control-C stops it."
    settings=.venv/share/jupyter/lab/settings # a first start would ask whether to fetch news of Jupyter
    mkdir -p $settings
    echo '{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}' >$settings/overrides.json
    exec $python -m jupyterlab --log-level=WARN --LabApp.default_url=/lab/tree/$lesson $as_root "$@"
}

browser() { # what drives a browser, which learners do not need
    $python -c 'import playwright' 2>/dev/null ||
        $python -m pip install -q "$(sed -n 's/^# \(playwright==[0-9.]*\) .*/\1/p' requirements.txt)"
}

nbgrader() { # in an environment of its own: it would replace packages of the course
    if ! .venv/nbgrader/bin/nbgrader --version >/dev/null 2>&1; then
        rm -rf .venv/nbgrader
        $python -m venv .venv/nbgrader
        .venv/nbgrader/bin/python -m pip install -q "$(sed -n 's/^# \(nbgrader==[0-9.]*\) .*/\1/p' requirements.txt)"
    fi
    $python -m pytest tests/test_nbgrader.py "$@"
}

lint() {
    $python -m ruff check . && .venv/bin/codespell && .venv/bin/lint-imports
}

part() { # run one part of `make test`; remember how it ended, so that a failure hides no later part
    name=$1
    shift
    echo "== $name"
    started=$(date +%s)
    result=passed
    "$@" || result=FAILED
    [ $result = passed ] || all=FAILED
    summary="$summary$result  $name, $(($(date +%s) - started)) s
"
}

run_tests() {
    all=passed
    summary=""
    export CUDA_VISIBLE_DEVICES= # outputs are compared with those of a CPU; a GPU has `make test-gpu`
    export OMP_NUM_THREADS=1 # two processes of one thread each took less time than one with two
    part "style, spelling, layers" lint
    part "pytest" $python -m pytest -n 2 --dist loadfile --timeout=900 tests
    notebooks="notebooks/5* notebooks/[0-46]* solutions" # the longest first, or it would run alone in the end
    part "notebooks" env TQDM_DISABLE=1 $python -m pytest -n 2 --dist loadscope --no-loadscope-reorder \
        --nbval --nbval-current-env --nbval-cell-timeout=1200 $notebooks
    printf '== summary\n%s' "$summary"
    [ $all = passed ] || fail "make test FAILED"
    echo "make test passed"
}

cd "$(dirname "$0")"
task=$1
shift
set_up
case $task in
    lab) $python -m helpers fetch && lab "$@" ;;
    test) $python -m helpers fetch && run_tests ;;
    browser) browser ;;
    test-lab) browser && $python tests/lab.py "$@" ;;
    quick) OMP_NUM_THREADS=1 $python -m pytest --timeout=60 -n 2 --dist loadfile -m "not real" tests ;;
    lint) lint ;;
    mutants) $python tests/mutants.py "$@" ;;
    kill) $python tests/kill.py "${1:-50}" ;;
    test-colab) $python tests/colab.py "$@" ;;
    test-model) $python -m helpers fetch && $python tests/other_model.py "$@" ;;
    test-device) $python -m helpers fetch && $python tests/other_device.py "$@" ;;
    test-gpu) $python -m helpers fetch && $python tests/gpu.py ;;
    drift) $python tests/drift.py ;;
    versions) $python -m helpers fetch && $python tests/versions.py "$@" ;;
    attacks) $python -m pytest --timeout=900 tests/test_attacks.py "$@" ;;
    nbgrader) $python -m helpers fetch && nbgrader "$@" ;;
    grading) $python tests/bench/grading.py "$@" ;;
    bench)
        case "${1:-}" in growth | limit | learn) bench=$1 && shift ;; *) bench=run ;; esac
        $python -m helpers fetch && $python "tests/bench/$bench.py" "$@"
        ;;
    course) $python -m helpers "$@" ;;
    *) fail "Unknown: $task. Run make, which lists what there is." ;;
esac
