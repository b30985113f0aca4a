#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The command `localcloud` of a checkout. The virtual environment it is installed in is shared by checkouts, so the
# checkout is taken from the path this was called by (<checkout>/.venv/bin/localcloud), links not resolved.
set -eu
checkout=$(cd -L "$(dirname "$0")/../.." && pwd -L)
if [ ! -f "$checkout/tests/localcloud/__init__.py" ]; then
    echo "localcloud: $checkout is no checkout of the collection. Call it as <checkout>/.venv/bin/localcloud" >&2
    exit 2
fi
# -P keeps the current directory out of the import path (python -m puts it first).
PYTHONPATH="$checkout/tests${PYTHONPATH:+:$PYTHONPATH}" exec "$checkout/.venv/bin/python" -P -m localcloud "$@"
