//! The manual, as `--help` prints it.

pub const VERSION: &str = concat!("agent-entrypoint ", env!("CARGO_PKG_VERSION"), "\n");

pub const TEXT: &str = "\
agent-entrypoint: PID 1 and health check of the AgentGate agent container

Usage:
  agent-entrypoint CMD [ARG…]        run a command (command mode)
  agent-entrypoint -- CMD [ARG…]     the same, for a CMD that starts with a dash or is named `health`
  agent-entrypoint                   keep the container running for `docker exec` (keep-alive mode)
  agent-entrypoint health            is the container fit for work? one line each: node, claude, workspace
  agent-entrypoint --help | --version

Both modes first check the workspace: it has to be a directory. One that is not writable is a warning
with its cure. Started as root (not of a user namespace), they give a workspace that is not agentgate's,
its top level only, to 1000:1000. git's safe.directory is set in the image's /etc/gitconfig; nothing is
written for it.

Command mode:
  CMD gets its own process group, the terminal's foreground if stdin is a terminal, and, where they are
  missing, HOME, USER, LOGNAME, SHELL, LANG and PATH. Every signal that can be caught, real-time ones
  included, goes to its process group. As PID 1, SIGTERM goes to every process in the container instead,
  so that `docker stop` reaches daemons and `docker exec`s too.
  When CMD has ended, whatever is left gets SIGTERM (unless it just had it), three seconds, SIGKILL.

Keep-alive mode:
  SIGTERM, SIGINT, SIGQUIT or SIGHUP ends it: SIGTERM to every process in the container, three seconds,
  SIGKILL. Other signals are ignored.

Both modes reap every orphan. Where this is not PID 1 (`docker run --init`), they say so on stderr, and
\"every process in the container\" means the descendants of this process. Nothing is written to stdout.

Exit codes:
  0          keep-alive mode ended as asked; health: all is well
  1          health: something is not well
  2          wrong usage, or a bad value in an environment variable
  78         there is no workspace
  126, 127   CMD cannot be executed; CMD is not there
  128+n      signal n ended CMD
  any other  CMD's own

Environment:
  WORKSPACE                        the workspace; default /workspace
  AGENT_ENTRYPOINT_VERBOSE         1: also note a workspace that is not mounted
  AGENT_ENTRYPOINT_PROBE_SECONDS   time limit of each of health's probes, which run together; default 8
  PATH                             where health looks for node and claude, and both modes for CMD
  HOME USER LOGNAME SHELL LANG     passed on; set for CMD where missing, from /etc/passwd
";
