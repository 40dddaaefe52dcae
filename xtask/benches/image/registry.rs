//! What the registry holds of an image.

use std::collections::BTreeMap;
use std::io;

use serde_json::Value;
use ureq::Agent;

const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// Bytes of the configuration and the layers, for each platform.
pub(crate) fn sizes(reference: &str) -> io::Result<BTreeMap<String, f64>> {
    let sizes = manifests(reference)?.into_iter().map(|(platform, it)| {
        let config = it["config"]["size"].as_f64().unwrap_or_default();
        (platform, layers(&it).iter().sum::<f64>() + config)
    });
    Ok(sizes.collect())
}

/// Bytes of the layers above those of `base`, for each platform.
pub(crate) fn added(reference: &str, base: &str) -> io::Result<BTreeMap<String, f64>> {
    let bases = manifests(base)?;
    let added = manifests(reference)?.into_iter().map(|(platform, it)| {
        let below = bases.get(&platform).map_or(0, |base| layers(base).len());
        (platform, layers(&it).iter().skip(below).sum())
    });
    Ok(added.collect())
}

/// Bytes of each layer, the lowest first.
fn layers(manifest: &Value) -> Vec<f64> {
    let layers = manifest["layers"].as_array().into_iter().flatten();
    layers.filter_map(|layer| layer["size"].as_f64()).collect()
}

/// What an index leads to, for each platform.
fn manifests(reference: &str) -> io::Result<BTreeMap<String, Value>> {
    let odd = || io::Error::other(format!("`{reference}` has no registry, name and tag"));
    let (host, rest) = reference.split_once('/').ok_or_else(odd)?;
    let (name, tag) = rest.rsplit_once(':').ok_or_else(odd)?;
    let get = |version: &str| get(&format!("http://{host}/v2/{name}/manifests/{version}"));
    let index = get(tag)?;
    let mut manifests = BTreeMap::new();
    for entry in index["manifests"].as_array().into_iter().flatten() {
        let platform = &entry["platform"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        // Attestations are of the platform unknown/unknown.
        if platform["os"] == "linux" {
            let manifest = get(&text(&entry["digest"]))?;
            manifests.insert(
                format!("linux/{}", text(&platform["architecture"])),
                manifest,
            );
        }
    }
    Ok(manifests)
}

fn get(url: &str) -> io::Result<Value> {
    let agent: Agent = Agent::config_builder().proxy(None).build().new_agent();
    let answer = agent.get(url).header("accept", MANIFESTS).call();
    let read = answer.and_then(|mut answer| answer.body_mut().read_to_string());
    let text = read.map_err(|why| io::Error::other(format!("{url}: {why}")))?;
    Ok(serde_json::from_str(&text)?)
}
