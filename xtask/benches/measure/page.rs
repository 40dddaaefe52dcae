//! The page that shows what was measured: a benchmark replaces its own part and leaves all else.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Puts a table between the two comments of `id`, with the day and the load of the machine.
///
/// Fails when the page lacks one of them.
pub(crate) fn put(id: &str, title: &str, table: &str) -> io::Result<()> {
    let page = docs().join("performance.md");
    let text = fs::read_to_string(&page)?;
    let (begin, end) = (
        format!("<!-- {id} -->\n"),
        format!("<!-- end of {id} -->\n"),
    );
    let parts = text.split_once(&begin).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(&end)?;
        Some((before, after))
    });
    let Some((before, after)) = parts else {
        let why = format!(
            "docs/performance.md has no place for `{id}`; hint: add `{}` and `{}`",
            begin.trim(),
            end.trim()
        );
        return Err(io::Error::other(why));
    };
    let measured = measured()?;
    let part = format!("{measured}\n\n{table}\n![{title}](performance/{id}.svg)\n");
    fs::write(page, format!("{before}{begin}{part}{end}{after}"))
}

/// Where the plot of `id` is.
pub(crate) fn plot(id: &str) -> PathBuf {
    docs().join("performance").join(format!("{id}.svg"))
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// When, on what, and how busy that was at the end.
fn measured() -> io::Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let day = humantime::format_rfc3339_seconds(UNIX_EPOCH + now.map_err(io::Error::other)?);
    let day = day.to_string();
    let cpus = std::thread::available_parallelism()?;
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown").to_owned();
    Ok(format!(
        "Measured on {}, {cpus} CPUs, load {load} at the end.",
        &day[..10]
    ))
}
