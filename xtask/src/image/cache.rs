//! `--cache`: where build steps are remembered besides the builder itself.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustix::fs::{Access, access};

use super::csv::csv_field;
use crate::exec::Exec;
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
            // docker starts in the workspace's root, not in the caller's folder.
            Some(("local", folder)) if !folder.is_empty() => match std::path::absolute(folder) {
                Ok(folder) => Ok(Cache::Local(folder)),
                Err(why) => Err(format!("`{folder}` is not a folder: {why}")),
            },
            _ => Err(format!(
                "unknown cache `{text}`: expected `gha`, `registry=REPOSITORY` or `local=DIR`"
            )),
        }
    }
}

/// buildx's flags for what is read and written.
const READ: &str = "--cache-from";
const WRITE: &str = "--cache-to";

/// How layers are compressed that are in no image; those of an image are kept as that has them. Gzip, which
/// BuildKit takes else, is slower by a third (moby/buildkit#2685). GitHub's cache knows no such option.
const COMPRESSION: &str = "compression=zstd";

/// Where buildx looks for GitHub's service: without both it leaves the cache out, and says nothing.
const TOKEN: &[&str] = &["ACTIONS_RUNTIME_TOKEN"];
const ADDRESS: &[&str] = &["ACTIONS_RESULTS_URL", "ACTIONS_CACHE_URL"];

/// The cache that was asked for, if it can be used at all; else a note says why not.
pub(super) fn usable(exec: &Exec, asked: Option<&Cache>) -> Option<Cache> {
    let is_set = |names: &&&[&str]| names.iter().any(|name| exec.var(name).is_some());
    let lacking = [TOKEN, ADDRESS]
        .iter()
        .find(|names| !is_set(names))
        .copied();
    match (asked, lacking) {
        (Some(Cache::Gha), Some(names)) => {
            crate::say::errln!(
                "note: `--cache gha` is not used: `{}` is not set, which GitHub gives to actions \
                 alone; hint: a step `uses: crazy-max/ghaction-github-runtime@v4` before this one \
                 hands it on; elsewhere `--cache registry=REPOSITORY` or `--cache local=DIR`",
                names[0]
            );
            None
        }
        _ => asked.cloned(),
    }
}

/// What a failed step of BuildKit says about a cache; none when the step is of no cache.
pub(super) fn fault(work: &str, error: &str) -> Option<String> {
    // The storage behind GitHub's service puts a frame around its answer. The request comes first.
    let lines = error.lines().filter(|line| !line.starts_with("---"));
    let error = lines.take(2).collect::<Vec<_>>().join(": ");
    if work.starts_with("importing cache manifest from ") {
        // Nobody has written that scope yet.
        let is_new = error.ends_with(": not found");
        return (!is_new).then(|| format!("the cache was not read: {error}"));
    }
    let is_export = work.starts_with("exporting cache to ") || work.ends_with(" Actions Cache");
    is_export.then(|| format!("the cache was not written: {error}"))
}

/// Whether a build's arguments have any of [`flags`].
pub(super) fn is_in(args: &[String]) -> bool {
    args.iter().any(|arg| [READ, WRITE].contains(&arg.as_str()))
}

/// The arguments of a build without those of [`flags`].
pub(super) fn without(args: &[String]) -> Vec<String> {
    let mut rest = Vec::new();
    let mut left = args.iter();
    while let Some(arg) = left.next() {
        if [READ, WRITE].contains(&arg.as_str()) {
            left.next();
        } else {
            rest.push(arg.clone());
        }
    }
    rest
}

/// The flags that read every scope and, where the builder can, write the build's own.
///
/// A scope has the name of its platforms: two machines that build one platform each would else
/// overwrite each other's (docker/build-push-action#546).
pub(super) fn flags(
    cache: &Cache,
    built: &[Platform],
    all: &[Platform],
    can_write: bool,
) -> Vec<(&'static str, String)> {
    let own = scope(built);
    let mut scopes = vec![own.clone()];
    scopes.extend(all.iter().map(|&platform| scope(&[platform])));
    scopes.push(scope(all));
    scopes.sort_unstable();
    scopes.dedup();
    let reads = scopes.iter().filter_map(|scope| source(cache, scope));
    let reads = reads.map(|source| (READ, source));
    let write = match obstacle(cache, &own, can_write) {
        None => Some(format!(
            "{},mode=max,ignore-error=true",
            target(cache, &own)
        )),
        Some(why) => {
            crate::say::errln!("note: the cache is not written: {why}");
            None
        }
    };
    reads.chain(write.map(|write| (WRITE, write))).collect()
}

