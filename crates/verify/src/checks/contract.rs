//! The contract with AgentGate's server, row by row, in containers that are started as it starts
//! them.

mod account;
mod commands;
mod mounted;
mod processes;
mod start;
mod stop;
#[cfg(test)]
pub(super) mod tests;
mod workspace;

use crate::check::{Check, How};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "contract-starts",
        proves: "a container starts as the server starts it, and prints no warning",
        source: "docs/contract.md, How the container is created",
        remedy: "`docker logs` says why; an image that does not start makes the server run agents \
                 on the host",
        how: How::Containers(start::starts),
    },
    Check {
        id: "contract-start-time",
        proves: "a container answers `docker exec` within 500 ms of its creation",
        source: "docs/contract.md: start-up budget: under 500 ms",
        remedy: "the entrypoint must start its command before it does anything that takes time",
        how: How::Alone(start::time),
    },
    Check {
        id: "contract-keep-alive",
        proves: "the entrypoint is PID 1, and starts no process for `sleep infinity`",
        source: "docs/contract.md: command `sleep infinity`; the image's ENTRYPOINT stays",
        remedy: "set `ENTRYPOINT [\"/usr/local/bin/agent-entrypoint\"]` in docker/Dockerfile.agent; \
                 what `pkill sleep` ends must not be what keeps the container",
        how: How::Exec(processes::LIST, processes::keep_alive),
    },
    Check {
        id: "contract-user",
        proves: "commands run as `agentgate`, UID and GID 1000, in no other group",
        source: "docs/contract.md: user `agentgate`, by name, UID 1000, GID 1000",
        remedy: "`adduser -D -u 1000 -G agentgate -s /bin/bash agentgate` in \
                 docker/Dockerfile.agent",
        how: How::Exec(&["sh", "-c", "id -un; id -u; id -g; id -Gn"], account::user),
    },
    Check {
        id: "contract-shell",
        proves: "the login shell works and prints nothing of its own",
        source: "docs/contract.md: `/bin/bash`; nothing else may write to an exec's stdout",
        remedy: "keep bash, and let nothing in `/etc/profile.d` print",
        how: How::Exec(
            &["/bin/bash", "-lc", "echo \"$BASH\"; echo ~; pwd"],
            account::shell,
        ),
    },
    Check {
        id: "contract-environment",
        proves: "an exec'd process finds the variables that the server and the image set",
        source: "docs/contract.md, env added; an exec finds nothing that the entrypoint exported",
        remedy: "set what an exec needs by `ENV` in docker/Dockerfile.agent",
        how: How::Exec(&["env"], account::environment),
    },
    Check {
        id: "contract-path",
        proves: "the image's `claude` is found before one that the host mounts",
        source: "docs/contract.md, Traps: the host's own `claude` at /home/agentgate/.local/bin/claude",
        remedy: "let `/usr/local/bin` lead in `ENV PATH`, and nothing in `/etc/profile.d` put \
                 another folder before it",
        how: How::Containers(account::path),
    },
    Check {
        id: "contract-home",
        proves: "the agent can write to its home",
        source: "docs/contract.md, Traps: root owns a tmpfs over HOME (moby#39466)",
        remedy: "`chmod 1777 /home/agentgate` in docker/Dockerfile.agent",
        how: How::Exec(
            &[
                "sh",
                "-c",
                "cd ~ && mkdir -p .try/a && echo x >.try/a/b && cat .try/a/b",
            ],
            account::writable,
        ),
    },
    Check {
        id: "contract-tmp",
        proves: "the agent can write to `/tmp`",
        source: "docs/contract.md: tmpfs `/tmp`, which takes the mode of the image's folder",
        remedy: "`chmod 1777 /tmp` in docker/Dockerfile.agent",
        how: How::Exec(
            &[
                "sh",
                "-c",
                "file=$(mktemp) && echo x >\"$file\" && cat \"$file\" && rm \"$file\"",
            ],
            account::writable,
        ),
    },
    Check {
        id: "contract-tools",
        proves: "the tools that agents need run, with a read-only root file system",
        source: "docs/specification.md, 6.3.1: git, curl, bash, python3, jq, Node.js and npm",
        remedy: "keep them among the packages of docker/Dockerfile.agent",
        how: How::Exec(account::TOOLS, account::tools),
    },
    Check {
        id: "contract-network",
        proves: "without a network, a request fails at once",
        source: "docs/contract.md: network `none` by default",
        remedy: "nothing in `/etc/curlrc` or ENV may make curl wait or go elsewhere",
        how: How::Exec(account::REQUEST, account::network),
    },
    Check {
        id: "contract-exec",
        proves: "an exec's stdout is what its command prints, and its stderr is empty",
        source: "docs/contract.md: nothing else may write to an exec's stdout",
        remedy: "set neither `BASH_ENV` nor `ENV` in docker/Dockerfile.agent",
        how: How::Containers(commands::exec),
    },
    Check {
        id: "contract-workdir",
        proves: "an exec starts in `/workspace`",
        source: "docs/contract.md: working directory `/workspace`",
        remedy: "`/workspace` must be a folder of the image, no link",
        how: How::Exec(&["pwd"], commands::workdir),
    },
    Check {
        id: "contract-files",
        proves: "files that the server's commands write are on the host, and are read back",
        source: "docs/contract.md: `mkdir -p`, `sh -c \"printf … > file\"`, `cat`, `ls -1`",
        remedy: "keep busybox's or coreutils' `mkdir`, `cat` and `ls`, without aliases",
        how: How::Containers(workspace::files),
    },
    Check {
        id: "contract-exit-127",
        proves: "a missing command exits with 127",
        source: "docs/contract.md: exit 127 is reported as \"command not found\"",
        remedy: "the entrypoint must exit with 127 when its command is missing",
        how: How::Containers(commands::exit_127),
    },
    Check {
        id: "contract-exit-126",
        proves: "a command that cannot be executed exits with 126",
        source: "docs/contract.md: exit 126 is reported as \"permission denied\"",
        remedy: "the entrypoint must exit with 126 when its command cannot be executed",
        how: How::Containers(commands::exit_126),
    },
    Check {
        id: "contract-git-owner",
        proves: "Git works in a workspace that belongs to another user",
        source: "docs/contract.md, Traps: a workspace bind may belong to any UID",
        remedy: "copy docker/etc/gitconfig to `/etc/gitconfig`, mode 644",
        how: How::Containers(workspace::git_owner),
    },
    Check {
        id: "contract-git-nested",
        proves: "Git works in a repository of another user within another",
        source: "docs/contract.md, Traps: a workspace bind may belong to any UID",
        remedy: "`safe.directory` in `/etc/gitconfig` must be `*`, not a path",
        how: How::Containers(workspace::git_nested),
    },
    Check {
        id: "contract-pids",
        proves: "a container outlives a command that fills its limit of processes",
        source: "docs/contract.md: limits: pids 256; PID 1 must reap what an exec leaves",
        remedy: "PID 1 must reap every orphan, and start nothing to do so",
        how: How::Containers(processes::pids),
    },
    Check {
        id: "contract-stop-obey",
        proves: "SIGTERM reaches what was exec'd, and ends a container at once",
        source: "docs/contract.md: SIGTERM must end everything within the five seconds",
        remedy: "PID 1 must pass SIGTERM to every process, and end when they have",
        how: How::Waiting(stop::obey),
    },
    Check {
        id: "contract-stop-stubborn",
        proves: "a container ends within five seconds of SIGTERM, whatever ignores it",
        source: "docs/contract.md: stop: SIGTERM, five seconds, then SIGKILL",
        remedy: "`AGENT_ENTRYPOINT_GRACE_SECONDS` must be below five",
        how: How::Waiting(stop::stubborn),
    },
    Check {
        id: "contract-read-only-workspace",
        proves: "a workspace that is mounted read-only by mistake can be worked in, with a warning",
        source: "docs/contract.md, Traps: a workspace may be read-only by mistake",
        remedy: "the entrypoint must warn of it, and go on",
        how: How::Containers(workspace::read_only),
    },
    Check {
        id: "contract-unwritable-workspace",
        proves: "a workspace that the agent may not write to can be read, with a warning",
        source: "docs/contract.md, Traps: a workspace bind may belong to any UID",
        remedy: "the entrypoint must warn of it, and go on",
        how: How::Containers(workspace::unwritable),
    },
    Check {
        id: "contract-no-mount",
        proves: "a container without any option and mount can be worked in",
        source: "docs/contract.md, Traps: a plain `docker run --rm -it … bash` must still work",
        remedy: "`/workspace` must be a folder of `agentgate` in the image",
        how: How::Containers(workspace::no_mount),
    },
    Check {
        id: "contract-mounted",
        proves: "the checks of one command hold where the server mounts the host's Claude Code, too",
        source: "docs/contract.md, The second way, which is the server's default",
        remedy: "nothing may depend on a read-only root file system, or on a tmpfs over HOME",
        how: How::Containers(mounted::works),
    },
];
