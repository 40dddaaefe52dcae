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
    let odd = || io::Error::other(format!("`{reference}` has no registry, name and tag"));
    let (host, rest) = reference.split_once('/').ok_or_else(odd)?;
    let (name, tag) = rest.rsplit_once(':').ok_or_else(odd)?;
    let get = |version: &str| get(&format!("http://{host}/v2/{name}/manifests/{version}"));
    let index = get(tag)?;
    let mut sizes = BTreeMap::new();
    for entry in index["manifests"].as_array().into_iter().flatten() {
        let platform = &entry["platform"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        // Attestations are of the platform unknown/unknown.
        if platform["os"] == "linux" {
            let manifest = get(&text(&entry["digest"]))?;
            let layers = manifest["layers"].as_array().into_iter().flatten();
            let blobs = layers.chain([&manifest["config"]]);
            let bytes = blobs.filter_map(|blob| blob["size"].as_f64()).sum();
            sizes.insert(format!("linux/{}", text(&platform["architecture"])), bytes);
        }
    }
    Ok(sizes)
}

fn get(url: &str) -> io::Result<Value> {
    let agent: Agent = Agent::config_builder().proxy(None).build().new_agent();
    let answer = agent.get(url).header("accept", MANIFESTS).call();
    let read = answer.and_then(|mut answer| answer.body_mut().read_to_string());
    let text = read.map_err(|why| io::Error::other(format!("{url}: {why}")))?;
    Ok(serde_json::from_str(&text)?)
}
