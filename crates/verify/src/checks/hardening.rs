//! What an agent can and cannot do in a hardened container.

#[cfg(test)]
mod tests;

use super::inspect::lines;
use crate::check::{Check, How, Verdict};
use crate::facts::Expected;
use crate::sandbox::{Ran, Sandbox};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "hardening-su",
        proves: "no program makes an agent another user",
        source: "docs/specification.md, Security Hardening: no sudo access",
        remedy: "remove su, sudo and doas or their set-ID bits; lock every account",
        how: How::Containers(su),
    },
    Check {
        id: "hardening-read-only",
        proves: "git, node and python3 can work on a read-only root file system",
        source: "docs/specification.md, Security Hardening: read-only rootfs compatible",
        remedy: "let nothing that runs write outside /workspace, /tmp and HOME",
        how: How::Exec(&["sh", "-c", WORK], read_only),
    },
    Check {
        id: "hardening-no-privileges",
        proves: "an agent has no capability and cannot gain one",
        source: "docs/contract.md: all capabilities dropped, no-new-privileges",
        remedy: "give no file capabilities, and end the Dockerfile with `USER agentgate`",
        how: How::Containers(no_privileges),
    },
    Check {
        id: "hardening-listening",
        proves: "nothing in an idle container listens",
        source: "docs/specification.md, 6.2: minimal attack surface",
        remedy: "start no server in the entrypoint",
        how: How::Containers(listening),
    },
    Check {
        id: "hardening-any-user",
        proves: "everything works for a user that the image does not know",
        source: "docs/specification.md, What the project adds: runs as any UID",
        remedy: "let programs be readable and executable by everyone, HOME have mode 1777",
        how: How::Containers(any_user),
    },
];

/// Tries every way that there is, without a password and without a terminal. One that waits for either is ended, and
/// then nobody knows where it leads: `timeout` exits with 124 (GNU) or 143 (busybox).
const TRIES: &str = "for try in 'su -c id' 'su root -c id' 'sudo -n id' 'doas -n id'; do \
     timeout 5 $try </dev/null 2>/dev/null; case $? in 124|143) echo waits;; esac; done; id -u";

/// Without `no-new-privileges`, which would hide that the image has a way.
fn su(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    Ok(judge_su(
        &sandbox.plain().command(&["sh", "-c", TRIES]).run()?,
    ))
}

fn judge_su(ran: &Ran) -> Verdict {
    const EXPECTED: &str = "no way to be another user";
    match ran.stdout.trim() {
        "1000" if ran.code == 0 => Verdict::passed("su, sudo and doas do not lead anywhere"),
        "" => Verdict::failed(ran.describe(), EXPECTED),
        said if said.lines().any(|line| line == "waits") => Verdict::slow(lines(said), EXPECTED),
        said => Verdict::failed(lines(said), EXPECTED),
    }
}

/// A day's work of an agent, in short; then a try to write where it must not.
const WORK: &str = "set -e
folder=$(mktemp -d) && cd \"$folder\" && git init -q . && echo x >file && git add file
git -c user.name=a -c user.email=a@b commit -q -m m
node -e 'require(\"fs\").mkdtempSync(require(\"os\").tmpdir() + \"/node-\")'
python3 -c 'import tempfile; tempfile.TemporaryFile().write(b\"x\")'
echo '{\"a\":1}' | jq -e .a >/dev/null
echo worked
! touch /usr/local/here 2>/dev/null || echo written";

fn read_only(_: &Expected, ran: &Ran) -> Verdict {
    const EXPECTED: &str = "git, node, python3 and jq work, and `/usr/local` cannot be written to";
    match (ran.code, ran.stdout.trim()) {
        (0, "worked") => Verdict::passed("git, node, python3 and jq work"),
        (0, "worked\nwritten") => Verdict::failed("`/usr/local` can be written to", EXPECTED),
        _ => Verdict::failed(ran.describe(), EXPECTED),
    }
}

const STATUS: [&str; 4] = ["grep", "-E", "^(Cap|NoNewPrivs)", "/proc/self/status"];

