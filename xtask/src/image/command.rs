//! The command line of `docker buildx build`, decided by what was observed.
//!
//! It names no image: a buildx that goes on although xtask was killed has no name to give.

use std::path::Path;

use super::bases::Sources;
use super::cache;
use super::csv::csv_field;
use super::request::Request;
use crate::oci::Digest;
use crate::platform::{self, Platform};

/// What one build's command line says besides what all of them say.
pub(super) struct Line<'a> {
    pub(super) sources: &'a Sources,
    /// None: the builder's own.
    pub(super) platforms: &'a [Platform],
    /// buildx's `--provenance`.
    pub(super) provenance: &'a str,
    /// buildx's `--sbom`.
    pub(super) sbom: &'a str,
    /// Where to, and in which form.
    pub(super) output: String,
    pub(super) metadata_file: &'a Path,
    /// buildx's `--progress`.
    pub(super) progress: &'a str,
    pub(super) no_cache: bool,
    /// Whether the builder can write to a cache.
    pub(super) writes_cache: bool,
}

impl Line<'_> {
    /// The arguments of `docker`.
    pub(super) fn args(&self, request: &Request) -> anyhow::Result<Vec<String>> {
        let settings = request.settings();
        let mut line: Vec<String> = ["buildx", "build"].map(String::from).to_vec();
        let mut flag = |name: &str, value: &str| line.extend([name.to_owned(), value.to_owned()]);
        flag("--file", &settings.dockerfile.display().to_string());
        if !self.platforms.is_empty() {
            flag("--platform", &platform::join(self.platforms));
        }
        for (from, image) in &self.sources.contexts {
            flag("--build-context", &format!("{from}=docker-image://{image}"));
        }
        for (name, value) in build_args(request, self.sources)? {
            flag("--build-arg", &format!("{name}={value}"));
        }
        if let Some(path) = &request.ca_bundle {
            let source = csv_field(&format!("src={}", path.display()));
            flag("--secret", &format!("id=ca-bundle,{source}"));
        }
        if let Some(builder) = request.builder() {
            flag("--builder", builder);
        }
        flag("--progress", self.progress);
        flag("--metadata-file", &self.metadata_file.display().to_string());
        flag("--provenance", self.provenance);
        flag("--sbom", self.sbom);
        if let Some(cache) = &request.cache {
            let all = &settings.platforms;
            for (name, value) in cache::flags(cache, self.platforms, all, self.writes_cache) {
                flag(name, &value);
            }
        }
        flag("--output", &self.output);
        line.extend(self.no_cache.then(|| "--no-cache".to_owned()));
        line.push(".".to_owned());
        Ok(line)
    }
}

/// The build arguments; those of the command line come last and win.
fn build_args(request: &Request, sources: &Sources) -> anyhow::Result<Vec<(String, String)>> {
    let (settings, options) = (request.settings(), &request.options);
    let mut all = vec![
        ("IMAGE_VERSION", settings.version.clone()),
        ("IMAGE_REVISION", request.head.revision_label()),
        ("IMAGE_CREATED", request.head.created()?),
        // The exporter's `source-date-epoch` would date what is younger alone: what comes from the
        // cache would keep the moment that it was built at, and no two builders make the same image.
        ("SOURCE_DATE_EPOCH", request.head.epoch.to_string()),
    ];
    let base = sources.base.clone();
    all.extend(base.map(|base| ("IMAGE_BASE", base)));
    let digest = sources.base_digest.as_ref().map(Digest::to_string);
    all.extend(digest.map(|digest| ("IMAGE_BASE_DIGEST", digest)));
    let packages = settings.extra_packages.build_arg();
    all.extend(packages.map(|packages| ("EXTRA_PACKAGES", packages)));
    let day = settings.packages.as_ref().map(ToString::to_string);
    all.extend(day.map(|day| ("PACKAGES_DAY", day)));
    all.extend(
        request
            .head
            .source
            .clone()
            .map(|source| ("IMAGE_SOURCE", source)),
    );
    let asked = |name: &str| options.build_arg.iter().any(|(asked, _)| asked == name);
    let ours = all
        .into_iter()
        .filter(|(name, _)| !asked(name))
        .map(|(n, v)| (n.to_owned(), v));
    Ok(ours.chain(options.build_arg.iter().cloned()).collect())
}
