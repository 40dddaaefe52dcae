//! Every path and name of one test bed, derived from where its state lives.

use std::{
    env, fs,
    fs::File,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// Where things are. Sockets need paths under 108 bytes, so they live in `run`, not in `state`.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// What belongs to this checkout: data, logs, configuration.
    pub(crate) state: PathBuf,
    /// What checkouts share: downloads, tools and finished base images. A file there never changes.
    pub(crate) cache: PathBuf,
    /// Sockets and the engine's run-time state.
    pub(crate) run: PathBuf,
    /// Eight hex digits that keep the names of this test bed's bridge and cgroup apart from another's.
    pub(crate) id: String,
}

impl Layout {
    /// The layout of the test bed whose state is in `state`, by default `target/testbed` of this workspace.
    pub(crate) fn new(state: Option<PathBuf>) -> Result<Self> {
        let state = match state {
            Some(dir) => std::path::absolute(&dir)
                .with_context(|| format!("bad state folder `{}`", dir.display()))?,
            None => workspace_root().join("target/testbed"),
        };
        let id = format!("{:08x}", fnv1a(state.as_os_str().as_encoded_bytes()) >> 32);
        Ok(Self {
            cache: cache_dir()?,
            run: Path::new(RUN_ROOT).join(&id),
            state,
            id,
        })
    }

    /// The folder of the Docker client's configuration, with its plugins.
    pub(crate) fn docker_config(&self) -> PathBuf {
        self.state.join("docker-config")
    }

    /// The engine's socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.run.join("docker.sock")
    }

    /// The engine's socket, as a URL.
    pub(crate) fn docker_host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }
}

/// The parent of every test bed's `run` folder.
pub(crate) const RUN_ROOT: &str = "/run/agentgate-testbed";

fn workspace_root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(manifest).to_owned()
}

fn cache_dir() -> Result<PathBuf> {
    let set = |name| {
        env::var_os(name)
            .filter(|value| Path::new(value).is_absolute())
            .map(PathBuf::from)
    };
    set("XDG_CACHE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .map(|dir| dir.join("agentgate-testbed"))
        .context("no cache folder is known\nhint: set HOME or XDG_CACHE_HOME to an absolute path")
}

/// A 64-bit hash that never changes between releases; names things, proves nothing.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// Makes `dir` with its parents.
pub(crate) fn make_dir(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir)
        .with_context(|| format!("failed to make the folder `{}`", dir.display()))
}

/// Removes `dir` with all that is in it, if it is there.
pub(crate) fn remove_dir(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => {
            Err(err).with_context(|| format!("failed to remove the folder `{}`", dir.display()))
        }
        _ => Ok(()),
    }
}

/// Moves `from` to `to` in one step, so that what has the final name is always whole.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to)
        .with_context(|| format!("failed to move `{}` to `{}`", from.display(), to.display()))
}

/// Writes `file` in one step: a reader sees the old or the new text, never a part.
pub(crate) fn write(file: &Path, text: &str) -> Result<()> {
    let temp = file.with_extension("new");
    fs::write(&temp, text).with_context(|| format!("failed to write `{}`", temp.display()))?;
    rename(&temp, file)
}

/// Waits for the lock `dir/lock` and holds it until the returned file is dropped.
pub(crate) fn lock(dir: &Path) -> Result<File> {
    make_dir(dir)?;
    let path = dir.join("lock");
    let file = File::create(&path)
        .with_context(|| format!("failed to open the lock `{}`", path.display()))?;
    if file.try_lock().is_err() {
        eprintln!(
            "waiting for another testbed command that holds `{}`",
            path.display()
        );
        file.lock()
            .with_context(|| format!("failed to lock `{}`", path.display()))?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_folder_has_its_own_names() {
        let one = Layout::new(Some("/a/target/testbed".into())).unwrap();
        let two = Layout::new(Some("/b/target/testbed".into())).unwrap();
        assert_ne!(one.id, two.id);
        assert_eq!(one.id.len(), 8);
        assert_eq!(one.run, Path::new(RUN_ROOT).join(&one.id));
        // The longest socket below it that the engine makes must fit 108 bytes.
        assert!(
            one.run
                .join("exec/containerd/containerd-debug.sock")
                .as_os_str()
                .len()
                < 90
        );
    }

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn a_write_leaves_nothing_but_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x.json");
        write(&file, "1").unwrap();
        write(&file, "2").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "2");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
