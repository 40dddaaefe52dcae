//! `--compression`: what layers are packed by.

use serde_json::Value;

use super::{Workspace, images};

/// The kinds of the layers that HEAD's images have, each once.
fn kinds(workspace: &Workspace) -> Vec<String> {
    let (_, index) = workspace.published(&workspace.sha_tag()).unwrap();
    let mut kinds = Vec::new();
    for (_, digest) in images(&index).0 {
        let (_, manifest) = workspace.published(&digest).unwrap();
        let layers = manifest["layers"].as_array().unwrap();
        kinds.extend(layers.iter().map(|layer| layer["mediaType"].clone()));
    }
    kinds.dedup();
    let kinds = kinds.iter().map(Value::as_str);
    kinds.map(|kind| kind.unwrap().to_owned()).collect()
}

#[test]
fn layers_are_packed_as_asked() {
    let layer = |kind: &str| vec![format!("application/vnd.oci.image.layer.v1.tar+{kind}")];
    let workspace = Workspace::new();
    workspace.push(&[]);
    assert_eq!(kinds(&workspace), layer("zstd"));
    for asked in ["gzip", "gzip:9"] {
        workspace.commit(asked);
        workspace.push(&["--compression", asked]);
        assert_eq!(kinds(&workspace), layer("gzip"), "{asked}");
    }
    workspace.commit("and back");
    workspace.push(&["--compression", "zstd:9"]);
    assert_eq!(kinds(&workspace), layer("zstd"));
}
