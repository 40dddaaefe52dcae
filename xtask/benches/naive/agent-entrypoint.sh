#!/bin/bash
# The shell script that section 6.3.2 of the specification asks for, as small as its four steps allow.
set -euo pipefail

WORKSPACE="${WORKSPACE:-/workspace}"

# 1. Validate that the workspace mount exists.
if [ ! -d "$WORKSPACE" ]; then
    echo "error: $WORKSPACE is not there; mount it with -v" >&2
    exit 1
fi
if ! mountpoint -q "$WORKSPACE"; then
    echo "warning: $WORKSPACE is not a mount" >&2
fi

# 2. Set correct permissions on the workspace.
if [ ! -w "$WORKSPACE" ] && ! chmod u+rwx "$WORKSPACE"; then
    echo "warning: $WORKSPACE is not writable" >&2
fi

# 3. Configure git.
git config --global --add safe.directory "$WORKSPACE"

# 4. Set up the shell environment.
export HOME="${HOME:-/home/agentgate}" USER="${USER:-agentgate}" SHELL="${SHELL:-/bin/bash}"
export LOGNAME="${LOGNAME:-$USER}" LANG="${LANG:-C.UTF-8}"

# Keep-alive mode, else command mode: the command becomes PID 1 and gets its signals itself.
if [ $# -eq 0 ]; then
    exec sleep infinity
fi
exec "$@"
