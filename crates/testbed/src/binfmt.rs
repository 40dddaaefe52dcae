//! arm64 programs on this machine, in containers too: the kernel hands them to an emulator.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use crate::{exec::Cmd, mounts};

const DIR: &str = "/proc/sys/fs/binfmt_misc";

/// The name of our entry; it is the same for every test bed, as one serves all.
const NAME: &str = "agentgate-aarch64";

/// The first 20 bytes of an arm64 ELF program, and which of their bits count, as the kernel reads them.
const MAGIC: &str = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00";
const MASK: &str =
    r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff";

/// What the magic looks like in an entry's file.
const MAGIC_SHOWN: &str = "7f454c460201010000000000000000000200b700";

/// Registers `qemu` for arm64 programs unless an emulator that serves containers is registered already.
pub(crate) fn ensure(qemu: &Path) -> Result<String> {
    if let Some(name) = handler()? {
        return Ok(format!("emulated by `{name}`"));
    }
    if !mounts::all()?
        .iter()
        .any(|mount| mount.kind == "binfmt_misc")
    {
        Cmd::new("mount")
            .args(["-t", "binfmt_misc", "none", DIR])
            .run()?;
        if let Some(name) = handler()? {
            return Ok(format!("emulated by `{name}`"));
        }
    }
    // F opens the emulator now, so that it works where its file cannot be seen; C keeps a program's credentials and O
    // hands over the opened program.
    let line = format!(":{NAME}:M::{MAGIC}:{MASK}:{}:FCO", qemu.display());
    fs::write(Path::new(DIR).join("register"), line)
        .context("failed to register the emulator of arm64")?;
    Ok(format!("emulated by `{NAME}`, registered now"))
}

/// Removes our entry, when it is there.
pub(crate) fn remove() -> Result<()> {
    let entry = Path::new(DIR).join(NAME);
    if entry.exists() {
        fs::write(&entry, "-1").context("failed to take back the emulator of arm64")?;
    }
    Ok(())
}

/// The name of an emulator of arm64 that works in containers.
pub(crate) fn handler() -> Result<Option<String>> {
    let Ok(entries) = fs::read_dir(DIR) else {
        return Ok(None);
    };
    for entry in entries {
        let entry = entry.with_context(|| format!("failed to list `{DIR}`"))?;
        if fs::read_to_string(entry.path()).is_ok_and(|text| serves_containers(&text)) {
            return Ok(Some(entry.file_name().to_string_lossy().into_owned()));
        }
    }
    Ok(None)
}

fn serves_containers(entry: &str) -> bool {
    let value = |key: &str| {
        entry
            .lines()
            .find_map(|line| line.strip_prefix(key))
            .unwrap_or_default()
    };
    entry.starts_with("enabled\n")
        && value("flags: ").contains('F')
        && value("magic ") == MAGIC_SHOWN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_only_an_emulator_that_serves_containers() {
        let entry = |state: &str, flags: &str, magic: &str| {
            format!(
                "{state}\ninterpreter /usr/bin/qemu\nflags: {flags}\noffset 0\nmagic {magic}\nmask ff\n"
            )
        };
        for (entry, expected) in [
            (entry("enabled", "OCF", MAGIC_SHOWN), true),
            (entry("enabled", "F", MAGIC_SHOWN), true),
            (entry("enabled", "OC", MAGIC_SHOWN), false),
            (entry("disabled", "OCF", MAGIC_SHOWN), false),
            (
                entry("enabled", "OCF", "7f454c4602010100000000000000000002003e00"),
                false,
            ),
            ("enabled\n".to_owned(), false),
        ] {
            assert_eq!(serves_containers(&entry), expected, "{entry}");
        }
    }
}
