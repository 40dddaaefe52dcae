//! The manual, as `--help` prints it.

pub const VERSION: &str = concat!("agent-entrypoint ", env!("CARGO_PKG_VERSION"), "\n");

pub const TEXT: &str = "\
agent-entrypoint: PID 1 and health check of the AgentGate agent container

Usage:
  agent-entrypoint [--group | --child] [--] CMD [ARG…]
                                     run a command (command mode); `--` goes before a CMD that starts
                                     with a dash or is named `health` or `headless`
  agent-entrypoint                   keep the container running for `docker exec` (keep-alive mode)
  agent-entrypoint health [--json] [--deep]
                                     is the container fit for work? node, claude, workspace; `--deep`
                                     has node compute, asks git, and writes to workspace and HOME
  agent-entrypoint headless [ARG…]   run `claude --print ARG…`, with flags from the environment
  agent-entrypoint --help | --version

Examples:
  docker run -d -v \"$PWD:/workspace\" IMAGE                     then: docker exec CONTAINER …
  docker run --rm -it -v \"$PWD:/workspace\" IMAGE bash
  docker exec -e AGENT_ENTRYPOINT_OUTPUT_FORMAT=json CONTAINER agent-entrypoint headless 'what is new?'

Both modes first check the workspace: it has to be a directory. One that is no mount is a note, one that
is not writable a warning with its cure. Started as root (not of a user namespace), they give a
workspace that is not agentgate's, its top level only, to 1000:1000, and then become agentgate for good:
no groups, no capabilities, no new privileges. git's safe.directory is set in the image's
/etc/gitconfig; nothing is written for it.

Command mode:
  CMD gets its own process group, the terminal's foreground if stdin is a terminal, and, where they are
  missing, the variables below. Every signal that can be caught, real-time ones included, goes to its
  process group (--group, the default: a shell passes none on, and a terminal's Ctrl-C goes there, too)
  or to CMD alone (--child). As PID 1, SIGTERM goes to every process in the container instead, so that
  `docker stop` reaches daemons and `docker exec`s too; with --child those get it when CMD has ended.
  Four seconds after SIGTERM, what is left is killed, CMD too. When CMD ends by itself, whatever is left
  gets SIGTERM and four seconds.

Keep-alive mode:
  SIGTERM, SIGINT, SIGQUIT or SIGHUP ends it: SIGTERM to every process in the container, four seconds,
  SIGKILL. Other signals are ignored.

Both modes reap every orphan. Where this is not PID 1 (`docker run --init`), they say so on stderr, and
\"every process in the container\" means the descendants of this process. Nothing is written to stdout.

Exit codes:
  0          keep-alive mode ended as asked; health: all is well
  1          health: something is not well
  2          wrong usage, or a bad value in an environment variable
  77         started as root, and root's privileges cannot be dropped
  78         there is no workspace
  126, 127   CMD cannot be executed; CMD is not there
  128+n      signal n ended CMD
  any other  CMD's own

Environment:
  WORKSPACE                           the workspace; default /workspace
  AGENT_ENTRYPOINT_QUIET              1: no notes, only warnings and errors
  AGENT_ENTRYPOINT_SIGNALS            group (default) or child; --group and --child go before it
  AGENT_ENTRYPOINT_GRACE_SECONDS      from SIGTERM to SIGKILL; default 4, for docker stop's 5 seconds
  AGENT_ENTRYPOINT_CHOWN              top (default) or all: what root gives to agentgate
  AGENT_ENTRYPOINT_UMASK              the umask, in octal; default: the one it is started with
  AGENT_ENTRYPOINT_PROBE_SECONDS      time limit of each of health's probes, which run together; default 8
  AGENT_ENTRYPOINT_OUTPUT_FORMAT      headless: --output-format text, json or stream-json
  AGENT_ENTRYPOINT_MAX_TURNS          headless: --max-turns
  AGENT_ENTRYPOINT_PERMISSION_MODE    headless: --permission-mode
  PATH                                where CMD, node and claude are looked for
  HOME USER LOGNAME SHELL             passed on; set for CMD where missing, from /etc/passwd
  LANG TMPDIR PATH                    passed on; set for CMD where missing
";
