//! What a push will do, for each state of the registry.

use super::*;
use crate::image_tree::tests::Shelf;

const BOTH: &[Platform] = &Platform::ALL;

fn wanted(platforms: &[Platform]) -> Wanted {
    Wanted {
        tag: "sha-0123456".to_owned(),
        reference: "agentgate/agent:sha-0123456".to_owned(),
        platforms: platforms.to_vec(),
        revision: "r".to_owned(),
    }
}

/// What is found where the index has images of these architectures and revisions.
fn found(images: &[(&str, &str)]) -> TagContent {
    let mut shelf = Shelf::default();
    let entries: Vec<_> = images
        .iter()
        .enumerate()
        .flat_map(|(number, (arch, revision))| shelf.image(arch, revision, &number.to_string()))
        .collect();
    TagContent::There(shelf.read(&entries).unwrap())
}

#[test]
fn the_same_commits_tag_is_adopted_and_any_other_is_refused() {
    let good = [("amd64", "r"), ("arm64", "r")];
    assert_eq!(
        goal(&TagContent::Absent, &wanted(BOTH), false),
        Ok(PushGoal::Build)
    );
    assert_eq!(
        goal(&found(&good), &wanted(BOTH), false),
        Ok(PushGoal::Adopt)
    );
    assert_eq!(
        goal(&found(&good), &wanted(BOTH), true),
        Ok(PushGoal::Build)
    );
    for (images, why) in [
        (
            &[("amd64", "r"), ("arm64", "other")][..],
            "its image for `linux/arm64` is built from commit `other`",
        ),
        (&[("amd64", "r")], "it has nothing for `linux/arm64`"),
        (
            &[("amd64", "r"), ("arm64", "r"), ("riscv64", "r")],
            "it has an image for `linux/riscv64` too",
        ),
    ] {
        for rebuild in [false, true] {
            let refused = goal(&found(images), &wanted(BOTH), rebuild).unwrap_err();
            assert!(refused.contains(why), "{refused}");
            assert!(refused.contains("hint: a published tag"), "{refused}");
        }
    }
    let broken = TagContent::Broken("its manifest is missing".to_owned());
    let refused = goal(&broken, &wanted(BOTH), false).unwrap_err();
    assert!(refused.contains("its manifest is missing"), "{refused}");
}

#[test]
fn all_platforms_are_pushed_or_one() {
    assert_eq!(platforms(&[], BOTH).unwrap(), BOTH);
    let reversed = [BOTH[1], BOTH[0], BOTH[1]];
    assert_eq!(platforms(&reversed, BOTH).unwrap(), BOTH);
    assert_eq!(platforms(&BOTH[1..], BOTH).unwrap(), BOTH[1..]);
    assert!(platforms(BOTH, &BOTH[..1]).is_err());
    assert!(platforms(&BOTH[1..], &BOTH[..1]).is_err());
}

#[test]
fn a_part_has_a_tag_of_its_own() {
    assert_eq!(
        part_tag("sha-0123456", Platform::LinuxArm64),
        "sha-0123456-linux-arm64"
    );
}

#[test]
fn a_tag_that_moves_is_rewritten_unless_it_is_wanted() {
    let good = [("amd64", "r"), ("arm64", "r")];
    let other = [("amd64", "other"), ("arm64", "other")];
    let broken = || TagContent::Broken("x".to_owned());
    let goal = |found, is_moving| {
        let wanted = wanted(BOTH);
        goal(&current(found, &wanted, is_moving), &wanted, false)
    };
    assert_eq!(goal(found(&good), true), Ok(PushGoal::Adopt));
    assert_eq!(goal(found(&other), true), Ok(PushGoal::Build));
    assert_eq!(goal(broken(), true), Ok(PushGoal::Build));
    assert!(goal(found(&other), false).is_err());
    assert!(goal(broken(), false).is_err());
}

#[test]
fn the_registry_is_asked_for_leave_where_a_build_is_written() {
    let published = || Some(Digest::of(b"published"));
    let stays = || Dev::Stays("why".to_owned());
    let pull_request = || Some("pr-7".to_owned());
    for (goal, published, dev, pull_request, want) in [
        (PushGoal::Build, None, stays(), None, true),
        // `--rebuild` compares, and may write nothing.
        (PushGoal::Build, published(), stays(), None, false),
        (PushGoal::Build, published(), stays(), pull_request(), true),
        (
            PushGoal::Build,
            published(),
            Dev::Moves { from: None },
            None,
            true,
        ),
        (
            PushGoal::Build,
            published(),
            Dev::Moves { from: published() },
            None,
            false,
        ),
        // Without a build the first write says as much.
        (
            PushGoal::Adopt,
            published(),
            Dev::Moves { from: None },
            pull_request(),
            false,
        ),
        (PushGoal::Join, None, stays(), None, false),
    ] {
        let plan = PushPlan {
            wanted: wanted(BOTH),
            goal,
            published,
            dev,
            is_moving: false,
            pull_request,
            commands: Vec::new(),
        };
        assert_eq!(plan.is_build_written(), want, "{goal:?} {:?}", plan.dev);
    }
}
