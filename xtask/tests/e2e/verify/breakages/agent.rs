//! Breakages of what agents do on any Linux.

use super::{Breakage, broken};

pub(super) const BREAKAGES: &[Breakage] = &[
    broken(
        "npm leaves out development dependencies",
        "agent-dev-dependencies",
        "ENV NPM_CONFIG_INCLUDE=",
    ),
    broken(
        "no time zones",
        "agent-time-zone",
        "RUN rm -r /usr/share/zoneinfo",
    ),
    broken(
        "no identity for git",
        "agent-git-identity",
        "RUN git config --system --remove-section user",
    ),
    broken(
        "git advises on each `git init`",
        "agent-git-identity",
        "RUN git config --system --remove-section init",
    ),
    broken(
        "an identity that overrides all others",
        "agent-git-identity",
        "ENV GIT_AUTHOR_NAME=nobody",
    ),
    broken(
        "busybox's grep",
        "agent-gnu-tools",
        "RUN ln -sf /bin/busybox /bin/grep",
    ),
    broken(
        "busybox's ps",
        "agent-gnu-tools",
        "RUN ln -sf /bin/busybox /bin/ps",
    ),
    broken("no ssh", "agent-gnu-tools", "RUN rm /usr/bin/ssh"),
    broken(
        "npm's global prefix is in HOME",
        "agent-npm-prefix",
        "ENV NPM_CONFIG_PREFIX=/home/agentgate/.npm-global",
    ),
    broken(
        "`~/.local` is root's",
        "agent-global-install",
        "RUN chown -R 0:0 /home/agentgate/.local",
    ),
    broken(
        "npm's global prefix is root's",
        "agent-npm-prefix",
        "RUN chown -R 0:0 /opt/npm-global",
    ),
    broken(
        "no `~/.local/share`",
        "agent-home-folders",
        "RUN rm -r /home/agentgate/.local/share",
    ),
    broken(
        "everyone may read `~/.claude`",
        "agent-home-folders",
        "RUN chmod 755 /home/agentgate/.claude",
    ),
    broken(
        "`~/.local/bin` is first in PATH",
        "agent-path",
        "ENV PATH=/home/agentgate/.local/bin:/usr/local/bin:/usr/bin:/sbin:/bin:/opt/npm-global/bin",
    ),
    broken(
        "the version of a program that is not there",
        "agent-tool-versions",
        "ENV YARN_VERSION=1.22.22",
    ),
    broken(
        "a package that no label names",
        "agent-packages",
        "RUN apk add --no-cache make",
    ),
    broken(
        "a label names a package that is not there",
        "agent-packages",
        "LABEL io.agentgate.extra-packages=make",
    ),
];
