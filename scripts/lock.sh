#!/bin/sh
# Pin every package, for every supported Python and platform, with its hashes and without naming any host.
set -eu
cd "$(dirname "$0")/.."
unset PIP_FIND_LINKS UV_FIND_LINKS UV_INDEX UV_EXTRA_INDEX_URL PIP_EXTRA_INDEX_URL

compile() {
    .venv/bin/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate --no-emit-index-url --no-emit-find-links ${UPGRADE:+--upgrade} "$@"
}

compile requirements-dev.txt --output-file requirements-dev.lock
compile requirements.txt --constraints requirements-dev.lock --output-file requirements.lock
