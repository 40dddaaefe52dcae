//! crane on the same rows.

use tempfile::TempDir;

use super::judge::{end, requests};
use super::row::{Crane, Ends, Row};
use super::scene::Scene;
use super::stand::Stand;
use crate::common::{Ran, command};
use crate::world::{root, unique_name};

/// crane, with an image that it can push.
pub(super) struct Peer<'a> {
    scene: &'a Scene,
    layout: TempDir,
}

impl<'a> Peer<'a> {
    /// None where there is no crane, which the test bed brings.
    pub(super) fn find(scene: &'a Scene) -> Option<Peer<'a>> {
        let is_test_bed = std::env::var_os("TESTBED_REGISTRY").is_some();
        if which::which("crane").is_err() && !is_test_bed {
            eprintln!("NOT RUN: crane, which is not on PATH");
            return None;
        }
        // As a layout, so that it has nothing to mount.
        let layout = tempfile::tempdir().unwrap();
        let image = format!("{}/{}@{}", scene.upstream, scene.path, scene.image);
        let mut pull = command("crane", &root());
        pull.args(["pull", "--format", "oci", &image]);
        Ran::of(pull.arg(layout.path())).succeeded();
        Some(Peer { scene, layout })
    }

    /// What is wrong with what the row says of crane.
    pub(super) fn judge(&self, row: &Row) -> Option<String> {
        let (args, differs) = match row.crane {
            Crane::None(_) => return None,
            Crane::Agrees(args) => (args, None),
            Crane::Differs(args, why) => (args, Some(why)),
        };
        let ours = matches!(row.runs.first(), Some((_, Ends::Works | Ends::Shows(_))));
        let stand = Stand::before(&self.scene.upstream, row.place, row.auth, row.rules);
        let path = match args[0] {
            "tag" | "delete" => self.scene.publish(),
            "copy" | "push" => format!("push-test/{}", unique_name()),
            _ => self.scene.path.clone(),
        };
        let ran = self.run(row, &stand, args, &path);
        let theirs = ran.code == Some(0) && self.is_right(args[0], &ran, &path);
        let is_as_said = (theirs == ours) == differs.is_none();
        (!is_as_said).then(|| {
            let (end, requests) = (end(&ran), requests(&stand));
            format!("works: {theirs}, differs: {differs:?}; {end}\n{requests}")
        })
    }

    fn run(&self, row: &Row, stand: &Stand, args: &[&str], path: &str) -> Ran {
        let registry = &stand.names.registry;
        let mut crane = command("crane", &root());
        for arg in args {
            let arg = arg
                .replace("{repo}", &format!("{registry}/{path}"))
                .replace("{own}", &format!("{registry}/{}", self.scene.path))
                .replace("{digest}", &self.scene.next.1)
                .replace("{blob}", &self.scene.blob)
                .replace("{layout}", self.layout.path().to_str().unwrap());
            crane.arg(arg);
        }
        let home = tempfile::tempdir().unwrap();
        stand.prepare(&mut crane, home.path(), row.login);
        Ran::of(&mut crane)
    }

    /// Whether what crane said, or did, is so.
    fn is_right(&self, command: &str, ran: &Ran, path: &str) -> bool {
        let tags = self.scene.tags(path);
        match command {
            "ls" => {
                let mut said: Vec<&str> = ran.stdout.lines().collect();
                said.sort_unstable();
                said.iter().eq(tags.keys())
            }
            "digest" => tags.values().any(|digest| digest == ran.stdout.trim()),
            "push" => tags.get("v2.1.0") == Some(&self.scene.image),
            "tag" | "copy" => tags.get("v2.1.0") == Some(&self.scene.next.1),
            _ => true,
        }
    }
}
