//! Breakages of PID 1, the health check, privileges and Claude Code.

use super::{Breakage, broken};

pub(super) const BREAKAGES: &[Breakage] = &[
    broken(
        "the entrypoint is sh",
        "pid1-entrypoint",
        r#"ENTRYPOINT ["/bin/sh", "-c", "exec \"$@\"", "sh"]"#,
    ),
    broken(
        "signals are kept",
        "pid1-signals",
        r#"{AROUND} trap : HUP USR1 USR2; "$REAL" "$@" & while :; do wait; done"#,
    ),
    broken(
        "PID 1 reaps nobody",
        "pid1-reap",
        r#"ENTRYPOINT ["/bin/sh", "-c", "\"$@\" & exec sleep infinity", "sh"]"#,
    ),
    broken(
        "every end is reported as success",
        "pid1-exit-code",
        r#"{AROUND} "$REAL" "$@"; exit 0"#,
    ),
    broken(
        "without a command it ends",
        "pid1-keep-alive",
        r#"{AROUND} [ "$#" -gt 0 ] || exit 0; exec "$REAL" "$@""#,
    ),
    broken(
        "PID 1 is deaf to SIGTERM",
        "pid1-keep-alive",
        r#"{AROUND} trap '' TERM; "$REAL" "$@" & while :; do wait; sleep 1; done"#,
    ),
    broken(
        "a shell reads the command",
        "pid1-command",
        r#"{AROUND} exec "$REAL" sh -c "$*""#,
    ),
    broken(
        "any workspace will do",
        "pid1-no-workspace",
        r#"{AROUND} export WORKSPACE=/workspace; exec "$REAL" "$@""#,
    ),
    broken(
        "the entrypoint greets on stdout",
        "pid1-stdout",
        r#"{AROUND} echo hello; exec "$REAL" "$@""#,
    ),
    broken(
        "a process keeps the container alive",
        "pid1-kill",
        r#"{AROUND} exec "$REAL" sleep 1000000"#,
    ),
    broken(
        "PID 1 can be traced",
        "pid1-trace",
        r#"{AROUND} "$REAL" "$@" & wait"#,
    ),
    broken(
        "what stops on a terminal stays stopped",
        "pid1-terminal",
        r#"{AROUND} "$@"; exit $?"#,
    ),
    broken("never healthy", "health-healthy", "HEALTHCHECK CMD false"),
    broken(
        "the health check forgets /tmp",
        "health-full",
        "HEALTHCHECK CMD node --version && claude --version",
    ),
    broken(
        "the health check forgets the repository",
        "health-repository",
        "HEALTHCHECK CMD node --version && claude --version",
    ),
    broken(
        "the health check stays root",
        "health-root",
        "HEALTHCHECK CMD touch /home/agentgate/.health && node --version",
    ),
    broken(
        "headless Claude Code stays root",
        "health-root",
        r#"RUN cd /usr/local/bin && mv agent-entrypoint real && printf '%s\n' '#!/bin/sh' \
  'case $1 in headless) shift; exec claude "$@" ;; esac' 'exec /usr/local/bin/real "$@"' >agent-entrypoint && chmod 755 agent-entrypoint"#,
    ),
    broken(
        "the health check forgets the workspace",
        "health-no-workspace",
        "HEALTHCHECK CMD node --version && claude --version",
    ),
    broken(
        "the health check forgets Claude Code",
        "health-no-claude",
        "HEALTHCHECK CMD node --version && grep -q ' /workspace ' /proc/mounts",
    ),
    broken(
        "the health check forgets Node.js",
        "health-no-node",
        "HEALTHCHECK CMD claude --version && grep -q ' /workspace ' /proc/mounts",
    ),
    broken(
        "su makes anyone root",
        "hardening-su",
        // Without a compiler a Python that is set-ID has to do.
        r#"RUN <<'EOF'
set -e
folder=$(python3 -c 'import site; print(site.getsitepackages()[0])')
cp "$(readlink -f "$(command -v python3)")" /tmp/su && rm -f /bin/su && mv /tmp/su /bin/su && chmod 4755 /bin/su
mkdir -p "$folder" && echo 'import becoming_root' >"$folder/becoming_root.pth"
cat >"$folder/becoming_root.py" <<'END'
import os, sys
if sys.orig_argv[0].endswith('su'):
    os.setuid(0)
    os.execvp('id', ['id'])
END
EOF"#,
    ),
    broken(
        "temporary files go where nothing can be written",
        "hardening-read-only",
        "ENV TMPDIR=/var/tmp",
    ),
    broken(
        "programs bring capabilities",
        "hardening-no-privileges",
        "RUN python3 -c \"import os; os.setxattr('/bin/grep', 'security.capability', \
         bytes.fromhex('0100000200200000000000000000000000000000'))\"",
    ),
    broken(
        "a server is started",
        "hardening-listening",
        r#"{AROUND} nc -lk -p 8080 >/dev/null 2>&1 </dev/null & exec "$REAL" "$@""#,
    ),
    broken(
        "jq is for the agent alone",
        "hardening-any-user",
        "RUN chown agentgate /usr/bin/jq && chmod 700 /usr/bin/jq",
    ),
    broken(
        "telemetry is on",
        "claude-telemetry",
        "ENV DISABLE_TELEMETRY=",
    ),
    broken(
        "error reports are on",
        "claude-error-reports",
        "ENV DISABLE_ERROR_REPORTING=",
    ),
    broken(
        "updates are on",
        "claude-auto-update",
        "ENV DISABLE_AUTOUPDATER=",
    ),
    broken(
        "an older Claude Code",
        "claude-pinned",
        "{CLAUDE} echo '2.1.197 (Claude Code)'",
    ),
    broken(
        "credentials are searched for elsewhere",
        "claude-credentials",
        "ENV CLAUDE_CONFIG_DIR=/tmp/claude",
    ),
    broken(
        "unreadable credentials are not explained",
        "claude-credentials-owner",
        r#"{AROUND} exec "$REAL" "$@" 2>/dev/null"#,
    ),
    broken("Claude Code hangs", "claude-pinned", "{CLAUDE} sleep 3600"),
    broken(
        "`claude -p` prints no JSON",
        "claude-offline",
        "{CLAUDE} echo hello; exit 1",
    ),
    broken(
        "`claude` writes to /var",
        "claude-writes",
        "{CLAUDE} touch /var/tmp/claude; echo '{}'",
    ),
];
