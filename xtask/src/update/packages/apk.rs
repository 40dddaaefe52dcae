//! apk, in a container of the base: which versions the repositories have now. Command lines, and what apk prints.

use std::path::Path;

use crate::packages::Package;
use crate::printable::short;

/// A package that a build would install in another version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Newer {
    pub(super) name: String,
    pub(super) from: String,
    pub(super) to: String,
}

/// Where the certificates are in the container, as in the Dockerfile.
const CA_BUNDLE: &str = "/run/secrets/ca-bundle";

/// Asks for the packages that are its arguments. `apk search` alone ends well where a repository cannot be had, and
/// ends badly where a package is not in one.
const SEARCH: &str = "apk update >&2 || exit 1; apk search --exact -- \"$@\" || true";

/// The arguments of docker that print what the base's repositories have of these packages.
pub(super) fn search_args(
    base: &str,
    installed: &[Package],
    ca_bundle: Option<&Path>,
) -> Vec<String> {
    let mut args = own("run --rm --user=0 --cap-drop=ALL --security-opt=no-new-privileges");
    if let Some(bundle) = ca_bundle {
        // Quoted, as the value is a line of CSV.
        let source = bundle.display().to_string().replace('"', "\"\"");
        args.push(format!(
            "--mount=type=bind,\"source={source}\",target={CA_BUNDLE},readonly"
        ));
        args.push(format!("--env=SSL_CERT_FILE={CA_BUNDLE}"));
    }
    args.extend(["--entrypoint=sh", base, "-c", SEARCH, "sh"].map(str::to_owned));
    args.extend(installed.iter().map(|package| package.name().to_owned()));
    args
}

/// The arguments of docker that print how the versions of each package compare, one a line.
pub(super) fn compare_args(base: &str, newer: &[Newer]) -> Vec<String> {
    let mut args = own("run --rm --network=none --user=0 --entrypoint=sh");
    let script = "while [ $# -gt 0 ]; do apk version --test \"$1\" \"$2\"; shift 2; done";
    args.extend([base, "-c", script, "sh"].map(str::to_owned));
    args.extend(
        newer
            .iter()
            .flat_map(|one| [one.from.clone(), one.to.clone()]),
    );
    args
}

fn own(words: &str) -> Vec<String> {
    words.split(' ').map(str::to_owned).collect()
}

/// Reads what `apk search --exact` prints, a name and a version on each line, joined by `-`: what is installed in
/// another version than is offered.
///
/// Fails on any other line, on two versions of one package, and where none is offered: the repositories are others.
pub(super) fn other(said: &str, installed: &[Package]) -> Result<Vec<Newer>, String> {
    let mut offered: Vec<Option<&str>> = vec![None; installed.len()];
    for line in said.lines() {
        let found = installed.iter().enumerate().find_map(|(at, package)| {
            let version = line.strip_prefix(package.name())?.strip_prefix('-')?;
            is_version(version).then_some((at, version))
        });
        let (at, version) = found.ok_or_else(|| {
            format!(
                "apk printed `{}`, which is none of the packages",
                short(line)
            )
        })?;
        if let Some(before) = offered[at]
            .replace(version)
            .filter(|before| *before != version)
        {
            let name = installed[at].name();
            return Err(format!("apk offers `{name}` as {before} and as {version}"));
        }
    }
    if offered.iter().all(Option::is_none) {
        return Err("apk offers none of the packages that are installed".to_owned());
    }
    let pairs = installed.iter().zip(offered);
    let other = pairs.filter_map(|(package, offered)| {
        let to = offered.filter(|to| *to != package.version())?;
        Some(Newer {
            name: package.name().to_owned(),
            from: package.version().to_owned(),
            to: to.to_owned(),
        })
    });
    Ok(other.collect())
}

/// Those that apk calls higher: `said` has `<`, `>` or `=` for each, one a line. What a repository has taken back is
/// not newer.
///
/// Fails when apk says anything else.
pub(super) fn newer(other: Vec<Newer>, said: &str) -> Result<Vec<Newer>, String> {
    let signs: Vec<&str> = said.lines().collect();
    let is_sign = |sign: &&str| ["<", ">", "="].contains(sign);
    if signs.len() != other.len() || !signs.iter().all(is_sign) {
        let said = short(said);
        return Err(format!("apk compares versions in unknown words: `{said}`"));
    }
    let pairs = other.into_iter().zip(signs);
    Ok(pairs
        .filter(|(_, sign)| *sign == "<")
        .map(|(one, _)| one)
        .collect())
}

