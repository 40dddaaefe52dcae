//! apk, in a container of the base: which versions the repositories have now. Command lines, and what apk prints.

use std::collections::BTreeMap;
use std::path::Path;

use crate::printable::short;

/// Versions by the names of packages.
pub(super) type Versions = BTreeMap<String, String>;

/// A package that a build would install in another version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Newer {
    pub(super) name: String,
    pub(super) from: String,
    pub(super) to: String,
}

/// Where the certificates are in the container, as in the Dockerfile.
const CA_BUNDLE: &str = "/run/secrets/ca-bundle";

/// The arguments of docker that print the database of what is installed in an image, which must be there.
pub(super) fn database_args(image: &str) -> Vec<&str> {
    let words = "run --rm --pull=never --network=none --user=0 --entrypoint=cat";
    let words = words.split(' ');
    words.chain([image, "/lib/apk/db/installed"]).collect()
}

/// Asks for the packages that are its arguments. `apk search` alone ends well where a repository cannot be had, and
/// ends badly where a package is not in one.
const SEARCH: &str = "apk update >&2 || exit 1; apk search --exact -- \"$@\" || true";

/// The arguments of docker that print what the base's repositories have of these packages.
pub(super) fn search_args(
    base: &str,
    installed: &Versions,
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
    args.extend(installed.keys().cloned());
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

/// Reads apk's database: records, each with lines `P:` and `V:`, and an empty line between them.
///
/// Fails when a record lacks one of the two or has it twice, when a package is there twice, and when a name or a
/// version is none.
pub(super) fn installed(database: &str) -> Result<Versions, String> {
    let mut all = Versions::new();
    for record in database.split("\n\n").map(str::trim) {
        if record.is_empty() {
            continue;
        }
        let field = |start: &str| {
            let mut found = record.lines().filter_map(|line| line.strip_prefix(start));
            found.next().filter(|_| found.next().is_none())
        };
        let (Some(name), Some(version)) = (field("P:"), field("V:")) else {
            return Err("a record of apk's database has no name and version of its own".to_owned());
        };
        if !is_name(name) || !is_version(version) {
            let (name, version) = (short(name), short(version));
            return Err(format!(
                "apk's database has `{name}` in `{version}`, which is no package"
            ));
        }
        if all.insert(name.to_owned(), version.to_owned()).is_some() {
            return Err(format!("apk's database has `{name}` twice"));
        }
    }
    if all.is_empty() {
        return Err("apk's database is empty".to_owned());
    }
    Ok(all)
}

/// Reads what `apk search --exact` prints: a name and a version on each line, joined by `-`.
///
/// Fails on any other line, on two versions of one package, and where none is offered: the repositories are others.
pub(super) fn offered(said: &str, installed: &Versions) -> Result<Versions, String> {
    let mut all = Versions::new();
    for line in said.lines() {
        let mut splits = line.match_indices('-').map(|(at, _)| line.split_at(at));
        let found = splits.find_map(|(name, version)| {
            let version = version.strip_prefix('-')?;
            let is_it = installed.contains_key(name) && is_version(version);
            is_it.then(|| (name.to_owned(), version.to_owned()))
        });
        let (name, version) = found.ok_or_else(|| {
            format!(
                "apk printed `{}`, which is none of the packages",
                short(line)
            )
        })?;
        match all.insert(name.clone(), version.clone()) {
            Some(before) if before != version => {
                return Err(format!("apk offers `{name}` as {before} and as {version}"));
            }
            _ => {}
        }
    }
    if all.is_empty() {
        return Err("apk offers none of the packages that are installed".to_owned());
    }
    Ok(all)
}

/// What is offered in another version than it is installed in.
pub(super) fn other(installed: &Versions, offered: &Versions) -> Vec<Newer> {
    let pairs = installed.iter().filter_map(|(name, from)| {
        let to = offered.get(name).filter(|to| *to != from)?;
        Some(Newer {
            name: name.clone(),
            from: from.clone(),
            to: to.clone(),
        })
    });
    pairs.collect()
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

/// A name as Alpine has them; it never begins with what apk reads as an option.
fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric();
    name.starts_with(is_plain) && name.chars().all(|c| is_plain(c) || "._+-".contains(c))
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

    fn versions(pairs: &[(&str, &str)]) -> Versions {
        let own = |(name, version): &(&str, &str)| ((*name).to_owned(), (*version).to_owned());
        pairs.iter().map(own).collect()
    }

    #[test]
    fn the_database_is_read_strictly() {
        let text = "C:Q1\nP:bash\nV:5.3.3-r0\nA:x86_64\nF:bin\nR:bash\n\nC:Q2\nP:py3-pip\nV:1.2.5_git20240512-r10\n\n";
        let expected = versions(&[("bash", "5.3.3-r0"), ("py3-pip", "1.2.5_git20240512-r10")]);
        assert_eq!(installed(text), Ok(expected));
        for (text, why) in [
            ("", "is empty"),
            ("P:bash\n\n", "no name and version"),
            ("V:1-r0\n\n", "no name and version"),
            ("P:a\nP:b\nV:1-r0\n", "no name and version"),
            ("P:a\nV:1-r0\n\nP:a\nV:1-r1\n", "`a` twice"),
            ("P:--root=/\nV:1-r0\n", "no package"),
            ("P:a b\nV:1-r0\n", "no package"),
            ("P:a\nV:1\n", "no package"),
            ("P:a\nV:$(id)-r0\n", "no package"),
            ("P:a\nV:1-r\n", "no package"),
            ("<html>\n", "no name and version"),
        ] {
            let error = installed(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    /// Lines as apk-tools 2.14 and 3.0 print them.
    #[test]
    fn what_is_offered_is_read_strictly() {
        let have = versions(&[("bash", "5.3.3-r0"), ("py3-pip", "1-r0"), ("py3", "1-r0")]);
        let said = "bash-5.3.3-r1\npy3-pip-1-r0\n";
        let offered_now = offered(said, &have).unwrap();
        assert_eq!(
            offered_now,
            versions(&[("bash", "5.3.3-r1"), ("py3-pip", "1-r0")])
        );
        assert_eq!(offered("bash-1-r0\nbash-1-r0\n", &have).unwrap().len(), 1);
        let [other] = &other(&have, &offered_now)[..] else {
            panic!()
        };
        assert_eq!(
            (&*other.name, &*other.from, &*other.to),
            ("bash", "5.3.3-r0", "5.3.3-r1")
        );
        for (said, why) in [
            ("WARNING: opening: No such file", "none of the packages"),
            ("zsh-5.9-r0", "none of the packages"),
            ("bash-5.3.3", "none of the packages"),
            ("bash-doc-5.3.3-r0", "none of the packages"),
            ("bash-5.3.3-r1 - shell", "none of the packages"),
            ("", "offers none"),
            ("\n", "none of the packages"),
            ("bash-1-r0\nbash-1-r1", "as 1-r0 and as 1-r1"),
        ] {
            let error = offered(said, &have).unwrap_err();
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
        let have = versions(&[("jq", "1-r0"), ("bash", "1-r0")]);
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
