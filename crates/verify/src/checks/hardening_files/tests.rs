//! The good image, broken in one place at a time.

use super::CHECKS;
use crate::checks::fixture::{
    self, SYSTEM, add, change, file, folder, good, hardlink, owned, remove, symlink, text,
};
use crate::facts::ImageFacts;
use crate::rootfs::{Entry, Kind};

fn said(id: &str, facts: &ImageFacts) -> String {
    fixture::said(CHECKS, id, facts)
}

fn said_with(id: &str, entry: Entry) -> String {
    fixture::said_with_entry(CHECKS, id, entry)
}

#[test]
fn set_id_bits_are_found_on_files_and_folders() {
    let id = "hardening-setuid";
    for (entry, expected) in [
        (file("bin/x", 0o4755), "failed: setuid `/bin/x`"),
        (file("bin/x", 0o2755), "failed: setgid `/bin/x`"),
        (file("bin/x", 0o6755), "failed: setuid and setgid `/bin/x`"),
        (folder("srv", 0o2755), "failed: setgid folder `/srv`"),
    ] {
        assert_eq!(said_with(id, entry), format!("{expected} ({SYSTEM})"));
    }
    for harmless in [symlink("bin/x", "y"), folder("srv", 0o1755)] {
        assert!(said_with(id, harmless).starts_with("passed: none in "));
    }
    let link = Entry {
        mode: 0o4755,
        ..hardlink("bin/x", "bin/bash")
    };
    assert!(said_with(id, link).starts_with("failed: setuid `/bin/x`"));
}

#[test]
fn file_capabilities_are_found() {
    let entry = Entry {
        has_capabilities: true,
        ..file("bin/ping", 0o755)
    };
    let said = said_with("hardening-file-capabilities", entry);
    assert_eq!(said, format!("failed: `/bin/ping` ({SYSTEM})"));
}

#[test]
fn accounts_are_locked() {
    let id = "hardening-passwords";
    assert_eq!(said(id, &good()), "passed: 3 accounts, all locked");
    let agent = "agentgate:!::0:::::\n";
    for (shadow, expected) in [
        (
            format!("root:::0:::::\n{agent}"),
            "failed: `root` needs no password (`/etc/shadow`)",
        ),
        (
            format!("root\n{agent}"),
            "failed: `root` needs no password (`/etc/shadow`)",
        ),
        (
            format!("root:$6$salt$hash:1::::::\n{agent}"),
            "failed: `root` has a password (`/etc/shadow`)",
        ),
        (
            format!("root:!$6$salt$hash:1::::::\n{agent}"),
            "failed: `root` has a password (`/etc/shadow`)",
        ),
        (
            "root:*:::::::\n".to_owned(),
            "failed: no `agentgate` in `/etc/shadow`",
        ),
        (
            format!("\nroot:!!:::::::\nbin:!*:::::::\n{agent}"),
            "passed: 3 accounts, all locked",
        ),
    ] {
        assert_eq!(said_with(id, text("etc/shadow", &shadow)), expected);
    }
    assert_eq!(
        said_with(id, text("etc/passwd", "root::0:0::/root:/bin/sh\n")),
        "failed: `root` needs no password (`/etc/passwd`)"
    );
    assert_eq!(
        said_with(id, file("etc/shadow", 0o640)),
        "failed: `/etc/shadow` is not a text file"
    );
    let mut facts = good();
    remove(&mut facts, "etc/shadow");
    assert_eq!(said(id, &facts), "failed: no `/etc/shadow`");
}

#[test]
fn escalation_tools_are_found_in_any_folder_of_path() {
    let id = "hardening-escalation-tools";
    for path in [
        "usr/bin/sudo",
        "sbin/su-exec",
        "usr/local/sbin/gosu",
        "bin/su",
    ] {
        let expected = format!("failed: `/{path}` ({SYSTEM})");
        assert_eq!(said_with(id, file(path, 0o755)), expected);
    }
    assert!(said_with(id, file("srv/sudo", 0o755)).starts_with("passed: none of 7 programs"));
    assert!(said_with(id, folder("usr/bin/sudo", 0o755)).starts_with("passed"));
    let mut facts = good();
    facts.image.config.config.env = vec!["PATH=/opt/x/:/bin".to_owned()];
    add(&mut facts, 1, symlink("opt/x/doas", "y"));
    assert!(said(id, &facts).starts_with("failed: `/opt/x/doas`"));
}

#[test]
fn only_four_folders_are_for_everyone() {
    let id = "hardening-world-writable";
    for (entry, expected) in [
        (
            file("srv/x", 0o666),
            format!("failed: 0666 `/srv/x` ({SYSTEM})"),
        ),
        (
            folder("srv", 0o1777),
            format!("failed: 1777 `/srv` ({SYSTEM})"),
        ),
        (
            folder("tmp", 0o777),
            format!("failed: 0777 without sticky bit `/tmp` ({SYSTEM})"),
        ),
        (
            file("tmp", 0o666),
            format!("failed: 0666 `/tmp` ({SYSTEM})"),
        ),
        (
            folder("tmp/x", 0o777),
            format!("failed: 0777 `/tmp/x` ({SYSTEM})"),
        ),
    ] {
        assert_eq!(said_with(id, entry), expected);
    }
    let pipe = fixture::entry("srv/pipe", Kind::Special, 0o622);
    assert!(said_with(id, pipe).starts_with("failed: 0622 `/srv/pipe`"));
    for harmless in [
        symlink("srv/x", "y"),
        fixture::entry("dev/null", Kind::Special, 0o666),
        folder("srv", 0o1775),
    ] {
        assert!(said_with(id, harmless).starts_with("passed"));
    }
}

