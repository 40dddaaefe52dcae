//! What to add to Cargo.toml where nobody's proof is believed yet.

use crate::ctx::Ctx;
use crate::refusal::Refusal;

/// Who says on GitHub who a job is.
const ISSUER: &str = "https://token.actions.githubusercontent.com";
/// The tags of versions.
const TAGS: &str = r"tags/v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?";

/// The refusal of proofs from elsewhere where nobody is believed; on GitHub with the lines for its workflows.
pub(super) fn refusal(ctx: &Ctx) -> Refusal {
    let github = ctx.exec.var("GITHUB_SERVER_URL");
    let is_github = github.as_deref() == Some("https://github.com");
    let repository = ctx.exec.var("GITHUB_REPOSITORY").filter(|_| is_github);
    let remedy = match repository {
        Some(repository) => {
            let branch = ctx.settings.default_branch.as_deref().unwrap_or("main");
            let lines = lines(&repository, branch);
            format!(
                "add these lines to Cargo.toml (docs/ci.md describes them), and release a commit that has \
                 them\n\n{lines}"
            )
        }
        None => "leave out `--receipt-dir`, and the image is verified now; or add `proof = { keys = \
                 [\"cosign.pub\"] }` under `[workspace.metadata.image]`, and sign with `cargo xtask verify \
                 --sign=cosign.key`"
            .to_owned(),
    };
    Refusal::new(
        "`--receipt-dir` is given, and nobody's proof is believed: Cargo.toml has no `proof` settings",
        remedy,
    )
}

/// The settings that believe the workflows of a repository on GitHub, on a branch and at the tags of versions.
fn lines(repository: &str, branch: &str) -> String {
    let (name, heads) = (repository.replace('.', r"\."), branch.replace('.', r"\."));
    let identity = |workflows: &str| {
        format!(
            r"'^https://github\.com/{name}/\.github/workflows/{workflows}\.yml@refs/(heads/{heads}|{TAGS})$'"
        )
    };
    format!(
        "[workspace.metadata.image.signing]\n\
         identity = {}\n\
         issuer = \"{ISSUER}\"\n\
         \n\
         [workspace.metadata.image.proof]\n\
         identity = {}\n\
         release-identity = {}\n\
         issuer = \"{ISSUER}\"\n",
        identity("release"),
        identity("verify"),
        identity("(release|rollback)"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_are_those_of_the_page() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/ci.md");
        let page = std::fs::read_to_string(page).unwrap();
        let (_, rest) = page.split_once("```toml\n").unwrap();
        let (expected, _) = rest.split_once("```\n").unwrap();
        assert_eq!(lines("OWNER/NAME", "main"), expected);
    }

    #[test]
    fn a_dot_in_a_name_is_a_dot() {
        let lines = lines("ada/agent.rs", "release-1.x");
        assert!(lines.contains(r"/ada/agent\.rs/\.github/"), "{lines}");
        assert!(lines.contains(r"(heads/release-1\.x|tags/"), "{lines}");
    }
}
