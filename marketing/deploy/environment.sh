#!/bin/sh
# Make .venv with a fit Python and install a lock file into it, once per content of that file.
set -eu

lock=$1
say() { printf '%s\n' "$*" >&2; }
fit() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

if [ -x .venv/bin/python ] && ! fit .venv/bin/python; then
    say "error: .venv was made with a Python that is missing now or is not 3.11, 3.12 or 3.13."
    say "  Remove it (rm -r .venv) and run the same command again."
    exit 1
fi

if [ ! -x .venv/bin/python ]; then
    python=
    for candidate in ${PYTHON:-} python3.13 python3.12 python3.11 python3 python; do
        if command -v "$candidate" >/dev/null 2>&1 && fit "$candidate"; then
            python=$candidate
            break
        fi
    done
    if [ -z "$python" ]; then
        found=$(python3 -V 2>/dev/null || echo "no Python 3 at all")
        say "error: Python 3.11, 3.12 or 3.13 is needed; this machine has ${found}."
        say "  Debian/Ubuntu:  sudo apt install python3 python3-venv"
        say "  macOS:          brew install python@3.13"
        say "  or name one:    PYTHON=/path/to/python3.12 make run"
        exit 1
    fi
    say "Making .venv with $($python -V)"
    if ! "$python" -m venv .venv >.venv.log 2>&1; then
        cat .venv.log >&2
        rm -rf .venv .venv.log
        say "error: $python could not make a virtual environment."
        say "  Debian/Ubuntu:  sudo apt install python3-venv"
        exit 1
    fi
    rm -f .venv.log
fi

stamp=.venv/.installed-$lock
sum=$(cksum <"$lock")
# The development lock holds everything of the other one, so it answers for both.
for have in "$stamp" .venv/.installed-requirements-dev.lock; do
    if [ "$lock" = requirements.lock ] && [ "$have" != "$stamp" ]; then
        [ "$(cat "$have.runtime" 2>/dev/null || true)" = "$sum" ] && exit 0
    fi
    [ "$(cat "$have" 2>/dev/null || true)" = "$sum" ] && exit 0
done

say "Installing the packages of $lock (the first time this takes some minutes)"
if ! .venv/bin/python -m pip install --disable-pip-version-check --quiet --no-compile \
    --requirement "$lock"; then
    say "error: the packages of $lock could not be installed; the lines above say why."
    say "  Check the network and the free disk space (about 6 GB), then run the same command again."
    exit 1
fi
# pip would compile twenty thousand files by one process; what fails to compile is no part of ours.
.venv/bin/python -m compileall -q -j 0 -x '/tests?/' .venv/lib >/dev/null 2>&1 || true
if [ "$lock" = requirements-dev.lock ]; then
    cksum <requirements.lock >"$stamp.runtime"
fi
printf '%s\n' "$sum" >"$stamp"
