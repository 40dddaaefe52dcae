//! What the image's files must not have: privileges, secrets, leftovers of the build.

mod leftovers;
mod passwords;
#[cfg(test)]
mod tests;

use super::agent::{FOLDERS, is_stray};
use super::inspect::{Root, count};
use super::secrets;
use crate::check::{Check, How, Verdict};
use crate::facts::ImageFacts;
use crate::rootfs::{Entry, Kind};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "hardening-setuid",
        proves: "no file of the image changes the user or group of who runs it",
        source: "docs/specification.md, Security Hardening: no setuid binaries needed",
        remedy: "take the bits away in the layer that brings the path: `chmod a-s PATH`",
        how: How::Files(setuid),
    },
    Check {
        id: "hardening-file-capabilities",
        proves: "no file of the image brings capabilities of its own",
        source: "docs/specification.md, Security Hardening: no privileged operations",
        remedy: "take them away in the layer that brings the file: `setcap -r FILE`",
        how: How::Files(file_capabilities),
    },
    Check {
        id: "hardening-passwords",
        proves: "nobody can log in with a password, or without one",
        source: "docs/specification.md, Security Hardening: no sudo access",
        remedy: "lock the account in the Dockerfile: `passwd -l NAME` or `adduser -D`",
        how: How::Files(passwords::passwords),
    },
    Check {
        id: "hardening-escalation-tools",
        proves: "the image has no program that changes the user, such as sudo",
        source: "docs/specification.md, Security Hardening: no sudo access",
        remedy: "do not install the package, or `apk del` it in the same `RUN`",
        how: How::Files(escalation_tools),
    },
    Check {
        id: "hardening-world-writable",
        proves: "everyone may write to `/tmp`, `/var/tmp`, `/workspace` and the home alone",
        source: "docs/specification.md, Security Hardening: /workspace is only writable mount",
        remedy: "take the bit away in the layer that brings the path: `chmod o-w PATH`",
        how: How::Files(world_writable),
    },
    Check {
        id: "hardening-package-cache",
        proves: "no package manager left its cache",
        source: "docs/specification.md, Security Hardening: no package manager cache",
        remedy: "install with `apk add --no-cache`, give npm's cache a `--mount=type=cache`, \
                 or remove the files in the same `RUN`",
        how: How::Files(leftovers::package_cache),
    },
    Check {
        id: "hardening-build-tools",
        proves: "no compiler, linker or header is in the image",
        source: "docs/specification.md, Size optimization: multi-stage build to exclude dev dependencies",
        remedy: "build in another stage and `COPY --from` it what is needed",
        how: How::Files(leftovers::build_tools),
    },
    Check {
        id: "hardening-secrets-environment",
        proves: "no variable of the environment holds a secret",
        source: "docs/specification.md, What the project adds: no layer keeps a secret",
        remedy: "take it out of `ENV` and revoke it: who can pull the image has it",
        how: How::Files(secrets::environment),
    },
    Check {
        id: "hardening-secrets-labels",
        proves: "no label holds a secret",
        source: "docs/specification.md, What the project adds: no layer keeps a secret",
        remedy: "take it out of `LABEL` (and out of the remote's URL) and revoke it: who can pull \
                 the image has it",
        how: How::Files(secrets::labels),
    },
    Check {
        id: "hardening-secrets-history",
        proves: "no line of the build's history holds a secret",
        source: "docs/specification.md, What the project adds: no layer keeps a secret",
        remedy: "give it to the build by `RUN --mount=type=secret`, not by `ARG`, and revoke it: \
                 who can pull the image has it",
        how: How::Files(secrets::history),
    },
    Check {
        id: "hardening-secrets-files",
        proves: "no file of any layer holds a secret",
        source: "docs/specification.md, What the project adds: no layer keeps a secret",
        remedy: "keep it out of that layer (`.dockerignore`, `RUN --mount=type=secret`) and revoke \
                 it; removing the file in a later layer does not remove it from the image",
        how: How::Files(secrets::files),
    },
    Check {
        id: "hardening-build-ca",
        proves: "what the build was made to trust is not trusted by the image",
        source: "docker/Dockerfile.agent: behind a proxy, no layer keeps its certificate",
        remedy: "give it to the build by `--secret id=ca-bundle,src=FILE` alone",
        how: How::Files(secrets::build_ca),
    },
    Check {
        id: "hardening-home",
        proves: "nothing that the tmpfs over the home would hide is there, but empty folders",
        source: "docs/contract.md, Traps: whatever the image keeps under /home/agentgate is hidden",
        remedy: "keep settings in `/etc` and programs in `/usr/local`",
        how: How::Files(home),
    },
];