fn no_privileges(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let contract = sandbox.shared().exec(&STATUS)?;
    let plain = sandbox.plain().command(&STATUS).run()?;
    Ok(judge_no_privileges(&contract, &plain))
}

/// `contract` has everything dropped; `plain` is what the image's own user has.
fn judge_no_privileges(contract: &Ran, plain: &Ran) -> Verdict {
    const EXPECTED: &str = "no capability, neither as the server starts it nor by itself";
    let mut found = Vec::new();
    for (where_, ran, sets) in [
        (
            "as the server starts it",
            contract,
            &["CapPrm", "CapEff", "CapBnd"][..],
        ),
        ("by itself", plain, &["CapPrm", "CapEff", "CapAmb"][..]),
    ] {
        let value = |name: &str| {
            let mut lines = ran.stdout.lines();
            lines.find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
        };
        for set in sets {
            match value(set) {
                Some(bits) if bits.chars().all(|c| c == '0') => {}
                Some(bits) => found.push(format!("{set} is {bits} {where_}")),
                None => return Verdict::failed(ran.describe(), EXPECTED),
            }
        }
    }
    if !contract.stdout.contains("NoNewPrivs:\t1") {
        found.push("NoNewPrivs is not set".to_owned());
    }
    match found.as_slice() {
        [] => Verdict::passed("no capability, no new privileges"),
        found => Verdict::none_of(found, EXPECTED),
    }
}

/// A header that only this table has comes before each.
const SOCKETS: &str =
    "for table in tcp tcp6 udp udp6 unix; do echo \"= $table\"; cat /proc/net/$table; done";

/// With a network, so that nothing is silent for lack of one.
fn listening(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let container = sandbox.plain().start()?;
    Ok(judge_listening(&container.exec(&["sh", "-c", SOCKETS])?))
}

/// The columns of `proc_net_tcp(5)` and of `/proc/net/unix`.
fn judge_listening(ran: &Ran) -> Verdict {
    const EXPECTED: &str = "no socket that listens";
    let mut found = Vec::new();
    let (mut table, mut tables) = ("", 0);
    for line in ran.stdout.lines() {
        if let Some(name) = line.strip_prefix("= ") {
            (table, tables) = (name, tables + 1);
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let word = |number: usize| words.get(number).copied().unwrap_or_default();
        match table {
            // TCP_LISTEN; for UDP the state of a socket that is bound alone.
            "tcp" | "tcp6" if word(3) == "0A" => found.push(format!("{table} {}", port(word(1)))),
            "udp" | "udp6" if word(3) == "07" => found.push(format!("{table} {}", port(word(1)))),
            // __SO_ACCEPTCON.
            "unix" if word(3) == "00010000" => found.push(format!("unix {}", word(7))),
            _ => {}
        }
    }
    if tables == 0 {
        return Verdict::failed(ran.describe(), EXPECTED);
    }
    Verdict::none_of(&found, EXPECTED)
}

/// The port of `00000000:1F90`.
fn port(address: &str) -> String {
    let port = address.rsplit(':').next().unwrap_or_default();
    u16::from_str_radix(port, 16).map_or_else(|_| address.to_owned(), |port| format!("port {port}"))
}

/// Every program once, and a file in HOME.
const EVERYTHING: &str = "set -e
git --version; curl --version; bash --version; python3 --version; jq --version; node --version
npm --version; claude --version; touch \"$HOME/file\" /tmp/file; id -u";

fn any_user(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let start = sandbox.contract().user("4242:4242");
    Ok(judge_any_user(
        &start.command(&["sh", "-c", EVERYTHING]).run()?,
    ))
}

fn judge_any_user(ran: &Ran) -> Verdict {
    let last = ran.stdout.lines().next_back();
    if ran.code == 0 && last == Some("4242") {
        return Verdict::passed("every program runs as UID 4242");
    }
    Verdict::failed(
        ran.describe(),
        "every program runs as UID 4242, and HOME can be written to",
    )
}
