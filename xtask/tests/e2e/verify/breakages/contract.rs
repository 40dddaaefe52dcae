//! Breakages of the specification's steps and of the contract with AgentGate's server.

use super::{Breakage, broken};

pub(super) const BREAKAGES: &[Breakage] = &[
    broken(
        "bash is sh",
        "seed-1-build",
        r#"RUN rm /bin/bash
COPY --chmod=755 <<'EOF' /bin/bash
#!/bin/sh
exec sh "$@"
EOF"#,
    ),
    broken(
        "bash has no terminal",
        "seed-2-run",
        r#"COPY --chmod=755 <<'EOF' /usr/local/bin/bash
#!/bin/sh
/bin/bash "$@" 2>&1 | cat
EOF"#,
    ),
    broken(
        "an older Node.js",
        "seed-3-node",
        r"COPY --chmod=755 <<'EOF' /usr/local/bin/node
#!/bin/sh
echo v18.20.0
EOF",
    ),
    broken(
        "another Claude Code than the pinned one",
        "seed-4-claude",
        r#"{CLAUDE} echo "2.1.197 (Claude Code)""#,
    ),
    broken("no git", "seed-5-git", "RUN rm /usr/bin/git"),
    broken(
        "UID 1000 has another name",
        "seed-6-whoami",
        "RUN sed -i '1i worker:x:1000:1000::/home/agentgate:/bin/bash' /etc/passwd",
    ),
    broken(
        "/workspace cannot be listed",
        "seed-7-workspace",
        "RUN chown root /workspace && chmod 311 /workspace",
    ),
    broken(
        "leaving the shell is an error",
        "seed-8-exit",
        r#"RUN echo 'trap "exit 3" EXIT' >/home/agentgate/.bashrc"#,
    ),
    broken(
        "the entrypoint chats",
        "contract-starts",
        r#"{AROUND} echo starting >&2; exec "$REAL" "$@""#,
    ),
    broken(
        "the entrypoint takes a second",
        "contract-start-time",
        r#"{AROUND} sleep 1; exec "$REAL" "$@""#,
    ),
    broken(
        "a shell between PID 1 and its command",
        "contract-keep-alive",
        r#"{AROUND} exec "$REAL" sh -c '"$@"; exit $?' sh "$@""#,
    ),
    broken(
        "the agent is in another group",
        "contract-user",
        "RUN addgroup -g 2000 docker && addgroup agentgate docker",
    ),
    broken(
        "a login shell says welcome",
        "contract-shell",
        "RUN echo 'echo Welcome' >/etc/profile.d/motd.sh",
    ),
    broken(
        "another shell in ENV",
        "contract-environment",
        "ENV SHELL=/bin/sh",
    ),
    broken(
        "HOME leads in PATH",
        "contract-path",
        "ENV PATH=/home/agentgate/.local/bin:/usr/local/bin:/usr/bin:/bin",
    ),
    broken(
        "a login shell puts HOME first",
        "contract-path",
        "RUN echo 'PATH=$HOME/.local/bin:$PATH' >/etc/profile.d/local.sh",
    ),
    broken(
        "root's HOME",
        "contract-home",
        "RUN chmod 755 /home/agentgate",
    ),
    broken("root's /tmp", "contract-tmp", "RUN chmod 755 /tmp"),
    broken("no jq", "contract-tools", "RUN rm /usr/bin/jq"),
    broken(
        "a request without a network hangs",
        "contract-network",
        r#"COPY --chmod=755 <<'EOF' /usr/local/bin/curl
#!/bin/sh
case "$*" in *http*) sleep 12; exit 28 ;; esac; exec /usr/bin/curl "$@"
EOF"#,
    ),
    broken(
        "every bash makes noise",
        "contract-exec",
        r"RUN echo 'echo noise' >/etc/noise
ENV BASH_ENV=/etc/noise",
    ),
    broken(
        "/workspace is a link",
        "contract-workdir",
        "RUN rmdir /workspace && mkdir -p /srv/work && chown agentgate /srv/work && ln -s /srv/work /workspace",
    ),
    broken(
        "ls prints more than names",
        "contract-files",
        r#"COPY --chmod=755 <<'EOF' /usr/local/bin/ls
#!/bin/sh
[ "$1" != -1 ] || set -- -l "$@"
exec /bin/ls "$@"
EOF"#,
    ),
    broken(
        "a missing command is exit 1",
        "contract-exit-127",
        r#"{AROUND} command -v "$1" >/dev/null || [ -e "$1" ] || exit 1; exec "$REAL" "$@""#,
    ),
    broken(
        "a command without permission is exit 1",
        "contract-exit-126",
        r#"{AROUND} [ ! -f "$1" ] || [ -x "$1" ] || exit 1; exec "$REAL" "$@""#,
    ),
    broken(
        "git trusts no other owner",
        "contract-git-owner",
        "RUN rm /etc/gitconfig",
    ),
    broken(
        "git trusts /workspace alone",
        "contract-git-nested",
        "RUN git config --system --replace-all safe.directory /workspace",
    ),
    broken(
        "a storm of processes is not reaped",
        "contract-pids",
        r#"ENTRYPOINT ["/usr/bin/env"]"#,
    ),
    broken(
        "only the command gets the signal to stop",
        "contract-stop-obey",
        r#"{AROUND} exec 3<&0; "$REAL" "$@" <&3 & trap "kill $!" TERM; wait $!; exit $?"#,
    ),
    broken(
        "stopping takes as long as it takes",
        "contract-stop-stubborn",
        "ENV AGENT_ENTRYPOINT_GRACE_SECONDS=30",
    ),
    broken(
        "a read-only workspace is fatal",
        "contract-read-only-workspace",
        r#"{AROUND} touch /workspace/.probe && rm /workspace/.probe && exec "$REAL" "$@""#,
    ),
    broken(
        "a read-only workspace is not reported",
        "contract-read-only-workspace",
        r#"{AROUND} exec "$REAL" "$@" 2>/dev/null"#,
    ),
    broken(
        "a workspace of another owner is fatal",
        "contract-unwritable-workspace",
        r#"{AROUND} [ -w /workspace ] || grep -q " /workspace .* ro," /proc/self/mounts || exit 1; exec "$REAL" "$@""#,
    ),
    broken(
        "without a mount nothing can be written",
        "contract-no-mount",
        "RUN chown root:root /workspace && chmod 755 /workspace",
    ),
    broken(
        "the image's own HOME gives a warning",
        "contract-mounted",
        r#"{AROUND} grep -q " /home/agentgate tmpfs " /proc/mounts || echo no tmpfs >&2; exec "$REAL" "$@""#,
    ),
];
