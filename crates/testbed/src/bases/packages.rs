//! The packages of a Node base's repository: which of Debian's each holds, and what becomes of their files.

use std::path::Path;

/// A package for apk that is made of Debian's.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: &'static str,
    /// The Debian packages that it holds; its version is that of the first one.
    pub(crate) debs: &'static [&'static str],
    /// A script that makes Debian's files, which are in its working directory, what the package holds.
    pub(crate) prepare: &'static str,
    pub(crate) depends: &'static str,
    pub(crate) post_install: &'static str,
}

/// Debian's programs run with Debian's libraries, whose folders are not those of Alpine's.
const LIBRARIES_ONLY: &str = r"
    find . -regextype posix-extended ! -type d \
        ! -regex '\./lib(64)?/ld-linux[^/]*|\./(usr/)?lib/[^/]+-linux-gnu/[^/]+\.so[^/]*' -delete
    find . -type d -empty -delete";

/// A package of which nothing but its files is wanted.
const PLAIN: Package = Package {
    name: "",
    debs: &[],
    prepare: "",
    depends: LIBRARIES.name,
    post_install: "",
};

/// What a dynamically linked program of Debian's cannot start without.
pub(crate) const GLIBC: Package = Package {
    name: "glibc",
    debs: &["libc6", "libgcc-s1", "libstdc++6"],
    prepare: LIBRARIES_ONLY,
    depends: "",
    post_install: "",
};

/// Holds, besides what is named, every other library that the programs depend on.
pub(crate) const LIBRARIES: Package = Package {
    name: "debian-libs",
    debs: &["zlib1g", "libcurl3-gnutls", "libexpat1", "libpcre2-8-0"],
    prepare: LIBRARIES_ONLY,
    depends: GLIBC.name,
    post_install: "",
};

pub(crate) const PROGRAMS: [Package; 13] = [
    Package {
        name: "bash",
        debs: &["bash-static"],
        prepare: "mv bin/bash-static bin/bash",
        depends: "",
        post_install: "add-shell /bin/bash",
    },
    Package {
        name: "coreutils",
        debs: &["coreutils"],
        ..PLAIN
    },
    Package {
        name: "curl",
        debs: &["curl"],
        ..PLAIN
    },
    Package {
        name: "findutils",
        debs: &["findutils"],
        ..PLAIN
    },
    Package {
        name: "git",
        debs: &[GIT],
        prepare: "rm -r usr/share/perl5",
        ..PLAIN
    },
    Package {
        name: "grep",
        debs: &["grep"],
        ..PLAIN
    },
    Package {
        name: "jq",
        debs: &["jq"],
        ..PLAIN
    },
    // Not installed by default: for builds with `EXTRA_PACKAGES`.
    Package {
        name: "make",
        debs: &["make"],
        prepare: "rm -r usr/include",
        ..PLAIN
    },
    Package {
        name: "openssh-client-default",
        debs: &["openssh-client"],
        prepare: "rm -r usr/lib/systemd usr/share",
        ..PLAIN
    },
    Package {
        name: "patch",
        debs: &["patch"],
        ..PLAIN
    },
    Package {
        name: "procps-ng",
        debs: &["procps"],
        prepare: "rm -r etc",
        ..PLAIN
    },
    Package {
        name: "python3",
        debs: &[
            "python3",
            "python3-minimal",
            "python3.11",
            "python3.11-minimal",
            "libpython3.11-minimal",
            "libpython3.11-stdlib",
        ],
        // Debian's OpenSSL looks there for the certificates to trust.
        prepare: "mkdir usr/lib/ssl && ln -s /etc/ssl/cert.pem /etc/ssl/certs usr/lib/ssl/",
        ..PLAIN
    },
    Package {
        name: "tzdata",
        debs: &["tzdata"],
        // Alpine's has neither a second copy of each zone nor those that count leap seconds.
        prepare: "rm -rf usr/share/zoneinfo/posix usr/share/zoneinfo/right",
        depends: "",
        ..PLAIN
    },
];

/// The one package that is taken without all it depends on: that is Perl, for commands that nobody here uses.
pub(crate) const GIT: &str = "git";

/// Debian packages to be fetched with all they depend on.
pub(crate) fn named_debs() -> Vec<&'static str> {
    let packages = [&GLIBC, &LIBRARIES].into_iter().chain(&PROGRAMS);
    let debs = packages.flat_map(|package| package.debs).copied();
    debs.filter(|deb| *deb != GIT).collect()
}

/// The package name in a file name such as `name_version_arch.deb`.
pub(crate) fn deb_name(deb: &Path) -> &str {
    field(deb, 0)
}

/// Alpine's form of the version in a Debian package's file name: without epoch, revision and other additions.
pub(crate) fn apk_version(deb: &Path) -> String {
    let version = field(deb, 1);
    let upstream = version
        .split_once("%3a")
        .map_or(version, |(_epoch, rest)| rest);
    let digits = upstream
        .split(|c: char| !c.is_ascii_digit() && c != '.')
        .next();
    format!("{}-r0", digits.unwrap_or_default().trim_end_matches('.'))
}

fn field(deb: &Path, index: usize) -> &str {
    let file = deb.file_name().and_then(|name| name.to_str());
    file.and_then(|name| name.split('_').nth(index))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_become_alpines() {
        for (file, expected) in [
            ("git_1%3a2.39.5-0+deb12u3_amd64.deb", "2.39.5-r0"),
            ("zlib1g_1%3a1.2.13.dfsg-1_arm64.deb", "1.2.13-r0"),
            ("libc6_2.36-9+deb12u14_amd64.deb", "2.36-r0"),
            ("bash-static_5.2.15-2+b13_amd64.deb", "5.2.15-r0"),
        ] {
            assert_eq!(apk_version(&Path::new("/debs").join(file)), expected);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn of_a_library_package_only_libraries_are_kept() {
        use std::fs;

        use super::super::rootfs::script;

        let dir = tempfile::tempdir().unwrap();
        let kept = [
            "./lib/ld-linux-aarch64.so.1",
            "./lib/x86_64-linux-gnu/libz.so.1",
            "./lib64/ld-linux-x86-64.so.2",
            "./usr/lib/aarch64-linux-gnu/libjq.so.1.0.4",
        ];
        let dropped = [
            "./etc/ld.so.conf",
            "./lib/x86_64-linux-gnu/security/pam_unix.so",
            "./usr/bin/tool",
            "./usr/lib/x86_64-linux-gnu/gconv/UTF-16.so",
            "./usr/lib/x86_64-linux-gnu/pkgconfig/z.pc",
        ];
        for file in kept.iter().chain(&dropped) {
            let file = dir.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        script(LIBRARIES_ONLY).dir(dir.path()).run().unwrap();
        let left = script("find . -type f | LC_ALL=C sort; find . -type d -empty");
        assert_eq!(left.dir(dir.path()).read().unwrap(), kept.join("\n"));
    }

    #[test]
    fn git_comes_without_what_it_depends_on() {
        let debs = named_debs();
        assert!(!debs.contains(&"git"));
        for wanted in ["libc6", "libexpat1", "bash-static", "curl", "jq", "python3"] {
            assert!(debs.contains(&wanted), "{wanted}");
        }
        let file = Path::new("/debs/libstdc++6_12.2.0-14_amd64.deb");
        assert_eq!(deb_name(file), "libstdc++6");
    }
}
