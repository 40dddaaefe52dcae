//! What must hold of all checks that need no container: the good image passes them, and a wrong
//! one is described in words.

use std::collections::BTreeSet;

use xtask::oci::Config;

use super::fixture::{self, judge};
use super::{agent, catalogue, contract_files, hardening_files, image, index};
use crate::check::{Check, How, Verdict};
use crate::facts::{ImageFacts, IndexFacts};

fn checks() -> impl Iterator<Item = &'static Check> {
    let all = [
        agent::CHECKS,
        contract_files::CHECKS,
        hardening_files::CHECKS,
        image::CHECKS,
        index::CHECKS,
    ];
    let files = |check: &&Check| matches!(check.how, How::Files(_));
    all.into_iter().flatten().filter(files)
}

/// The ids of the checks that fail; every failure says what it saw, what it expected and what to do.
fn failing(facts: &ImageFacts) -> Vec<&'static str> {
    let mut failing = Vec::new();
    for check in checks() {
        match judge(std::slice::from_ref(check), check.id, facts) {
            Verdict::Passed(seen) | Verdict::NotApplicable(seen) => assert_is_said(check, &seen),
            Verdict::Failed(failure) => {
                assert_is_said(check, &failure.seen);
                assert_is_said(check, &failure.expected);
                failing.push(check.id);
            }
        }
    }
    failing
}

fn assert_is_said(check: &Check, text: &str) {
    let is_message = !text.trim().is_empty() && !text.ends_with('.') && !text.contains('\n');
    assert!(is_message, "{}: {text:?}", check.id);
}

#[test]
fn every_check_has_its_own_id_and_a_remedy() {
    let ids: BTreeSet<&str> = super::all().map(|check| check.id).collect();
    assert_eq!(ids.len(), super::all().count());
    // One that is in no group of the report would be left out.
    assert_eq!(ids.len(), catalogue().count());
    for check in catalogue() {
        for text in [check.proves, check.source, check.remedy] {
            assert_is_said(check, text);
        }
    }
}

#[test]
fn the_good_image_passes_every_check() {
    assert_eq!(failing(&fixture::good()), [""; 0]);
}

#[test]
fn an_image_of_nothing_is_told_what_it_lacks() {
    let expected = [
        "agent-npm-prefix",
        "agent-home-folders",
        "agent-path",
        "agent-packages",
        "contract-home-mode",
        "contract-passwd",
        "contract-safe-directory",
        "claude-managed-settings",
        "hardening-passwords",
        "health-declared",
        "image-configuration",
        "image-entrypoint-static",
        "image-architecture",
        "image-labels",
        "image-revision",
        "image-created",
        "image-layers",
    ];
    assert_eq!(failing(&fixture::scratch()), expected);
}

/// Alpine as it comes: one layer, `/bin/sh` as its command, no labels.
#[test]
fn another_image_is_told_what_it_lacks() {
    let mut facts = fixture::good();
    facts.image.layers.truncate(1);
    facts.image.manifest.layers.truncate(1);
    facts.image.config = Config {
        os: "linux".to_owned(),
        architecture: "amd64".to_owned(),
        ..Config::default()
    };
    facts.image.config.config.cmd = vec!["/bin/sh".to_owned()];
    facts.index = IndexFacts::None;
    let failing = failing(&facts);
    for id in [
        "contract-passwd",
        "image-layers",
        "image-configuration",
        "hardening-setuid",
    ] {
        assert!(failing.contains(&id), "{id}: {failing:?}");
    }
}

#[test]
fn counts_that_do_not_fit_harm_nobody() {
    let mut facts = fixture::good();
    facts.image.manifest.layers.truncate(2);
    facts.image.config.history.truncate(3);
    facts
        .image
        .config
        .config
        .env
        .push("no equals sign".to_owned());
    facts.image.config.config.healthcheck = Some(xtask::oci::Healthcheck::default());
    assert_eq!(failing(&facts), ["health-declared"]);
}
