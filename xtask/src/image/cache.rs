//! `--cache`: where build steps are remembered besides the builder itself.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustix::fs::{Access, access};

use super::command::csv_field;
use crate::platform::Platform;
use crate::reference::Repository;

/// A place that keeps the steps of builds. A build never fails because of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cache {
    /// GitHub Actions' own.
    Gha,
    /// A repository, whose tags are the scopes.
    Registry(Repository),
    /// A folder with one folder for each scope.
    Local(PathBuf),
}

impl FromStr for Cache {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            None if text == "gha" => Ok(Cache::Gha),
            Some(("registry", name)) => match name.parse() {
                Ok(repository) => Ok(Cache::Registry(repository)),
                Err(why) => Err(format!("{why}; the tags are the platforms")),
            },
            Some(("local", folder)) if !folder.is_empty() => Ok(Cache::Local(folder.into())),
            _ => Err(format!(
                "unknown cache `{text}`: expected `gha`, `registry=REPOSITORY` or `local=DIR`"
            )),
        }
    }
}

/// The flags that read every scope and write the build's own.
///
/// A scope has the name of its platforms: two machines that build one platform each would else
/// overwrite each other's (docker/build-push-action#546).
pub(super) fn flags(
    cache: &Cache,
    built: &[Platform],
    all: &[Platform],
) -> Vec<(&'static str, String)> {
    let own = scope(built);
    let mut scopes = vec![own.clone()];
    scopes.extend(all.iter().map(|&platform| scope(&[platform])));
    scopes.push(scope(all));
    scopes.sort_unstable();
    scopes.dedup();
    let reads = scopes.iter().filter_map(|scope| source(cache, scope));
    let reads = reads.map(|source| ("--cache-from", source));
    let write = match obstacle(cache, &own) {
        None => Some(format!(
            "{},mode=max,ignore-error=true",
            target(cache, &own)
        )),
        Some(why) => {
            anstream::eprintln!("note: the cache is not written: {why}");
            None
        }
    };
    reads
        .chain(write.map(|write| ("--cache-to", write)))
        .collect()
}

/// What would make buildx fail while it writes: `ignore-error` is for the builder's errors, and
/// folders are written by buildx itself (0.29).
fn obstacle(cache: &Cache, scope: &str) -> Option<String> {
    let Cache::Local(folder) = cache else {
        return None;
    };
    let folder = folder.join(scope);
    if is_index(&folder) == Some(false) {
        let folder = folder.display();
        return Some(format!("`{folder}` is corrupt; hint: `rm -r {folder}`"));
    }
    let mut ancestors = folder.ancestors().filter(|folder| folder.exists());
    let nearest = ancestors.next()?;
    let is_writable = nearest.is_dir() && access(nearest, Access::WRITE_OK).is_ok();
    (!is_writable).then(|| format!("`{}` cannot be written to", nearest.display()))
}

/// Whether a folder's index can be read; none where there is none.
fn is_index(folder: &Path) -> Option<bool> {
    let text = std::fs::read(folder.join("index.json")).ok()?;
    Some(serde_json::from_slice::<serde_json::Value>(&text).is_ok())
}

/// `linux-amd64`, `linux-amd64_linux-arm64`: a name that is a tag and a folder, too.
fn scope(platforms: &[Platform]) -> String {
    let names = platforms.iter().map(|platform| slug(*platform));
    names.collect::<Vec<_>>().join("_")
}

/// A platform's name without a slash.
pub(super) fn slug(platform: Platform) -> String {
    platform.as_str().replace('/', "-")
}

/// None where buildx would fail for want of it.
fn source(cache: &Cache, scope: &str) -> Option<String> {
    match cache {
        Cache::Local(folder) => {
            let folder = folder.join(scope);
            let is_usable = is_index(&folder) == Some(true);
            is_usable.then(|| format!("type=local,{}", field("src", &folder.display().to_string())))
        }
        Cache::Gha | Cache::Registry(_) => Some(remote(cache, scope)),
    }
}

fn target(cache: &Cache, scope: &str) -> String {
    match cache {
        Cache::Local(folder) => {
            let folder = folder.join(scope);
            format!(
                "type=local,{}",
                field("dest", &folder.display().to_string())
            )
        }
        Cache::Registry(_) => format!(
            "{},image-manifest=true,oci-mediatypes=true",
            remote(cache, scope)
        ),
        Cache::Gha => remote(cache, scope),
    }
}

fn remote(cache: &Cache, scope: &str) -> String {
    match cache {
        Cache::Registry(repository) => format!("type=registry,ref={}", repository.reference(scope)),
        Cache::Gha | Cache::Local(_) => format!("type=gha,scope=agent-{scope}"),
    }
}

fn field(name: &str, value: &str) -> String {
    csv_field(&format!("{name}={value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: &[Platform] = &Platform::ALL;

    #[test]
    fn caches_are_named() {
        assert_eq!("gha".parse(), Ok(Cache::Gha));
        assert_eq!("local=/a b".parse(), Ok(Cache::Local("/a b".into())));
        let repository = "ghcr.io/me/cache".parse().unwrap();
        assert_eq!(
            "registry=ghcr.io/me/cache".parse(),
            Ok(Cache::Registry(repository))
        );
        for wrong in [
            "",
            "local",
            "local=",
            "registry=a:b",
            "registry=",
            "s3",
            "gha=x",
        ] {
            assert!(wrong.parse::<Cache>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_machine_writes_its_own_scope_and_reads_all() {
        let one = flags(&Cache::Gha, &BOTH[..1], BOTH);
        let text: Vec<String> = one
            .iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        assert_eq!(
            text,
            [
                "--cache-from type=gha,scope=agent-linux-amd64",
                "--cache-from type=gha,scope=agent-linux-amd64_linux-arm64",
                "--cache-from type=gha,scope=agent-linux-arm64",
                "--cache-to type=gha,scope=agent-linux-amd64,mode=max,ignore-error=true",
            ]
        );
        let cache = "registry=ghcr.io/me/cache".parse().unwrap();
        assert_eq!(
            flags(&cache, BOTH, BOTH).last().unwrap().1,
            "type=registry,ref=ghcr.io/me/cache:linux-amd64_linux-arm64,image-manifest=true,\
             oci-mediatypes=true,mode=max,ignore-error=true"
        );
    }

    #[test]
    fn a_folder_is_used_as_far_as_it_can_be() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::Local(folder.path().join("a,b"));
        let names =
            |flags: Vec<(&'static str, String)>| flags.iter().map(|(n, _)| *n).collect::<Vec<_>>();
        assert_eq!(names(flags(&cache, BOTH, BOTH)), ["--cache-to"]);
        let file = Cache::Local("/dev/null/cache".into());
        assert_eq!(names(flags(&file, BOTH, BOTH)), [""; 0]);
        let scope = folder.path().join("a,b/linux-arm64");
        std::fs::create_dir_all(&scope).unwrap();
        let index = scope.join("index.json");
        std::fs::write(&index, "{").unwrap();
        let one = flags(&cache, &BOTH[1..], BOTH);
        assert_eq!(names(one), [""; 0], "corrupt");
        std::fs::write(index, "{}").unwrap();
        let flags = flags(&cache, BOTH, BOTH);
        assert_eq!(
            flags[0].1,
            format!("type=local,\"src={}\"", scope.display())
        );
    }
}
