//! `testbed up`: brings up whatever is not up yet; safe to run again at any time, also after being killed.
//!
//! Each step checks what is there and does only what is missing; what it makes appears under its final name in one
//! move. So nothing has to be undone after a failure, and nothing remembered but the chosen addresses.

use std::time::Duration;

use anyhow::Result;

use crate::{
    bases::{self, Sources},
    binfmt,
    engine::Engine,
    fetch::Fetcher,
    host,
    layout::{self, Layout, make_dir, remove_dir},
    mounts,
    net::{self, writers},
    process,
    registry::{self, Registry},
    report::step,
    state::State,
    tools::Tools,
};

/// Runs every step in order.
pub(crate) fn run(layout: &Layout) -> Result<()> {
    let _state_lock = layout::lock(&layout.state)?;
    let _cache_lock = layout::lock(&layout.cache)?;
    let tools = Tools::new(layout);
    let engine = Engine::new(layout, &tools);
    let registry = Registry::new(layout, &tools);
    let fetcher = Fetcher::new(&layout.cache);
    let mut state = State::load(layout)?;

    step("machine", || {
        discard_scratch(layout)?;
        Ok(((), host::prepare()?))
    })?;
    step("tools", || Ok(((), tools.ensure(&fetcher)?)))?;
    step("arm64", || Ok(((), binfmt::ensure(&tools.qemu())?)))?;
    let block = step("network", || {
        let block = net::pick(layout, net::current(layout)?.or(state.block))?;
        state.block = Some(block);
        state.save(layout)?;
        net::ensure(layout, block)?;
        Ok((block, format!("{} on {}", block.all(), net::bridge(layout))))
    })?;
    let (port, read_only) = step("registry", || {
        let read_only = registry
            .read_only()
            .ensure(state.read_only_port, |_| Ok(()))?;
        let guard = |port| writers::ensure(layout, port, read_only);
        let port = registry.ensure(state.port, guard)?;
        state.port = Some(port);
        state.read_only_port = Some(read_only);
        state.save(layout)?;
        Ok(((port, read_only), format!("answers on 127.0.0.1:{port}")))
    })?;
    step("engine", || {
        let engine = engine.ensure(block, port)?;
        // Now its socket is there, whose group may write.
        writers::ensure(layout, port, read_only)?;
        Ok(((), engine))
    })?;
    step("bases", || {
        let sources = Sources {
            fetcher: &fetcher,
            tools: &tools,
        };
        bases::ensure(layout, &sources, &engine, &format!("127.0.0.1:{port}"))?;
        Ok(((), registry::stand_ins(port)?.join(", ")))
    })
}

/// Removes what a killed run left half made, and ends the programs that still work on it.
fn discard_scratch(layout: &Layout) -> Result<()> {
    let scratch = layout.cache.join("tmp");
    for process in process::working_in(&scratch)? {
        process.end(Duration::ZERO)?;
    }
    mounts::unmount_below(&scratch)?;
    remove_dir(&scratch)?;
    make_dir(&scratch)
}
