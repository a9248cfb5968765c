#!/bin/sh
# Makes or refreshes the virtual environment in the folder $1, from constraints/ and setup.py. PYTHON may name the
# Python to use. Called by the Makefile, from the repository root.
set -eu
venv=$1

# A name on the PATH need not run (pyenv leaves such), so each candidate is tried.
if [ -n "${PYTHON:-}" ]; then
    python=$PYTHON
    if ! "$python" -c '' 2>/dev/null; then
        echo "error: PYTHON=$python does not run; name Python 3.11, 3.12 or 3.13, for example: make demo PYTHON=python3.12" >&2
        exit 1
    fi
    "$python" tools/check_python.py
else
    python=
    for candidate in python3.11 python3.12 python3.13 python3 python; do
        if "$candidate" tools/check_python.py 2>/dev/null && "$candidate" -c 'import venv, ensurepip' 2>/dev/null; then
            python=$candidate
            break
        fi
    done
    if [ -z "$python" ]; then
        echo "error: no Python 3.11, 3.12 or 3.13 with its venv module found; install one and name it, for example: make demo PYTHON=python3.12" >&2
        exit 1
    fi
fi

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
pins=constraints/py$(echo "$version" | tr -d .).txt
rm -f "$venv/ready"

# Another Python than the environment's means a new environment; an interrupted one is finished.
if [ "$("$venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" != "$version" ]; then
    # Not a folder of something else that VENV was pointed at by mistake.
    if [ -e "$venv" ] && [ ! -e "$venv/pyvenv.cfg" ] && [ -n "$(ls -A "$venv" 2>/dev/null)" ]; then
        echo "error: VENV=$venv is a folder that holds something else than a virtual environment; name another" >&2
        exit 1
    fi
    echo "Python $version: making the environment $venv"
    "$python" -m venv --clear "$venv"
fi

echo "installing the versions in $pins into $venv (about 3.5 GB, some minutes the first time)"
start=$(date +%s)
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -c "$pins" -e '.[annotate,dev,download]'
# The Makefile compares the version with PYTHON's.
echo "$version" > "$venv/ready"
echo "environment ready after $(($(date +%s) - start)) s"
