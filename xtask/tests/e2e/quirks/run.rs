//! Runs a row: each command at a stand of its own, then crane.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::crane::Peer;
use super::judge::{Wrong, difference, end, requests};
use super::row::{Command, Ends, ROW, Row};
use super::scene::{Scene, changed};
use super::session::Session;
use super::stand::Stand;
use crate::common::Ran;

pub(super) struct Runner<'a> {
    scene: &'a Scene,
    /// What each reading command says where there is no quirk.
    plain: Mutex<BTreeMap<Command, String>>,
    crane: Option<Peer<'a>>,
}

impl<'a> Runner<'a> {
    pub(super) fn new(scene: &'a Scene) -> Runner<'a> {
        Runner {
            scene,
            plain: Mutex::default(),
            crane: Peer::find(scene),
        }
    }

    /// What is wrong with a row.
    /// Runs the first commands of a row, so many at most.
    pub(super) fn row(&self, row: &Row, most: usize) -> Wrong {
        let mut wrong = Wrong::new();
        if !row.place.is_here() {
            eprintln!("NOT RUN: {}", row.name);
            return wrong;
        }
        for &(command, ends) in row.runs.iter().take(most) {
            let found = self.run(row, command, ends).into_iter();
            wrong.extend(found.map(|why| format!("{command:?}: {why}")));
        }
        let crane = self.crane.as_ref().and_then(|crane| crane.judge(row));
        wrong.extend(crane.map(|why| format!("crane: {why}")));
        wrong
    }

    fn run(&self, row: &Row, command: Command, ends: Ends) -> Wrong {
        let stand = self.stand(row);
        let session = Session::new(self.scene, command, &stand);
        let before = self.scene.tags(&session.path);
        let ran = session.run(row);
        let after = self.scene.tags(&session.path);
        let changes: Vec<String> = changed(&before, &after).into_iter().collect();
        let mut wrong = stand.leaks();
        wrong.extend(match ends {
            Ends::Works => self.judge(&session, command, &ran, &changes),
            Ends::Shows(parts) => {
                let missing = parts.iter().filter(|part| !ran.stdout.contains(**part));
                missing.map(|part| format!("shows no `{part}`")).collect()
            }
            Ends::Fails(failure) => failure.judge(&ran, &changes, &stand),
        });
        // Whatever else: these lead to the image that was released, or to where they were.
        for tag in ["v2.1.0", "latest"] {
            let is_elsewhere = after.get(tag) != before.get(tag);
            if is_elsewhere && after.get(tag) != Some(&self.scene.next.1) {
                wrong.push(format!("`{tag}` is at {:?}", after.get(tag)));
            }
        }
        if !wrong.is_empty() {
            wrong.push(format!("{}\n{}", end(&ran), requests(&stand)));
        }
        wrong
    }

    /// Judges a run that has to work.
    fn judge(&self, session: &Session, command: Command, ran: &Ran, changes: &[String]) -> Wrong {
        if ran.code != Some(0) {
            return vec!["fails".to_owned()];
        }
        if command.reads() {
            let (said, plain) = (session.neutral(&ran.stdout), self.plain(command));
            return (said != plain)
                .then(|| difference(&said, &plain))
                .into_iter()
                .collect();
        }
        let wanted = command.changes(self.scene);
        let why = || format!("changes {changes:?} instead of {wanted:?}");
        (changes != wanted).then(why).into_iter().collect()
    }

    /// What a reading command says of the same repository without a quirk.
    fn plain(&self, command: Command) -> String {
        if let Some(plain) = self.plain.lock().unwrap().get(&command) {
            return plain.clone();
        }
        let stand = self.stand(&ROW);
        let session = Session::new(self.scene, command, &stand);
        let ran = session.run(&ROW).succeeded();
        let plain = session.neutral(&ran.stdout);
        self.plain.lock().unwrap().insert(command, plain.clone());
        plain
    }

    fn stand(&self, row: &Row) -> Stand {
        Stand::before(&self.scene.upstream, row.place, row.auth, row.rules)
    }
}
