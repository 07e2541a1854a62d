#!/bin/sh
# Locks of what the images install, every file by its hash, in the versions of constraints.txt.
# Run it after changing that file or pyproject.toml; needs uv (pip install uv).
set -eu
cd "$(dirname "$0")/../.."

lock() { # NAME, then what uv is to resolve
    out=deploy/locks/$1.lock
    shift
    uv pip compile --quiet --no-header --no-annotate --generate-hashes \
        --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
        --constraints constraints.txt --output-file "$out" "$@"
}

beyond_serve() { # NAME: leave out what serve.lock has
    awk '/^[^ ]/ { known = $1 in seen; if (NR == FNR) seen[$1] } NR != FNR && !known' \
        deploy/locks/serve.lock "deploy/locks/$1.lock" >"deploy/locks/$1.rest"
    mv "deploy/locks/$1.rest" "deploy/locks/$1.lock"
}

served="--extra serve --extra trace --extra redis"
echo 'setuptools>=77' | lock build -
# shellcheck disable=SC2086 # several words are meant
lock serve pyproject.toml $served
# shellcheck disable=SC2086
lock gpu pyproject.toml $served --extra gpu
# shellcheck disable=SC2086
lock train pyproject.toml $served --extra train --extra ray
beyond_serve gpu
beyond_serve train
