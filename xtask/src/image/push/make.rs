//! What a push is of: built, and built once more where the builder remembers another build.

use anyhow::ensure;

use super::layers::{self, BaseLayers};
use crate::image::export::{Export, Exported};
use crate::image::provenance::Provenance;
use crate::image::request::Request;
use crate::image_tree::{ImageTree, join};
use crate::published::Wanted;
use crate::threads;

/// What a build has made.
pub(super) struct Made {
    pub(super) exported: Vec<Exported>,
    pub(super) tree: ImageTree,
    /// None where it cannot be asked for.
    pub(super) base: Option<BaseLayers>,
}

/// Builds, and once more where the builder remembers layers that an empty one would make otherwise.
///
/// Fails when even then the layers are not those.
pub(super) fn make(request: &Request, wanted: &Wanted, export: &Export) -> anyhow::Result<Made> {
    let (exec, platforms) = (request.ctx.exec.clone(), &wanted.platforms);
    let from = export.base();
    let ask = move || from.map(|from| BaseLayers::ask(&exec, from, platforms));
    let (base, exported) = threads::beside(ask, || export.run(request.ctx));
    let mut exported = exported?;
    let base = base.transpose().unwrap_or_else(|why| {
        crate::say::errln!("note: {why:#}");
        None
    });
    let mut tree = whole(request, &exported)?;
    let faults = |tree: &ImageTree| {
        let compression = request.options.compression;
        layers::faults(tree, platforms, base.as_ref(), compression).join("; ")
    };
    let mut wrong = faults(&tree);
    // A builder that remembers nothing would do no better.
    if !wrong.is_empty() && !request.options.no_cache {
        crate::say::errln!(
            "note: the builder remembers layers of another build ({wrong}): their steps are run again"
        );
        let stages = request.bases.last_stages.as_deref();
        exported = export.anew(stages).run(request.ctx)?;
        tree = whole(request, &exported)?;
        wrong = faults(&tree);
    }
    ensure!(
        wrong.is_empty(),
        "nothing was pushed: even without its cache the builder makes other layers than it should: {wrong}; \
         hint: another builder (`--builder NAME`, `--create-builder`)"
    );
    Ok(Made {
        exported,
        tree,
        base,
    })
}

/// What the parts of a build are together.
fn whole(request: &Request, exported: &[Exported]) -> anyhow::Result<ImageTree> {
    let trees: Vec<ImageTree> = exported.iter().map(|part| part.tree.clone()).collect();
    match trees.as_slice() {
        // Who wants no index (AWS Lambda refuses each) gets none, where one manifest is all.
        [one] if !one.is_index() && request.options.provenance == Provenance::Off => {
            Ok(one.clone())
        }
        several => join(several),
    }
}
