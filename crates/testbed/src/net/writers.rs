//! Who may write to the registry: root, and whom the engine's socket makes root anyway.
//!
//! Everybody else's connections end at a process that only reads the same data. The kernel decides once for each
//! connection, by the user who opens it: a request costs nothing, and no client needs a password.

use std::{fs, os::unix::fs::MetadataExt as _};

use anyhow::{Context as _, Result};

use super::Rule;
use crate::{
    exec::{Cmd, is_there},
    layout::Layout,
};

const TABLE: &str = "nat";
const CHAIN: &str = "OUTPUT";

/// Makes sure that all but writers reach `read_only` when they connect to `port`, both on loopback. Writers are root
/// and the group of the engine's socket, when that is there.
pub(crate) fn ensure(layout: &Layout, port: u16, read_only: u16) -> Result<()> {
    let mark = mark(layout);
    let socket = fs::metadata(layout.socket()).ok();
    let accept = socket.map(|socket| accept(&mark, port, socket.gid()));
    let redirect = redirect(&mark, port, read_only);
    let old = own(layout)?;
    let applies = |rule: &Rule| rule.apply("--check").succeeds();
    let count = 1 + usize::from(accept.is_some());
    if old.len() == count && applies(&redirect) && accept.iter().all(applies) {
        return Ok(());
    }
    // The old rules go after this: at no moment may others write.
    let inserted = redirect.apply("--insert").run();
    inserted.context("failed to keep other users from writing to the registry")?;
    delete(&old)?;
    // Above the redirection, which it excepts from.
    accept.map_or(Ok(()), |accept| accept.apply("--insert").run())
}

/// Removes the rules.
pub(crate) fn remove(layout: &Layout) -> Result<()> {
    // An `up` that could not install it has made none.
    if !is_there("iptables") {
        return Ok(());
    }
    delete(&own(layout)?)
}

fn delete(rules: &[Rule]) -> Result<()> {
    let mut rules = rules.iter();
    rules.try_for_each(|rule| rule.apply("--delete").run())
}

/// The rules of this test bed that are there, whatever ports they are for.
fn own(layout: &Layout) -> Result<Vec<Rule>> {
    let list = ["--wait", "--table", TABLE, "--list-rules", CHAIN];
    let listed = Cmd::new("iptables").args(list).read()?;
    Ok(marked(&listed, &mark(layout)))
}

/// One word, so that iptables lists it without quotes.
fn mark(layout: &Layout) -> String {
    format!("agentgate-testbed-{}", layout.id)
}

/// Sends everybody but root to `read_only`: also a packet whose user the kernel does not know.
fn redirect(mark: &str, port: u16, read_only: u16) -> Rule {
    let end = format!("! --uid-owner 0 --jump REDIRECT --to-ports {read_only}");
    rule(mark, port, &end)
}

/// Lets the members of `group` pass.
fn accept(mark: &str, port: u16, group: u32) -> Rule {
    let end = format!("--gid-owner {group} --suppl-groups --jump ACCEPT");
    rule(mark, port, &end)
}

fn rule(mark: &str, port: u16, end: &str) -> Rule {
    parse(&format!(
        "--destination 127.0.0.1 --protocol tcp --dport {port} --match comment --comment {mark} \
         --match owner {end}"
    ))
}

fn parse(line: &str) -> Rule {
    let words = line.split_whitespace();
    Rule {
        table: TABLE,
        chain: CHAIN,
        words: words.map(str::to_owned).collect(),
    }
}

/// The rules with that comment in what `iptables --list-rules` prints.
fn marked(listed: &str, mark: &str) -> Vec<Rule> {
    let append = format!("-A {CHAIN} ");
    let lines = listed.lines().filter_map(|line| line.strip_prefix(&append));
    let is_marked = |rule: &Rule| {
        let mut pairs = rule.words.windows(2);
        pairs.any(|pair| pair[0] == "--comment" && pair[1] == mark)
    };
    lines.map(parse).filter(is_marked).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leads_all_but_writers_to_the_process_that_reads() {
        let port =
            "--destination 127.0.0.1 --protocol tcp --dport 5 --match comment --comment m --match";
        for (rule, expected) in [
            (
                redirect("m", 5, 6),
                "owner ! --uid-owner 0 --jump REDIRECT --to-ports 6",
            ),
            (
                accept("m", 5, 7),
                "owner --gid-owner 7 --suppl-groups --jump ACCEPT",
            ),
        ] {
            assert_eq!(rule.words.join(" "), format!("{port} {expected}"));
        }
    }

    #[test]
    fn finds_its_own_rules_whatever_their_ports() {
        let own = "-d 127.0.0.1/32 -p tcp -m tcp --dport 5 -m owner ! --uid-owner 0 -m comment \
                   --comment agentgate-testbed-01 -j REDIRECT --to-ports 6";
        let listed = format!(
            "-P OUTPUT ACCEPT\n\
             -A OUTPUT -m addrtype --dst-type LOCAL -j DOCKER\n\
             -A OUTPUT {own}\n\
             -A OUTPUT -m comment --comment agentgate-testbed-012 -j REDIRECT --to-ports 6\n\
             -A OUTPUT -m comment --comment \"agentgate-testbed-01 x\" -j RETURN"
        );
        let found = marked(&listed, "agentgate-testbed-01");
        let found: Vec<String> = found.iter().map(|rule| rule.words.join(" ")).collect();
        assert_eq!(found, [own]);
        assert!(marked("-P OUTPUT ACCEPT", "agentgate-testbed-01").is_empty());
    }
}
