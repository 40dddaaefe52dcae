//! What a test bed must remember between two runs: the addresses it chose.

use std::{fs, io::ErrorKind, path::PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::{
    layout::{Layout, write},
    net::Block,
};

/// Chosen once, kept until `down --purge`; a choice that no longer fits is made anew.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    /// The registry's port on loopback.
    pub(crate) port: Option<u16>,
    /// The port, on loopback too, of the process that only reads.
    pub(crate) read_only_port: Option<u16>,
    /// The addresses of its networks.
    pub(crate) block: Option<Block>,
}

impl State {
    /// The state that was saved, or an empty one.
    pub(crate) fn load(layout: &Layout) -> Result<Self> {
        let file = file(layout);
        let text = match fs::read_to_string(&file) {
            Err(err) if err.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            text => text.with_context(|| format!("failed to read `{}`", file.display()))?,
        };
        serde_json::from_str(&text).with_context(|| {
            format!(
                "`{}` is damaged\nhint: remove it and run the command again",
                file.display()
            )
        })
    }

    pub(crate) fn save(&self, layout: &Layout) -> Result<()> {
        write(&file(layout), &serde_json::to_string_pretty(self)?)
    }
}

fn file(layout: &Layout) -> PathBuf {
    layout.state.join("state.json")
}
