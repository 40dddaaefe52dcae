//! The version of Node.js in a base image's tag.

use crate::refusal::Refusal;

/// A Node.js version as the base image's tag has it: `20`, `20.20` or `20.20.2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeVersion(String);

impl NodeVersion {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// That the version gets no fixes any more, and what to do about it.
    pub(crate) fn end(&self) -> Option<Refusal> {
        let is_20 = self.0 == "20" || self.0.starts_with("20.");
        is_20.then(|| {
            Refusal::new(
                "Node.js 20 gets no fixes since 2026-04-21, and its base image none either",
                "`cargo xtask update --node 24`, or 22",
            )
        })
    }
}

impl std::str::FromStr for NodeVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('.').collect();
        let is_number = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
        if parts.len() > 3 || !parts.iter().all(is_number) {
            return Err(format!(
                "bad Node.js version `{text}`: expected `20`, `20.20` or `20.20.2`"
            ));
        }
        // Claude Code needs Node.js 18 or later (specification 6.3.3).
        if parts[0].parse::<u32>().is_ok_and(|major| major < 18) {
            return Err(format!(
                "Node.js `{text}` is too old: Claude Code needs 18 or later"
            ));
        }
        Ok(NodeVersion(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_20_alone_has_ended() {
        for (node, is_ended) in [
            ("20", true),
            ("20.20.2", true),
            ("22", false),
            ("200", false),
        ] {
            let node: NodeVersion = node.parse().unwrap();
            assert_eq!(node.end().is_some(), is_ended, "{node:?}");
        }
    }
}
