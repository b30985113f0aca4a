#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes `.venv` of this checkout: a symbolic link to a virtual environment shared by every checkout that asks for the
# same packages on the same Python. Idempotent, and a no-op in a few milliseconds when nothing changed.
#
#   MCPOPS_PYTHON=/path/to/python   use exactly this interpreter instead of the newest one found
set -euo pipefail
umask 022

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/mcpops-platform/venv
link=$checkout/.venv

say() { printf 'venv: %s\n' "$*" >&2; }
die() { printf 'venv: %s\n' "$*" >&2; exit 1; }

# The packages, and this script because it decides how they are laid out.
inputs=$(cd "$checkout" && cat requirements.txt requirements-dev.txt tests/gate/bootstrap.sh tests/gate/localcloud.sh |
    sha256sum | cut -c1-16)

# An environment that works is kept even when a newer Python has turned up since: switching interpreters is a decision
# (`make venv MCPOPS_PYTHON=...`), not a side effect of running a test.
if [ -z "${MCPOPS_PYTHON:-}" ] && [ "$(cat "$link/.inputs" 2>/dev/null || true)" = "$inputs" ] &&
    "$link/bin/python" -c '' 2>/dev/null; then
    exit 0
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
    for minor in 3.13 3.12 3.11; do
        type -ap "python$minor" || true
        for directory in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$minor"*/bin; do
            name=$directory/python$minor
            if [ -x "$name" ]; then printf '%s\n' "$name"; fi
        done
    done
    type -ap python3 || true
}

find_python() {
    local candidate description
    if [ -n "${MCPOPS_PYTHON:-}" ]; then
        describe "$MCPOPS_PYTHON"
        return
    fi
    while read -r candidate; do
        description=$(describe "$candidate")
        case $description in
            3.11.* | 3.12.* | 3.13.*) printf '%s\n' "$description"; return ;;
        esac
    done < <(candidates)
}

install_debian_venv() {
    command -v apt-get >/dev/null || return 0
    local run=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || return 0
        run=(sudo -n)
    fi
    say "no usable Python 3.11 to 3.13 found; installing python3-venv"
    "${run[@]}" apt-get update -qq && "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv
}

found=$(find_python)
if [ -z "$found" ] && [ -z "${MCPOPS_PYTHON:-}" ]; then
    install_debian_venv >&2 || say "apt-get could not install python3-venv"
    found=$(find_python)
fi
[ -n "$found" ] || die "${MCPOPS_PYTHON:-each of python3.13, python3.12, python3.11} is missing, does not start, or lacks \
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
        -r "$checkout/requirements.txt" -r "$checkout/requirements-dev.txt" >&2 ||
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
