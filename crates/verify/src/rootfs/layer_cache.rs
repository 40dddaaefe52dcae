//! What was found in layers, kept between runs: a layer that has not changed is not searched again.
//!
//! What is kept of a layer depends on its bytes and on nothing else: not on other layers, not on what is
//! expected. It counts only for the very checks (their hash, [`check_set`]) that wrote it. A file that is
//! damaged or of other checks counts for absent, and is written anew.
//!
//! [`check_set`]: crate::check_set::check_set

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use xtask::oci::Digest;
use xtask::{files, report};

use super::Layer;

/// Bytes of a file that is read or written; the base's has 2 million.
const FILE_MAX: u64 = 16 << 20;
/// Bytes of all files: some twenty images.
const ALL_MAX: u64 = 96 << 20;

/// A folder of what was found in layers.
pub(crate) struct LayerCache {
    folder: PathBuf,
    check_set: Digest,
    file_max: u64,
    all_max: u64,
}

/// What a file has behind its first line, which is the digest of this.
#[derive(Serialize)]
struct Kept<'a> {
    check_set: &'a Digest,
    digest: &'a Digest,
    layer: &'a Layer,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Found {
    check_set: Digest,
    digest: Digest,
    layer: Layer,
}

impl LayerCache {
    pub(crate) fn new(folder: PathBuf, check_set: &Digest) -> LayerCache {
        LayerCache {
            folder,
            check_set: check_set.clone(),
            file_max: FILE_MAX,
            all_max: ALL_MAX,
        }
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{}.json", digest.hex()))
    }

    /// What is kept of the layer, if anything is.
    pub(crate) fn get(&self, digest: &Digest) -> Option<Layer> {
        let file = files::open(&self.path(digest)).ok()?;
        let mut text = String::new();
        file.take(self.file_max + 1)
            .read_to_string(&mut text)
            .ok()?;
        let (sum, body) = text.split_once('\n')?;
        if text.len() as u64 > self.file_max || Digest::of(body.as_bytes()).as_str() != sum {
            return None;
        }
        let found: Found = serde_json::from_str(body).ok()?;
        let is_it = found.digest == *digest && found.check_set == self.check_set;
        is_it.then_some(found.layer)
    }

    /// Keeps what was found in the layer. Where it cannot, the layer is searched again the next time.
    pub(super) fn put(&self, digest: &Digest, layer: &Layer) {
        let kept = Kept {
            check_set: &self.check_set,
            digest,
            layer,
        };
        let Ok(body) = serde_json::to_string(&kept) else {
            return;
        };
        let text = format!("{}\n{body}", Digest::of(body.as_bytes()));
        if text.len() as u64 <= self.file_max
            && report::write_whole(&self.path(digest), &text).is_ok()
        {
            self.prune();
        }
    }

