//! Who commands run as and what they find, as containers of good and of broken images had it.

use super::super::tests::{NOT_FOUND, judged};
use super::judge_path;
use crate::checks::fixture::{line as said, ran};

const ENVIRONMENT: &str = "PATH=/usr/local/bin:/usr/bin:/bin\nHOSTNAME=d2eb11099692\n\
    HOME=/home/agentgate\nUSER=agentgate\nWORKSPACE=/workspace\nNO_COLOR=1\nFORCE_COLOR=0\n\
    NODE_ENV=production\nNODE_VERSION=20.18.0\nSHELL=/bin/bash\nLANG=C.UTF-8\n";

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_a_command_in_the_shared_container_did_is_judged() {
    let missing = ran(127, NOT_FOUND, "");
    let missing_says =
        "failed: exit 127, `exec: \"env\": executable file not found in $PATH: unknown`";
    for (id, ran, expected) in [
        (
            "contract-user",
            ran(0, "agentgate\n1000\n1000\nagentgate\n", ""),
            "passed: agentgate, 1000, 1000, agentgate",
        ),
        (
            "contract-user",
            ran(0, "agentgate\n1000\n1000\nagentgate docker\n", ""),
            "failed: `agentgate`, `1000`, `1000`, `agentgate docker`",
        ),
        (
            "contract-user",
            ran(1, "1000\n1000\n", "id: unknown ID 1000\n"),
            "failed: exit 1, `id: unknown ID 1000`",
        ),
        ("contract-user", ran(0, "", ""), "failed: nothing"),
        (
            "contract-shell",
            ran(0, "/bin/bash\n/home/agentgate\n/workspace\n", ""),
            "passed: /bin/bash, /home/agentgate, /workspace",
        ),
        (
            "contract-shell",
            ran(0, "Welcome!\n/bin/bash\n/home/agentgate\n/workspace\n", ""),
            "failed: `Welcome!`, `/bin/bash`, `/home/agentgate`, `/workspace`",
        ),
        (
            "contract-workdir",
            ran(0, "/workspace\n", ""),
            "passed: /workspace",
        ),
        (
            "contract-workdir",
            ran(0, "/srv/work\n", ""),
            "failed: `/srv/work`",
        ),
        (
            "contract-home",
            ran(0, "x\n", ""),
            "passed: a file that is written and read",
        ),
        (
            "contract-home",
            ran(
                1,
                "",
                "mkdir: can't create directory '.try': Permission denied\n",
            ),
            "failed: exit 1, `mkdir: can't create directory '.try': Permission denied`",
        ),
        (
            "contract-tmp",
            ran(1, "", "mktemp: : Permission denied\n"),
            "failed: exit 1, `mktemp: : Permission denied`",
        ),
        (
            "contract-tools",
            ran(0, "", ""),
            "passed: git, curl, bash, python3, jq, node and npm run",
        ),
        (
            "contract-tools",
            ran(0, "jq: sh: jq: not found\npython3: Traceback\n  x\n", ""),
            "failed: `jq: sh: jq: not found`, `python3: Traceback`, `x`",
        ),
        (
            "contract-network",
            ran(
                7,
                "lo\n",
                "curl: (7) Failed to connect to 192.0.2.1 port 80 after 0 ms\n",
            ),
            "passed: `lo` alone, a request fails at once",
        ),
        (
            "contract-network",
            ran(7, "eth0\nlo\n", "curl: (7) no\n"),
            "failed: `eth0`, `lo`",
        ),
        (
            "contract-network",
            ran(28, "lo\n", "curl: (28) Connection timed out\n"),
            "failed: curl waited until its time was over",
        ),
        (
            "contract-network",
            ran(127, "lo\n", "sh: curl: not found\n"),
            "failed: exit 127, `sh: curl: not found`",
        ),
        (
            "contract-environment",
            ran(0, ENVIRONMENT, ""),
            "passed: 11 variables",
        ),
        ("contract-environment", missing.clone(), missing_says),
        ("contract-tools", missing.clone(), missing_says),
        (
            "contract-network",
            ran(127, "", "sh: ls: not found\n"),
            "failed: exit 127, `sh: ls: not found`",
        ),
    ] {
        assert_eq!(judged(id, &ran), expected, "{id}");
    }
}

#[test]
fn the_environment_is_the_servers_and_nothing_meddles() {
    for (old, new, seen) in [
        ("SHELL=/bin/bash", "SHELL=/bin/sh", "`SHELL=/bin/sh`"),
        ("NO_COLOR=1\n", "", "no `NO_COLOR`"),
        ("LANG=C.UTF-8", "BASH_ENV=/etc/rc", "`BASH_ENV=/etc/rc`"),
        ("LANG=C.UTF-8", "ENV=/etc/rc", "`ENV=/etc/rc`"),
    ] {
        assert!(ENVIRONMENT.contains(old), "{old:?}");
        let ran = ran(0, &ENVIRONMENT.replace(old, new), "");
        let said = judged("contract-environment", &ran);
        assert_eq!(said, format!("failed: {seen}"));
    }
}

#[test]
fn the_images_claude_is_found_by_every_shell() {
    let own = || ran(0, "/usr/local/bin/claude\n", "");
    let hosts = || ran(0, "/home/agentgate/.local/bin/claude\n", "");
    for (sh, login, expected) in [
        (own(), own(), "passed: /usr/local/bin/claude"),
        (
            own(),
            hosts(),
            "failed: a login shell finds `/home/agentgate/.local/bin/claude`",
        ),
        (
            hosts(),
            hosts(),
            "failed: `sh` finds `/home/agentgate/.local/bin/claude`",
        ),
        (
            ran(127, "", ""),
            own(),
            "failed: `sh` finds none: exit 127, no output",
        ),
    ] {
        let verdict = judge_path(&[("`sh`", sh), ("a login shell", login)]);
        assert_eq!(said(verdict), expected);
    }
}
