//! What agents and their scripts expect of a small Linux.

mod commands;
mod files;
mod packages;
#[cfg(test)]
mod tests;

pub(super) use self::files::{FOLDERS, is_stray};
pub(super) use self::packages::extra_packages;
use crate::check::{Check, How};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "agent-dev-dependencies",
        proves: "`npm install` brings development dependencies although the server sets \
                 NODE_ENV=production",
        source: "docs/contract.md: NODE_ENV=production; an agent runs tests",
        remedy: "keep `NPM_CONFIG_INCLUDE=dev` in `ENV` of docker/Dockerfile.agent",
        how: How::Exec(commands::DEV_DEPENDENCIES, commands::dev_dependencies),
    },
    Check {
        id: "agent-time-zone",
        proves: "date, bash, Node.js and Python honour TZ=Europe/Berlin",
        source: "docs/specification.md, 6.2: common build tools for running tests",
        remedy: "keep `tzdata` among the packages of docker/Dockerfile.agent",
        how: How::Exec(commands::TIME_ZONE, commands::time_zone),
    },
    Check {
        id: "agent-git-identity",
        proves: "`git commit` works in a fresh sandbox, and any other identity wins",
        source: "docs/specification.md, 6.2: Git for repository operations",
        remedy: "keep `[user]` and `[init]` of docker/etc/gitconfig",
        how: How::Exec(commands::GIT_IDENTITY, commands::git_identity),
    },
    Check {
        id: "agent-gnu-tools",
        proves: "the GNU options that scripts rely on work; patch, ssh and procps are installed",
        source: "docs/specification.md, 6.2: common build tools for running tests",
        remedy: "keep the default packages of docker/Dockerfile.agent; docs/image.md lists them",
        how: How::Exec(commands::GNU_TOOLS, commands::gnu_tools),
    },
    Check {
        id: "agent-npm-prefix",
        proves: "npm's global prefix is a folder of the agent's that no tmpfs hides",
        source: "docs/contract.md: tmpfs `/home/agentgate`; npx and `npm ls --global` fail without the folder",
        remedy: "keep `NPM_CONFIG_PREFIX` outside the home, and its folders, in \
                 docker/Dockerfile.agent",
        how: How::Files(files::npm_prefix),
    },
    Check {
        id: "agent-global-install",
        proves: "with the host's Claude Code bound into the home, what belongs there can be \
                 written, and a global npm package runs by its name",
        source: "docs/contract.md, The second way: parents of bind targets are made for root alone",
        remedy: "`agentgate` must own the folders of its home and `/opt/npm-global`, whose `bin` \
                 must be in PATH",
        how: How::Containers(commands::global_install),
    },
    Check {
        id: "agent-home-folders",
        proves: "the folders that programs expect in the home exist and belong to `agentgate`",
        source: "docs/contract.md, The second way: parents of bind targets are made for root alone",
        remedy: "make them, and `chown` them, in docker/Dockerfile.agent",
        how: How::Files(files::home_folders),
    },
    Check {
        id: "agent-path",
        proves: "no folder that the agent can write to stands before one of the image in PATH",
        source: "docs/contract.md: the image's own `claude` must come first in PATH",
        remedy: "put `/home/agentgate/.local/bin` and `/opt/npm-global/bin` last in `ENV PATH`",
        how: How::Files(files::path),
    },
    Check {
        id: "agent-tool-versions",
        proves: "no variable names the version of a program that is not in the image",
        source: "docs/specification.md, Size optimization: no unnecessary tools",
        remedy: "empty the variable in `ENV` of docker/Dockerfile.agent: one of the base cannot be \
                 unset",
        how: How::Files(files::tool_versions),
    },
    Check {
        id: "agent-packages",
        proves: "the image has its default packages and those of its label, and no other",
        source: "docs/specification.md, Security Hardening: minimal installed packages",
        remedy: "name further packages in EXTRA_PACKAGES, which the label \
                 `io.agentgate.extra-packages` keeps",
        how: How::Files(packages::packages),
    },
];
