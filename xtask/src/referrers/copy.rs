//! Copies what is attached to a manifest to another repository that has the manifest, too.

use super::list::list;
use super::write::{Attached, Observed, Writer};
use crate::oci::{ArtifactManifest, Digest, EMPTY_BYTES, Referrer};
use crate::registry::Puller;
use crate::store::Blobs as _;

/// How many artifacts of one manifest are copied.
const MOST: usize = 200;

impl Writer<'_> {
    /// Attaches here what is attached to `subject` in `from`, whatever it is. Copies nothing twice.
    ///
    /// What dangles there, or cannot be read, is skipped. What is attached to an artifact is not copied.
    pub fn copy(&self, from: &Puller, subject: &Digest) -> anyhow::Result<Attached> {
        let listed = self.retry.run(|| list(from, subject))?;
        let mut attached = Attached::new(subject, Vec::new(), Vec::new());
        attached.skipped.extend(listed.fault);
        if listed.referrers.is_empty() {
            return Ok(attached);
        }
        let before = self.observe(subject)?;
        let mut is_listed = matches!(before, Observed::Api(_));
        let left: Vec<&Referrer> = listed
            .referrers
            .iter()
            .filter(|one| !before.has(one.digest()))
            .collect();
        for referrer in left.iter().take(MOST) {
            match self.one(from, subject, referrer)? {
                Ok((entry, lists)) => {
                    is_listed |= lists;
                    attached.written.push(entry.digest().clone());
                    attached.entries.push(entry);
                }
                Err(why) => attached
                    .skipped
                    .push(format!("`{}`: {why}", referrer.digest())),
            }
        }
        if left.len() > MOST {
            let more = left.len() - MOST;
            attached
                .skipped
                .push(format!("{more} more: only {MOST} are copied"));
        }
        self.listed(is_listed, attached)
    }

    /// Copies one artifact. Returns its entry and whether the registry lists it by itself, or why it is
    /// skipped.
    fn one(
        &self,
        from: &Puller,
        subject: &Digest,
        referrer: &Referrer,
    ) -> anyhow::Result<Result<(Referrer, bool), String>> {
        let digest = referrer.digest();
        let Some((_, bytes)) = self.retry.run(|| from.manifest(digest.as_str()))? else {
            return Ok(Err("it is gone".to_owned()));
        };
        let parsed = referrer.descriptor.manifest(&bytes);
        let parsed = parsed.and_then(|_| ArtifactManifest::parse(&bytes));
        let artifact = match parsed {
            Ok(artifact) if artifact.manifest.subject.as_ref() == Some(subject) => artifact,
            Ok(_) => return Ok(Err("it is of another manifest".to_owned())),
            Err(why) => return Ok(Err(why.to_string())),
        };
        let manifest = &artifact.manifest;
        for blob in manifest.layers.iter().chain([&manifest.config]) {
            self.retry.run(|| {
                // Some registries do not keep it (project-zot/zot#2977).
                if blob.digest == Digest::of(EMPTY_BYTES) {
                    return self.pusher.send_empty();
                }
                let open = || from.open(&blob.digest);
                self.pusher.upload(&blob.digest, blob.size, open)?;
                Ok(())
            })?;
        }
        let lists = self.put(subject, digest, &manifest.media_type, &bytes)?;
        Ok(Ok((Referrer::of(&artifact, &bytes), lists)))
    }
}
