#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes `.venv` of this checkout: a symbolic link to a virtual environment shared by every checkout that asks for the
# same packages on the same Python. Idempotent, and a no-op in a few milliseconds when nothing changed.
#
#   MCPOPS_PYTHON=/path/to/python   use exactly this interpreter instead of the newest one found
#   MCPOPS_CORE=2.20                an environment with this ansible-core, at build/core-2.20 instead of .venv, with the
#   MCPOPS_PYTHONS="3.13 3.12"      first of these that is there (stages.py says which a core runs on)
#
# A command given to it is run afterwards, with the environment's programs first on the path.
set -euo pipefail
umask 022

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/mcpops-platform/venv
core=${MCPOPS_CORE:-}
pythons=${MCPOPS_PYTHONS:-3.13 3.12 3.11}
link=$checkout/.venv
if [ -n "$core" ]; then
    mkdir -p "$checkout/build"
    link=$checkout/build/core-$core
fi

say() { printf 'venv: %s\n' "$*" >&2; }
die() { printf 'venv: %s\n' "$*" >&2; exit 1; }

# The packages, and this script because it decides how they are laid out.
inputs=$(cd "$checkout" && { cat requirements.txt requirements-dev.txt tests/gate/bootstrap.sh tests/gate/localcloud.sh
    printf '%s' "$core"; } | sha256sum | cut -c1-16)

finish() {
    if [ "$#" -gt 0 ]; then PATH=$link/bin:$PATH exec "$@"; fi
    exit 0
}

# An environment that works is kept even when a newer Python has turned up since: switching interpreters is a decision
# (`make venv MCPOPS_PYTHON=...`), not a side effect of running a test.
if [ -z "${MCPOPS_PYTHON:-}" ] && [ "$(cat "$link/.inputs" 2>/dev/null || true)" = "$inputs" ] &&
    "$link/bin/python" -c '' 2>/dev/null; then
    finish "$@"
fi

# Prints "<version> <machine> <real interpreter>" for an interpreter that can make virtual environments, else nothing.
# It is *run*: shims of version managers exist on PATH for versions they then refuse to start, and Debian's python3
# exists without ensurepip. An active virtual environment answers with the interpreter it was made from.
describe() {
    "$1" -c '
import ensurepip, os, platform, ssl, sys, venv
base = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
print("%d.%d.%d" % sys.version_info[:3], platform.machine(), base)
' 2>/dev/null || true
}

candidates() {
    local minor name directory
    for minor in $pythons; do
        type -ap "python$minor" || true
        for directory in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$minor"*/bin; do
            name=$directory/python$minor
            if [ -x "$name" ]; then printf '%s\n' "$name"; fi
        done
    done
    type -ap python3 || true
}

find_python() {
    local candidate description minor
    if [ -n "${MCPOPS_PYTHON:-}" ]; then
        describe "$MCPOPS_PYTHON"
        return
    fi
    while read -r candidate; do
        description=$(describe "$candidate")
        minor=$(cut -d. -f1,2 <<<"$description")
        if [[ -n $minor && " $pythons " == *" $minor "* ]]; then
            printf '%s\n' "$description"
            return
        fi
    done < <(candidates)
}

install_debian_venv() {
    command -v apt-get >/dev/null || return 0
    local run=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || return 0
        run=(sudo -n)
    fi
    say "found no usable Python of $pythons; installing python3-venv"
    "${run[@]}" apt-get update -qq && "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv
}

found=$(find_python)
if [ -z "$found" ] && [ -z "${MCPOPS_PYTHON:-}" ]; then
    install_debian_venv >&2 || say "apt-get could not install python3-venv"
    found=$(find_python)
fi
[ -n "$found" ] || die "${MCPOPS_PYTHON:-each of python${pythons// /, python}} is missing, does not start, or lacks \
venv/ensurepip. Install one (Debian: apt-get install python3-venv), or name one: make venv MCPOPS_PYTHON=/path/to/python3.13"
read -r version machine python <<<"$found"

key=$(printf '%s %s %s' "$inputs" "$version" "$machine" | sha256sum | cut -c1-16)
environment=$cache/$key
mkdir -p "$cache"

build() {
    local started=$SECONDS
    say "building $environment with Python $version ($python)"
    rm -rf "$environment"
    "$python" -m venv "$environment"
    # Not activated and without the caller's Python settings: what is installed depends on the two files alone.
    env -u PYTHONPATH -u PYTHONHOME "$environment/bin/python" -m pip install --quiet --disable-pip-version-check \
        -r "$checkout/requirements.txt" -r "$checkout/requirements-dev.txt" ${core:+"ansible-core==$core.*"} >&2 ||
        die "pip could not install the requirements (above). Is a package index reachable? pip config list shows which one is used"
    install -m 0755 "$checkout/tests/gate/localcloud.sh" "$environment/bin/localcloud"
    printf '%s\n' "$inputs" >"$environment/.inputs"
    touch "$environment/.complete"
    say "built in $((SECONDS - started)) s"
}

(
    # One builder at a time; whoever waited finds it complete. The lock is let go with the descriptor, also on a kill.
    flock -n 9 || { say "waiting for another build of the same environment"; flock 9; }
    [ -e "$environment/.complete" ] || build
) 9>"$environment.lock"

# Replaced by rename: somebody running from the old environment never sees a moment without one.
if [ -d "$link" ] && [ ! -L "$link" ]; then
    die "$link is a directory made by hand; remove it, then run make venv again"
fi
if [ "$(readlink "$link" 2>/dev/null || true)" != "$environment" ]; then
    ln -s "$environment" "$link.$$"
    mv -T "$link.$$" "$link"
    say "$link -> $environment (Python $version)"
fi
finish "$@"