#[test]
fn caches_are_counted() {
    let id = "hardening-package-cache";
    for (path, cache) in [
        ("var/cache/apk/APKINDEX.00.tar.gz", "var/cache"),
        ("root/.npm/_logs/x", "root/.npm"),
        ("root/.cache/x", "root/.cache"),
        ("home/any/.cache/pip/x", "home/*/.cache"),
        ("var/lib/apt/lists/x", "var/lib/apt/lists"),
        ("tmp/v8-compile-cache-0/x", "tmp"),
    ] {
        assert_eq!(
            said_with(id, file(path, 0o644)),
            format!("failed: 1 file of 1.5 kB in `/{cache}` ({SYSTEM})")
        );
    }
    for path in [
        "var/cached",
        "home/any/x/.cache/x",
        "srv/tmp/x",
        "root/.npmrc",
    ] {
        assert!(
            said_with(id, file(path, 0o644)).starts_with("passed"),
            "{path}"
        );
    }
    assert!(said_with(id, folder("tmp/x", 0o755)).starts_with("passed"));
}

#[test]
fn a_cache_that_is_hidden_counts_above_the_base_alone() {
    let id = "hardening-package-cache";
    for (layer, path, is_counted) in [
        (1, "var/cache/apk/APKINDEX.00.tar.gz", true),
        (1, "var/cache/apk/git-2.51.0-r0.apk", true),
        (1, "root/.npm/_cacache/x", true),
        (1, "var/cache/apk/other", false),
        (0, "var/cache/apk/APKINDEX.00.tar.gz", false),
    ] {
        let mut facts = good();
        add(&mut facts, layer, file(path, 0o644));
        add(&mut facts, 3, fixture::entry(path, Kind::Whiteout, 0));
        let said = said(id, &facts);
        let start = "failed: 1 file of 1.5 kB of a cache that a layer above hides";
        assert_eq!(said.starts_with(start), is_counted, "{said}");
        assert_eq!(said.starts_with("passed"), !is_counted, "{said}");
    }
}

#[test]
fn build_tools_are_found() {
    let id = "hardening-build-tools";
    assert_eq!(
        said(id, &good()),
        "passed: none of 7 programs and 3 packages"
    );
    for path in [
        "usr/bin/gcc",
        "usr/bin/x86_64-alpine-linux-musl-gcc",
        "usr/local/bin/cargo",
    ] {
        let expected = format!("failed: `/{path}` ({SYSTEM})");
        assert_eq!(said_with(id, file(path, 0o755)), expected);
    }
    for package in ["musl-dev", "build-base", "make", "g++"] {
        let database = format!("C:x\nP:{package}\nV:1\n");
        let expected = format!("failed: package `{package}`");
        assert_eq!(
            said_with(id, text("lib/apk/db/installed", &database)),
            expected
        );
    }
    let mut facts = good();
    remove(&mut facts, "lib/apk/db/installed");
    assert_eq!(
        said(id, &facts),
        "passed: none of 7 programs and 0 packages"
    );
    add(&mut facts, 1, text("usr/lib/apk/db/installed", "P:gcc\n"));
    assert_eq!(said(id, &facts), "failed: package `gcc`");
    assert_eq!(
        said_with(id, file("usr/include/sys/types.h", 0o644)),
        format!("failed: 1 header in `/usr/include/sys` ({SYSTEM})")
    );
}

#[test]
fn build_tools_may_be_asked_for() {
    let id = "hardening-build-tools";
    let mut facts = good();
    let database = "P:make\nF:usr/bin\nR:make\nF:usr/include\nR:gnumake.h\n";
    add(&mut facts, 1, text("lib/apk/db/installed", database));
    add(&mut facts, 1, file("usr/bin/make", 0o755));
    add(&mut facts, 1, file("usr/include/gnumake.h", 0o644));
    assert!(said(id, &facts).starts_with("failed: `/usr/bin/make`"));
    let labels = &mut facts.image.config.config.labels;
    labels.insert("io.agentgate.extra-packages".to_owned(), "make".to_owned());
    let asked = "passed: none but what EXTRA_PACKAGES asked for: make";
    assert_eq!(said(id, &facts), asked);
    // What apk did not install nobody asked for.
    add(&mut facts, 1, file("usr/local/bin/gcc", 0o755));
    let failed = format!("failed: `/usr/local/bin/gcc` ({SYSTEM})");
    assert_eq!(said(id, &facts), failed);
}

#[test]
fn the_home_has_empty_folders_alone() {
    let id = "hardening-home";
    for entry in [
        owned(folder("home/agentgate/.npm", 0o755), 1000),
        file("home/agentgate/.claude/settings.json", 0o644),
        symlink("home/agentgate/.config", "/workspace"),
    ] {
        let expected = format!("failed: `/{}` ({SYSTEM})", entry.path);
        assert_eq!(said_with(id, entry), expected);
    }
    assert_eq!(
        said_with(id, folder("home/agentgates", 0o755)),
        "passed: only empty folders in `/home/agentgate`"
    );
    let mut facts = good();
    change(&mut facts, "home/agentgate", |entry| entry.mode = 0o755);
    assert!(said(id, &facts).starts_with("passed"));
}
