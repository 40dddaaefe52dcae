//! What chooses the engine, the builder and the plugin, short of asking them.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::exec::Exec;
use crate::oci::Digest;

/// What docker and buildx read of the environment to find their engine and builder.
const VARIABLES: [&str; 11] = [
    "BUILDX_BUILDER",
    "BUILDX_CONFIG",
    "DOCKER_API_VERSION",
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
    "HOME",
    "PATH",
];

/// Where docker looks for plugins after the folders of its configuration.
const PLUGINS: [&str; 4] = [
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
];

/// Hash of all that chooses the docker that `exec` starts in `root` and the builder it uses; none
/// when there is no docker, or nobody knows where its configuration is.
///
/// That are the environment and `builder`, docker's configuration and contexts, buildx's builders
/// and which is the current one, and the files of the programs.
pub(in crate::image) fn choice(exec: &Exec, root: &Path, builder: Option<&str>) -> Option<Digest> {
    let client = exec.find("docker")?;
    let config = match exec.var("DOCKER_CONFIG") {
        Some(folder) => root.join(folder),
        None => Path::new(&exec.var("HOME")?).join(".docker"),
    };
    let buildx = match exec.var("BUILDX_CONFIG") {
        Some(folder) => root.join(folder),
        None => config.join("buildx"),
    };
    let mut hash = Hash(Sha256::new());
    hash.option(builder);
    for name in VARIABLES {
        hash.option(exec.var(name).as_deref());
    }
    let settings = config.join("config.json");
    hash.stamp(&client);
    for folder in plugin_folders(&config, &settings) {
        hash.stamp(&folder.join("docker-buildx"));
    }
    hash.content(&settings);
    hash.content(&config.join("contexts/meta"));
    for name in ["current", "defaults", "instances"] {
        hash.content(&buildx.join(name));
    }
    Some(Digest::of_hash(&hash.0.finalize()))
}

/// Where docker looks for plugins.
fn plugin_folders(config: &Path, settings: &Path) -> Vec<PathBuf> {
    let text = fs::read(settings).unwrap_or_default();
    let settings: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    let more = settings["cliPluginsExtraDirs"].as_array();
    let more = more.into_iter().flatten().filter_map(|dir| dir.as_str());
    let first = [config.join("cli-plugins")];
    let all = first.into_iter().chain(more.map(PathBuf::from));
    all.chain(PLUGINS.map(PathBuf::from)).collect()
}

struct Hash(Sha256);

impl Hash {
    /// Pieces have their length before them, so that no two lists of them are the same bytes.
    fn piece(&mut self, bytes: &[u8]) {
        self.0.update(bytes.len().to_le_bytes());
        self.0.update(bytes);
    }

    fn option(&mut self, text: Option<&str>) {
        self.0.update([u8::from(text.is_some())]);
        self.piece(text.unwrap_or_default().as_bytes());
    }

    /// Which file it is and when it was written; reading a program would take longer.
    fn stamp(&mut self, file: &Path) {
        self.piece(file.as_os_str().as_bytes());
        let Ok(meta) = fs::metadata(file) else {
            return self.piece(b"absent");
        };
        for number in [meta.dev(), meta.ino(), meta.size()] {
            self.piece(&number.to_le_bytes());
        }
        for number in [meta.mtime(), meta.mtime_nsec()] {
            self.piece(&number.to_le_bytes());
        }
    }

    /// What a file says, or all files of a folder do.
    fn content(&mut self, path: &Path) {
        self.piece(path.file_name().unwrap_or(OsStr::new("")).as_bytes());
        if let Ok(entries) = fs::read_dir(path) {
            let mut entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
            entries.sort_unstable();
            self.piece(&entries.len().to_le_bytes());
            for entry in entries {
                self.content(&entry);
            }
        } else {
            let bytes = fs::read(path).ok();
            self.piece(bytes.as_deref().unwrap_or(b"absent"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn all_that_chooses_another_docker_is_another_choice() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let write = |name: &str, text: &str| {
            fs::create_dir_all(path(name).parent().unwrap()).unwrap();
            fs::write(path(name), text).unwrap();
            fs::set_permissions(path(name), fs::Permissions::from_mode(0o755)).unwrap();
        };
        let exec = Exec::new(folder.path(), false).unwrap();
        for name in VARIABLES {
            exec.set_var(name, "");
        }
        let choice_of = |builder| choice(&exec, folder.path(), builder);
        exec.set_var("PATH", &path("bin").display().to_string());
        exec.set_var("DOCKER_CONFIG", "config");
        assert_eq!(choice_of(None), None, "without docker");
        write("bin/docker", "");
        let mut seen = vec![choice_of(None).unwrap()];
        let mut is_new = |choice: Option<Digest>, what: &str| {
            let choice = choice.unwrap();
            assert!(!seen.contains(&choice), "{what}");
            seen.push(choice);
        };
        is_new(choice_of(Some("default")), "--builder");
        for (file, text) in [
            ("bin/docker", "another client"),
            ("config/config.json", r#"{"currentContext":"far"}"#),
            ("config/contexts/meta/0/meta.json", "{}"),
            ("config/contexts/meta/0/meta.json", r#"{"Name":"far"}"#),
            ("config/buildx/current", r#"{"Name":"far"}"#),
            ("config/buildx/defaults/0", "far"),
            ("config/buildx/instances/far", "{}"),
            ("config/cli-plugins/docker-buildx", "another plugin"),
            ("config/config.json", r#"{"cliPluginsExtraDirs":["more"]}"#),
        ] {
            write(file, text);
            is_new(choice_of(None), file);
        }
        // What buildx writes of each build chooses nothing.
        let before = choice_of(None);
        write("config/buildx/activity/default", "now");
        write("config/buildx/refs/default/default/0", "{}");
        assert_eq!(choice_of(None), before);
        for name in VARIABLES.into_iter().filter(|name| *name != "PATH") {
            let before = exec.var(name).unwrap_or_default();
            exec.set_var(name, "else");
            is_new(choice_of(None), name);
            exec.set_var(name, &before);
        }
        exec.set_var("DOCKER_CONFIG", "");
        assert_eq!(choice_of(None), None, "without a configuration or a home");
    }
}