/// The only paths that everyone may write to, folders with a sticky bit.
const WRITABLE: [&str; 4] = ["tmp", "var/tmp", "workspace", "home/agentgate"];

/// Programs that exist to become another user.
const ESCALATION: [&str; 7] = [
    "sudo", "sudoedit", "doas", "su-exec", "gosu", "pkexec", "su",
];

fn setuid(facts: &ImageFacts) -> Verdict {
    let root = Root::of(facts);
    let mut found = Vec::new();
    for file in root.files.values() {
        let bits = match file.entry.mode & 0o6000 {
            0 => continue,
            0o4000 => "setuid",
            0o2000 => "setgid",
            _ => "setuid and setgid",
        };
        match file.entry.kind {
            Kind::File | Kind::Hardlink(_) => found.push(format!("{bits} {}", root.name(file))),
            Kind::Folder => found.push(format!("{bits} folder {}", root.name(file))),
            _ => {}
        }
    }
    root.none_of(&found, "no setuid or setgid bit")
}

fn file_capabilities(facts: &ImageFacts) -> Verdict {
    let root = Root::of(facts);
    let files = root.files.values();
    let found: Vec<String> = files
        .filter(|file| file.entry.has_capabilities)
        .map(|file| root.name(file))
        .collect();
    root.none_of(&found, "no `security.capability`")
}

fn escalation_tools(facts: &ImageFacts) -> Verdict {
    let root = Root::of(facts);
    let programs = programs(facts, &root);
    let files = programs.iter().filter_map(|path| root.files.get(path));
    let found: Vec<String> = files
        .filter(|file| is_escalation(file.entry))
        .map(|file| root.name(file))
        .collect();
    if found.is_empty() {
        return Verdict::passed(format!("none of {}", count(programs.len(), "program")));
    }
    Verdict::none_of(&found, "no program to become another user with")
}

fn is_escalation(entry: &Entry) -> bool {
    let name = entry.path.rsplit('/').next().unwrap_or_default();
    // Busybox has no setuid bit, so its `su` can do nothing.
    let is_applet = match &entry.kind {
        Kind::Symlink(target) | Kind::Hardlink(target) => target.ends_with("busybox"),
        _ => false,
    };
    ESCALATION.contains(&name) && !(name == "su" && is_applet)
}

/// The paths of all that is in a folder of PATH: of the image's own, and of the usual one.
fn programs<'a>(facts: &ImageFacts, root: &Root<'a>) -> Vec<&'a str> {
    const USUAL: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let own = facts.image.config.config.env("PATH").unwrap_or_default();
    let folders: Vec<&str> = [USUAL, own]
        .iter()
        .flat_map(|path| path.split(':'))
        .map(|folder| folder.trim_matches('/'))
        .collect();
    let paths = root.files.iter();
    paths
        .filter(|(_, file)| file.entry.kind != Kind::Folder)
        .filter(|(path, _)| {
            let folder = path.rsplit_once('/').map(|(folder, _)| folder);
            folder.is_some_and(|folder| folders.contains(&folder))
        })
        .map(|(path, _)| *path)
        .collect()
}

fn world_writable(facts: &ImageFacts) -> Verdict {
    let root = Root::of(facts);
    let mut found = Vec::new();
    for (path, file) in &root.files {
        let entry = file.entry;
        // A runtime puts its own `/dev` over the image's.
        let is_link = matches!(entry.kind, Kind::Symlink(_)) || path.starts_with("dev/");
        let is_allowed = WRITABLE.contains(path) && entry.kind == Kind::Folder;
        let is_sticky = entry.mode & 0o1000 != 0;
        if is_link || entry.mode & 0o002 == 0 || is_allowed && is_sticky {
            continue;
        }
        let lacks = if is_allowed {
            " without sticky bit"
        } else {
            ""
        };
        found.push(format!("{:04o}{lacks} {}", entry.mode, root.name(file)));
    }
    root.none_of(
        &found,
        "only `/tmp`, `/var/tmp`, `/workspace` and `/home/agentgate`, with sticky bit",
    )
}

fn home(facts: &ImageFacts) -> Verdict {
    let root = Root::of(facts);
    let strays = root.files.values().filter(|file| is_stray(file.entry));
    let found: Vec<String> = strays.map(|file| root.name(file)).collect();
    if found.is_empty() {
        return Verdict::passed("only empty folders in `/home/agentgate`");
    }
    let folders = FOLDERS.map(|(path, _)| path.trim_start_matches("home/agentgate/"));
    let expected = format!("only {} in `/home/agentgate`", folders.join(", "));
    Verdict::none_of(&found, &expected)
}