    /// Removes the oldest files until all are as large as they may be.
    fn prune(&self) {
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut files: Vec<(SystemTime, u64, PathBuf)> = files
            .filter_map(|file| {
                let data = file.metadata().ok()?;
                Some((data.modified().ok()?, data.len(), file.path()))
            })
            .collect();
        files.sort_unstable();
        let mut all: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in files {
            if all <= self.all_max {
                return;
            }
            // Another run may have removed it.
            let _ = fs::remove_file(path);
            all -= size;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::rootfs::{Elf, Entry, Kind};

    const GITHUB: &str = "GitHub token";

    fn layer() -> Layer {
        let entry = |path: &str, kind| Entry::empty(path, kind, 0o4755);
        let file = Entry {
            uid: 1000,
            gid: u64::MAX,
            size: 7,
            has_capabilities: true,
            elf: Some(Elf {
                machine: 62,
                interpreter: Some("/lib/ld".to_owned()),
            }),
            text: Some("a\nb\u{fffd}".to_owned()),
            secrets: vec![GITHUB],
            certificates: vec![Digest::of(b"der")],
            ..entry("a b/\u{1b}c", Kind::File)
        };
        let entries = vec![
            file,
            entry("a", Kind::Folder),
            entry("b", Kind::Symlink("../\"x".to_owned())),
            entry("c", Kind::Hardlink("a".to_owned())),
            entry("d", Kind::Whiteout),
            entry("", Kind::Opaque),
            entry("e", Kind::Special),
        ];
        Layer {
            diff_id: Digest::of(b"archive"),
            size: 3,
            unpacked: u64::MAX,
            entries,
        }
    }

    struct Case {
        folder: tempfile::TempDir,
        cache: LayerCache,
        digest: Digest,
    }

    fn case() -> Case {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/when needed");
        Case {
            cache: LayerCache::new(path, &Digest::of(b"checks")),
            digest: Digest::of(b"layer"),
            folder,
        }
    }

    #[test]
    fn what_was_found_is_found_again() {
        let Case {
            cache,
            digest,
            folder,
        } = case();
        assert_eq!(cache.get(&digest), None);
        cache.put(&digest, &layer());
        assert_eq!(cache.get(&digest), Some(layer()));
        assert_eq!(cache.get(&Digest::of(b"another")), None);
        drop(folder);
        // Nobody else can make it fail.
        cache.put(&digest, &layer());
    }

    /// Scanners have shown what an older version had found as their own (aquasecurity/trivy#10350).
    #[test]
    fn what_other_checks_have_found_is_not_believed() {
        let Case { cache, digest, .. } = case();
        cache.put(&digest, &layer());
        let newer = LayerCache::new(cache.folder.clone(), &Digest::of(b"newer checks"));
        assert_eq!(newer.get(&digest), None);
        newer.put(&digest, &layer());
        assert_eq!(newer.get(&digest), Some(layer()));
        assert_eq!(cache.get(&digest), None);
    }

    /// A scanner kept what it had found in an image of one layer under the name of the layer, and gave it out
    /// for others (aquasecurity/trivy#2927): a file that is moved to another name is not believed.
    #[test]
    fn what_is_of_another_layer_or_damaged_counts_for_absent() {
        let Case { cache, digest, .. } = case();
        cache.put(&digest, &layer());
        let path = cache.path(&digest);
        let good = fs::read(&path).unwrap();
        let other = Digest::of(b"another");
        fs::copy(&path, cache.path(&other)).unwrap();
        assert_eq!(cache.get(&other), None);
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            fs::write(&path, &bytes).unwrap();
            assert_eq!(cache.get(&digest), None, "byte {at}");
            fs::write(&path, &good[..at]).unwrap();
            assert_eq!(cache.get(&digest), None, "{at} bytes");
        }
        // It is written anew.
        cache.put(&digest, &layer());
        assert_eq!(cache.get(&digest), Some(layer()));
    }

    #[test]
    fn what_nobody_writes_is_not_believed() {
        let Case { cache, digest, .. } = case();
        cache.put(&digest, &layer());
        let path = cache.path(&digest);
        let good = fs::read_to_string(&path).unwrap();
        let body = good.split_once('\n').unwrap().1;
        for (from, to) in [
            (GITHUB, "no secret"),
            ("\"size\":3", "\"size\":3,\"more\":1"),
            ("\"size\":3,", ""),
            ("\"size\":3", "\"size\":-3"),
            ("{", "[{"),
        ] {
            let body = body.replacen(from, to, 1);
            let text = format!("{}\n{body}", Digest::of(body.as_bytes()));
            fs::write(&path, text).unwrap();
            assert_eq!(cache.get(&digest), None, "{to}");
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(cache.get(&digest), None);
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let Case { mut cache, .. } = case();
        let digests: Vec<Digest> = (0..6_u8).map(|number| Digest::of(&[number])).collect();
        cache.put(&digests[0], &layer());
        let one = fs::metadata(cache.path(&digests[0])).unwrap().len();
        cache.all_max = 3 * one;
        for (age, digest) in digests.iter().enumerate() {
            cache.put(digest, &layer());
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(age as u64);
            // All but the newest are old.
            let file = File::options()
                .append(true)
                .open(cache.path(digest))
                .unwrap();
            file.set_modified(time).unwrap();
        }
        let known: Vec<bool> = digests.iter().map(|one| cache.get(one).is_some()).collect();
        assert_eq!(known, [false, false, false, true, true, true]);

        cache.file_max = one - 1;
        assert_eq!(cache.get(&digests[5]), None, "too large to read");
        let new = Digest::of(b"new");
        cache.put(&new, &layer());
        assert!(!cache.path(&new).exists(), "too large to write");
    }
}
