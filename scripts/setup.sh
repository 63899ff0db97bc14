#!/bin/sh
# Make .venv hold what requirements-dev.lock says, and this project. Does nothing when it already does.
set -eu
unset PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME
cd "$(dirname "$0")/.."

# A version manager's shim may exist and fail, so every candidate is run before it is believed.
runs() {
    "$1" -c 'import ensurepip, ssl, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
        >/dev/null 2>&1
}

interpreter() {
    if [ -n "${PYTHON:-}" ]; then
        if runs "$PYTHON"; then command -v "$PYTHON"; return; fi
        echo "PYTHON=$PYTHON is not a working Python 3.11, 3.12 or 3.13 (with venv and ssl)." >&2
        return 1
    fi
    for version in 3.12 3.13 3.11 3; do
        for candidate in "python$version" "/usr/bin/python$version" "/usr/local/bin/python$version" \
            "/opt/homebrew/bin/python$version" "$HOME/.pyenv/versions/$version"*/bin/python; do
            if runs "$candidate"; then command -v "$candidate"; return; fi
        done
    done
    echo "No working Python 3.11, 3.12 or 3.13 was found. Install one (with its venv module)," >&2
    echo "or name it: make setup PYTHON=/path/to/python3.12" >&2
    return 1
}

# A venv that works is kept, whatever python is first on the path today, unless one is asked for.
stale() {
    [ "$(cat .venv/stamp 2>/dev/null)" = "$(wanted)" ] || return 0
    .venv/bin/python -c '' >/dev/null 2>&1 || return 0
    [ -z "${PYTHON:-}" ] || [ "$(cat .venv/interpreter 2>/dev/null)" = "$(interpreter)" ] || return 0
    return 1
}

wanted() {
    cat requirements-dev.lock pyproject.toml | cksum
    pwd
}

stale || exit 0

python=$(interpreter)
if [ "$(cat .venv/interpreter 2>/dev/null)" != "$python" ] || ! runs .venv/bin/python ||
    ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    echo "Setting up .venv with $("$python" -V) ($python)"
    rm -rf .venv
    "$python" -m venv .venv
    printf '%s\n' "$python" > .venv/interpreter
else
    echo "Refreshing .venv"
fi
rm -f .venv/stamp

# pip fetches uv, in the version and with the hash the lock names; uv fetches the rest, faster.
sed -n '/^uv==/,/[^\\]$/p' requirements-dev.lock > .venv/uv.lock
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.lock

# uv does not read pip's settings, so a mirror or a certificate that pip was told of is passed on.
settings=$(.venv/bin/python -m pip config list 2>/dev/null || true)
setting() { printf '%s\n' "$settings" | sed -n "s/^[^=]*\.$1='\(.*\)'\$/\1/p" | tail -n 1; }
index=${UV_DEFAULT_INDEX:-$(setting index-url)}
certificate=${SSL_CERT_FILE:-$(setting cert)}
[ -z "$index" ] || export UV_DEFAULT_INDEX="$index"
[ -z "$certificate" ] || export SSL_CERT_FILE="$certificate"

if ! .venv/bin/uv pip sync --quiet --python .venv/bin/python --require-hashes requirements-dev.lock
then
    echo "uv could not install the packages; trying with pip, which takes a minute longer."
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile \
        --require-hashes -r requirements-dev.lock
fi
# Airflow is many processes, which would all compile the same modules at their first start. Half of all
# code is never imported, though: packages' own tests, phone prefixes by town, tools for developing.
.venv/bin/python -m compileall -q -j 0 .venv/lib/python*/site-packages \
    -x '/(tests|geodata|carrierdata|tzdata|faker|mypy|mypyc|pip|setuptools|lexers|hypothesis)/' || true
.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --offline -e .
wanted > .venv/stamp