/// What would make buildx fail while it writes: `ignore-error` is for the builder's errors, and
/// folders are written by buildx itself (0.29).
fn obstacle(cache: &Cache, scope: &str, can_write: bool) -> Option<String> {
    if !can_write {
        let why = "the engine's own builder on the classic image store writes none; hint: \
                   `--create-builder`";
        return Some(why.to_owned());
    }
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

/// Whether a folder's index can be read; none when there is no index.
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

/// None when the folder has no index that can be read: buildx would fail.
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
                "type=local,{},{COMPRESSION}",
                field("dest", &folder.display().to_string())
            )
        }
        Cache::Registry(_) => format!(
            "{},image-manifest=true,oci-mediatypes=true,{COMPRESSION}",
            remote(cache, scope)
        ),
        Cache::Gha => remote(cache, scope),
    }
}

fn remote(cache: &Cache, scope: &str) -> String {
    match cache {
        Cache::Registry(repository) => format!("type=registry,ref={}", repository.reference(scope)),
        // BuildKit's own patience with a service that is busy (429) is ten minutes, twice.
        Cache::Gha | Cache::Local(_) => format!("type=gha,scope=agent-{scope},timeout=1m"),
    }
}

fn field(name: &str, value: &str) -> String {
    csv_field(&format!("{name}={value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_of_a_cache_is_told_but_for_what_is_new() {
        let azure = "GET http://a/b\n-----\nRESPONSE 403: 403 Forbidden\nERROR CODE X\n-----\n";
        for (work, error, expected) in [
            (
                "importing cache manifest from gha:1",
                azure,
                Some("the cache was not read: GET http://a/b: RESPONSE 403: 403 Forbidden"),
            ),
            (
                "importing cache manifest from a/b:c",
                "a/b:c: not found",
                None,
            ),
            (
                "exporting to GitHub Actions Cache",
                "unavailable",
                Some("the cache was not written: unavailable"),
            ),
            (
                "exporting cache to registry",
                "unavailable",
                Some("the cache was not written: unavailable"),
            ),
            ("exporting to oci image format", "unavailable", None),
            ("[2/3] RUN a", "exit code: 1", None),
        ] {
            assert_eq!(fault(work, error).as_deref(), expected, "{work}");
        }
    }

    #[test]
    fn a_build_can_do_without_a_cache() {
        let words = |line: &str| -> Vec<String> { line.split(' ').map(str::to_owned).collect() };
        let args = words("build --cache-from type=a --tag b --cache-to type=a .");
        assert!(is_in(&args));
        assert_eq!(without(&args), words("build --tag b ."));
        assert!(!is_in(&words("build --tag b .")));
    }

    #[test]
    fn nothing_is_written_where_the_builder_cannot() {
        let flags = flags(&Cache::Gha, &BOTH[..1], BOTH, false);
        assert!(flags.iter().all(|(name, _)| *name == READ), "{flags:?}");
        assert_eq!(flags.len(), 3);
    }

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
        let one = flags(&Cache::Gha, &BOTH[..1], BOTH, true);
        let text: Vec<String> = one
            .iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        assert_eq!(
            text,
            [
                "--cache-from type=gha,scope=agent-linux-amd64,timeout=1m",
                "--cache-from type=gha,scope=agent-linux-amd64_linux-arm64,timeout=1m",
                "--cache-from type=gha,scope=agent-linux-arm64,timeout=1m",
                "--cache-to type=gha,scope=agent-linux-amd64,timeout=1m,mode=max,ignore-error=true",
            ]
        );
        let cache = "registry=ghcr.io/me/cache".parse().unwrap();
        assert_eq!(
            flags(&cache, BOTH, BOTH, true).last().unwrap().1,
            "type=registry,ref=ghcr.io/me/cache:linux-amd64_linux-arm64,image-manifest=true,\
             oci-mediatypes=true,compression=zstd,mode=max,ignore-error=true"
        );
    }

    #[test]
    fn a_folder_is_used_as_far_as_it_can_be() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::Local(folder.path().join("a,b"));
        let names =
            |flags: Vec<(&'static str, String)>| flags.iter().map(|(n, _)| *n).collect::<Vec<_>>();
        assert_eq!(names(flags(&cache, BOTH, BOTH, true)), ["--cache-to"]);
        let file = Cache::Local("/dev/null/cache".into());
        assert_eq!(names(flags(&file, BOTH, BOTH, true)), [""; 0]);
        let scope = folder.path().join("a,b/linux-arm64");
        std::fs::create_dir_all(&scope).unwrap();
        let index = scope.join("index.json");
        std::fs::write(&index, "{").unwrap();
        let one = flags(&cache, &BOTH[1..], BOTH, true);
        assert_eq!(names(one), [""; 0], "corrupt");
        std::fs::write(index, "{}").unwrap();
        let flags = flags(&cache, BOTH, BOTH, true);
        assert_eq!(
            flags[0].1,
            format!("type=local,\"src={}\"", scope.display())
        );
    }
}