/// A version with its release: `5.3.3-r1`, `1.2.5_git20240512-r0`.
fn is_version(version: &str) -> bool {
    let Some((upstream, release)) = version.rsplit_once("-r") else {
        return false;
    };
    let is_digit = |c: char| c.is_ascii_digit();
    let is_part = |c: char| c.is_ascii_digit() || c.is_ascii_lowercase() || "._~".contains(c);
    upstream.starts_with(is_digit)
        && upstream.chars().all(is_part)
        && !release.is_empty()
        && release.chars().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(pairs: &[(&str, &str)]) -> Vec<Package> {
        let package = |(name, version): &(&str, &str)| Package::new(name, version).unwrap();
        pairs.iter().map(package).collect()
    }

    /// Lines as apk-tools 2.14 and 3.0 print them.
    #[test]
    fn what_is_offered_is_read_strictly() {
        let have = packages(&[("bash", "5.3.3-r0"), ("py3", "1-r0"), ("py3-pip", "1-r0")]);
        let said = other("bash-5.3.3-r1\npy3-pip-1-r0\n", &have).unwrap();
        let expected = Newer {
            name: "bash".to_owned(),
            from: "5.3.3-r0".to_owned(),
            to: "5.3.3-r1".to_owned(),
        };
        assert_eq!(said, [expected]);
        assert_eq!(other("py3-1-r0\npy3-1-r0\n", &have), Ok(vec![]));
        let git = "py3-1.2.5_git20240512-r10\n";
        assert_eq!(other(git, &have).unwrap()[0].to, "1.2.5_git20240512-r10");
        for (said, why) in [
            ("WARNING: opening: No such file", "none of the packages"),
            ("zsh-5.9-r0", "none of the packages"),
            ("bash-5.3.3", "none of the packages"),
            ("bash-5.3.3-r", "none of the packages"),
            ("bash-$(id)-r0", "none of the packages"),
            ("bash-doc-5.3.3-r0", "none of the packages"),
            ("bash-5.3.3-r1 - shell", "none of the packages"),
            ("", "offers none"),
            ("\n", "none of the packages"),
            ("bash-1-r0\nbash-1-r1", "as 1-r0 and as 1-r1"),
        ] {
            let error = other(said, &have).unwrap_err();
            assert!(error.contains(why), "{said}: {error}");
        }
    }

    #[test]
    fn only_what_apk_calls_higher_is_newer() {
        let one = |name: &str| Newer {
            name: name.to_owned(),
            from: "1-r0".to_owned(),
            to: "1-r1".to_owned(),
        };
        let all = || ["a", "b", "c"].map(one).to_vec();
        assert_eq!(newer(all(), "<\n>\n=\n"), Ok(vec![one("a")]));
        for said in ["", "<\n<\n", "<\n<\n<\n<\n", "<\n<\n?\n", "< \n<\n<\n"] {
            assert!(newer(all(), said).is_err(), "{said}");
        }
    }

    #[test]
    fn the_command_lines_name_the_packages_last() {
        let have = packages(&[("bash", "1-r0"), ("jq", "1-r0")]);
        assert_eq!(
            search_args("node:20", &have, Some(Path::new("/a,\"b.pem"))).join(" "),
            "run --rm --user=0 --cap-drop=ALL --security-opt=no-new-privileges --mount=type=bind,\"source=/a,\"\"b.pem\",\
             target=/run/secrets/ca-bundle,readonly --env=SSL_CERT_FILE=/run/secrets/ca-bundle --entrypoint=sh node:20 \
             -c apk update >&2 || exit 1; apk search --exact -- \"$@\" || true sh bash jq"
        );
        let args = search_args("node:20", &have, None).join(" ");
        assert!(!args.contains("ca-bundle"), "{args}");
    }
}
