//! Ways to break the image by one more layer, and the check that each is for.

mod agent;
mod claude;
mod contract;
mod files;
mod running;

/// An image that is broken in one way.
pub(super) struct Breakage {
    /// What is wrong, in a few words for the matrix.
    pub(super) what: &'static str,
    /// The check that must flag it; others may, too.
    pub(super) owner: &'static str,
    /// What follows `FROM` the good image, as root.
    pub(super) layer: &'static str,
}

/// The placeholder in a layer for an `ENTRYPOINT` that is a script around the good one, which is
/// `$REAL`; the script follows in the same line.
pub(super) const AROUND: &str = "{AROUND} ";

/// The placeholder in a layer for a `claude` that is a script, which follows in the same line.
pub(super) const CLAUDE: &str = "{CLAUDE} ";

/// The placeholder in a layer for a token that looks real, which no source file may hold.
pub(super) const TOKEN: &str = "{TOKEN}";

const fn broken(what: &'static str, owner: &'static str, layer: &'static str) -> Breakage {
    Breakage { what, owner, layer }
}

/// The breakages that the gate builds: one for each way in which verify inspects an image. The judgements
/// themselves have table tests beside the checks.
pub(super) const IN_GATE: [&str; 26] = [
    // In the sandbox that most checks share.
    "bash has no terminal",
    "no jq",
    "a request without a network hangs",
    "npm's global prefix is in HOME",
    "busybox's grep",
    // In sandboxes of their own.
    "the entrypoint takes a second",
    "a shell between PID 1 and its command",
    "only the command gets the signal to stop",
    "a workspace of another owner is fatal",
    "the image's own HOME gives a warning",
    "PID 1 reaps nobody",
    "every end is reported as success",
    "PID 1 can be traced",
    "what stops on a terminal stays stopped",
    "the health check forgets /tmp",
    "programs bring capabilities",
    "a server is started",
    // By Claude Code itself.
    "`claude -p` prints no JSON",
    "the strict settings let a repository's hooks run",
    // In the configuration, the history, the files of all layers and the sizes.
    "runs as root",
    "a token in ENV",
    "a token in a file that a later layer removes",
    "a program with capabilities",
    "the entrypoint is for another machine",
    "a label names a package that is not there",
    "70 MB too large",
];

/// Whether the gate builds an image with this breakage.
pub(super) fn is_in_gate(breakage: &Breakage) -> bool {
    IN_GATE.contains(&breakage.what)
}

/// Those that need an image each.
const APART: [&[Breakage]; 3] = [contract::BREAKAGES, running::BREAKAGES, claude::BREAKAGES];
/// Those that can share an image: in each list, none touches what another's check inspects.
const TOGETHER: [&[Breakage]; 2] = [agent::BREAKAGES, files::BREAKAGES];

/// All of them, in the order of the docs.
pub(super) fn breakages() -> impl Iterator<Item = &'static Breakage> {
    APART.into_iter().chain(TOGETHER).flatten()
}

/// The images to build for the chosen ones, by what is broken in each.
pub(super) fn images(is_chosen: impl Fn(&Breakage) -> bool) -> Vec<Vec<&'static Breakage>> {
    let chosen = |list: &'static [Breakage]| list.iter().filter(|breakage| is_chosen(breakage));
    let together = TOGETHER.into_iter().flat_map(|list| share(chosen(list)));
    let apart = APART.into_iter().flat_map(chosen);
    together
        .chain(apart.map(|breakage| vec![breakage]))
        .collect()
}

/// Distributes breakages over as few images as possible, none with two breakages of one check.
fn share(breakages: impl Iterator<Item = &'static Breakage>) -> Vec<Vec<&'static Breakage>> {
    let mut images: Vec<Vec<&Breakage>> = Vec::new();
    for breakage in breakages {
        let is_free = |image: &&mut Vec<&Breakage>| {
            let mut owners = image.iter().map(|one| one.owner);
            owners.all(|owner| owner != breakage.owner)
        };
        match images.iter_mut().find(is_free) {
            Some(image) => image.push(breakage),
            None => images.push(vec![breakage]),
        }
    }
    images
}
