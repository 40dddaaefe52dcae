//! apk's database of what is installed: a text of packages, each some lines of a letter, a colon and a value, and
//! an empty line between them (apk-tools, `apk-package` and `src/database.c`).

use super::package::{Package, sorted};

/// The longest database, in bytes. Alpine's with a desktop has 12 MB, this image's 0.1 MB.
pub(super) const LONGEST: u64 = 32 << 20;

/// The packages of a database, in the order of their names.
///
/// Fails for what apk would not read, and for a package without a name or a version, with two, or there twice.
pub(super) fn parse(text: &[u8]) -> Result<Vec<Package>, String> {
    let mut packages = Vec::new();
    let (mut name, mut version) = (None, None);
    let mut is_begun = false;
    // The last package may end with the text.
    for line in text.split(|byte| *byte == b'\n').chain([&b""[..]]) {
        if line.is_empty() {
            if is_begun {
                let (Some(name), Some(version)) = (name.take(), version.take()) else {
                    return Err("a package has no name or no version".to_owned());
                };
                packages.push(Package::new(name, version)?);
            }
            is_begun = false;
            continue;
        }
        is_begun = true;
        let [key, b':', value @ ..] = line else {
            return Err("a line is not a letter, a colon and a value".to_owned());
        };
        let field = match key {
            b'P' => &mut name,
            b'V' => &mut version,
            _ => continue,
        };
        let value = std::str::from_utf8(value).map_err(|_| "a name or a version is not UTF-8")?;
        if field.replace(value).is_some() {
            return Err("a package has two names or two versions".to_owned());
        }
    }
    sorted(packages)
}

#[cfg(test)]
mod tests {
    use super::super::package::MOST;
    use super::*;

    /// As apk-tools 3.0 writes it, shortened.
    const REAL: &str = "C:Q1VFqm8pEgmviZMrdh2eQiwneFlsw=\nP:musl\nV:1.2.5-r21\nA:x86_64\nS:8279\nI:6552\n\
        T:the musl C library\nU:https://musl.libc.org/\nL:MIT\no:musl\nt:1774422169\n\
        p:so:libc.musl-x86_64.so.1=1\nF:lib\nR:ld-musl-x86_64.so.1\na:0:0:755\n\
        Z:Q1SLkS9hBidUbPwwrw+XR0Whv3ww8=\n\nC:Q1x=\nP:alpine-baselayout\nV:3.7.2-r0\nF:\nM:0:0:1777\nF:\u{e4}\n\n";

    fn said(text: &[u8]) -> String {
        match parse(text) {
            Ok(packages) => {
                let packages = packages.iter();
                let all: Vec<_> = packages
                    .map(|package| format!("{} {}", package.name(), package.version()))
                    .collect();
                all.join(", ")
            }
            Err(why) => format!("error: {why}"),
        }
    }

    #[test]
    fn packages_are_read_in_the_order_of_their_names() {
        let real = "alpine-baselayout 3.7.2-r0, musl 1.2.5-r21";
        for (text, expected) in [
            (REAL, real),
            (REAL.trim_end(), real),
            (&*format!("\n\n{REAL}\n"), real),
            ("", ""),
            // A virtual package has no file (aboutcode-org/scancode-toolkit#2766).
            ("P:.build-deps\nV:20261129.1\n", ".build-deps 20261129.1"),
        ] {
            assert_eq!(said(text.as_bytes()), expected);
        }
        // A file's name may be any bytes.
        assert_eq!(said(b"P:a\nV:1\nR:\xff\xfe\n"), "a 1");
    }

    #[test]
    fn what_apk_would_not_read_is_refused() {
        for (text, expected) in [
            (&b"P:a\n\nV:1\n"[..], "no name or no version"),
            (b"V:1\n", "no name or no version"),
            (b"F:lib\n", "no name or no version"),
            (b"P:a\nP:b\nV:1\n", "two names or two versions"),
            (b"P:a\nV:1\nV:1\n", "two names or two versions"),
            (b"P:a\nV:1\n\nP:a\nV:2\n", "the package `a` is there twice"),
            (b"P:a b\nV:1\n", "a bad name"),
            (b"P:a\r\nV:1\r\n", "a bad name"),
            (b"P:\xff\nV:1\n", "not UTF-8"),
            (b"P:a\nV:\x1b[2J\n", "`a` has a bad version"),
            (b"P:a\nV:1\nnonsense\n", "not a letter, a colon"),
            (b"P:a\nV:1\n \n", "not a letter, a colon"),
            (b"\x00\x00\x00", "not a letter, a colon"),
        ] {
            let said = said(text);
            assert!(
                said.starts_with("error: ") && said.contains(expected),
                "{said}"
            );
        }
        let many: String = (0..=MOST).map(|at| format!("P:a{at}\nV:1\n\n")).collect();
        assert!(said(many.as_bytes()).contains("more than 10000"));
    }
}
