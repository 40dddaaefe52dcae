//! `testbed down`: ends what `up` started, and nothing else; data and downloads stay.

use std::fs;

use anyhow::{Context as _, Result};

use crate::{
    binfmt,
    engine::Engine,
    layout::{self, Layout, RUN_ROOT, remove_dir},
    net::{self, writers},
    registry::Registry,
    state::State,
    tools::Tools,
};

/// What is removed beyond the running test bed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Also remove the data: images, volumes, the registry's content (downloads stay in the cache)
    #[arg(long)]
    purge: bool,
}

impl Args {
    pub(crate) fn run(&self, layout: &Layout) -> Result<()> {
        let _lock = layout::lock(&layout.state)?;
        stop(layout)?;
        if self.purge {
            remove_dir(&layout.state)?;
            eprintln!(
                "the test bed is down, and `{}` is removed",
                layout.state.display()
            );
        } else {
            eprintln!("the test bed is down");
        }
        Ok(())
    }
}

fn stop(layout: &Layout) -> Result<()> {
    let tools = Tools::new(layout);
    Engine::new(layout, &tools).stop()?;
    let registry = Registry::new(layout, &tools);
    registry.stop()?;
    registry.read_only().stop()?;
    // `cargo clean` may have removed the state of a running test bed.
    if let Some(block) = net::current(layout)?.or(State::load(layout)?.block) {
        net::remove(layout, block)?;
    }
    writers::remove(layout)?;
    // The folder has one entry for each test bed whose engine runs. The last one removes the shared emulator.
    if fs::remove_dir(RUN_ROOT).is_ok() {
        binfmt::remove().context("failed to take back arm64")?;
    }
    Ok(())
}
