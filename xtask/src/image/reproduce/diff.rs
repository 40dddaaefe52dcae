//! The first thing that differs between two images.

use std::io::{self, Read};

use anyhow::Context as _;
use serde_json::Value;

use crate::build_step;
use crate::image::layout::Layout;
use crate::image_tree::{Blobs as _, Image, ManifestStore as _};
use crate::oci::Digest;
use crate::unpack;

/// What differs first, from the lowest layer up: a file of a layer, else a field of the
/// configuration. None when both manifests are one.
pub(super) fn first_difference(
    images: [&Image; 2],
    layouts: [&Layout; 2],
) -> anyhow::Result<Option<String>> {
    let [one, other] = images;
    if one.digest() == other.digest() {
        return Ok(None);
    }
    let (mine, theirs) = (&one.entry.manifest.layers, &other.entry.manifest.layers);
    if mine.len() != theirs.len() {
        return Ok(Some(format!("{} and {} layers", mine.len(), theirs.len())));
    }
    let pairs = mine.iter().zip(theirs).zip(one.steps());
    for (number, ((mine, theirs), step)) in pairs.enumerate() {
        if mine.digest == theirs.digest {
            continue;
        }
        let open = |layout: &Layout, digest: &Digest| -> anyhow::Result<Vec<Entry>> {
            let stored = layout.open(digest)?;
            entries(unpack::unpack(stored)?)
        };
        let read = |layout, digest| {
            open(layout, digest).with_context(|| format!("layer `{digest}` cannot be read"))
        };
        let [mine, theirs] = [
            read(layouts[0], &mine.digest)?,
            read(layouts[1], &theirs.digest)?,
        ];
        let step = step.map(|step| format!(" (`{}`)", build_step::line(&step.created_by)));
        let what = in_archives(&mine, &theirs);
        return Ok(Some(format!(
            "layer {}{}: {}",
            number + 1,
            step.unwrap_or_default(),
            what.unwrap_or_else(|| "the same files, stored differently".to_owned())
        )));
    }
    let config = |layout: &Layout, image: &Image| -> anyhow::Result<Option<Value>> {
        let bytes = layout.config(&image.entry.manifest.config.digest)?;
        Ok(bytes
            .map(|bytes| serde_json::from_slice(&bytes))
            .transpose()?)
    };
    let configs = [config(layouts[0], one)?, config(layouts[1], other)?];
    let [Some(one), Some(other)] = configs else {
        return Ok(Some("a configuration is missing".to_owned()));
    };
    let field = in_values("", &one, &other);
    Ok(Some(match field {
        Some(field) => format!("the configuration: {field}"),
        None => "the manifests' own fields".to_owned(),
    }))
}

/// An entry of a layer's archive, as far as two builds may differ in it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    path: String,
    /// A name and a value each.
    fields: Vec<(String, String)>,
}

impl Entry {
    fn field(&self, name: &str) -> &str {
        let mut fields = self.fields.iter();
        let found = fields.find(|(other, _)| other == name);
        found.map_or("none", |(_, value)| value)
    }
}

fn entries(archive: impl Read) -> anyhow::Result<Vec<Entry>> {
    let mut archive = tar::Archive::new(archive);
    let mut all = Vec::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let header = entry.header();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut fields = [
            ("type", format!("{:?}", header.entry_type())),
            ("mode", format!("{:o}", header.mode()?)),
            ("uid", header.uid()?.to_string()),
            ("gid", header.gid()?.to_string()),
            ("mtime", header.mtime()?.to_string()),
            ("size", entry.size().to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec();
        let link = entry.link_name_bytes().map(|name| text(&name));
        fields.extend(link.map(|link| ("link".to_owned(), link)));
        let path = text(&entry.path_bytes());
        if let Some(extensions) = entry.pax_extensions()? {
            for extension in extensions {
                let extension = extension?;
                let name = format!("attribute {}", text(extension.key_bytes()));
                fields.push((name, text(extension.value_bytes())));
            }
        }
        let mut hash = Hash::default();
        io::copy(&mut entry, &mut hash)?;
        fields.push(("content".to_owned(), hash.digest().to_string()));
        all.push(Entry { path, fields });
    }
    Ok(all)
}

/// Hashes what is written to it.
#[derive(Default)]
struct Hash(sha2::Sha256);

impl Hash {
    fn digest(self) -> Digest {
        Digest::of_hash(&sha2::Digest::finalize(self.0))
    }
}

impl io::Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        sha2::Digest::update(&mut self.0, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The first entry that differs.
fn in_archives(one: &[Entry], other: &[Entry]) -> Option<String> {
    for (mine, theirs) in one.iter().zip(other) {
        if mine.path != theirs.path {
            return Some(format!("`{}` and `{}`", mine.path, theirs.path));
        }
        if mine.fields == theirs.fields {
            continue;
        }
        let own =
            |(name, _): &&(String, String)| !mine.fields.iter().any(|(other, _)| other == name);
        let names = mine.fields.iter().chain(theirs.fields.iter().filter(own));
        let differing = names.filter_map(|(name, _)| {
            let (mine, theirs) = (mine.field(name), theirs.field(name));
            (mine != theirs).then(|| format!("{name} {mine} and {theirs}"))
        });
        let said = differing.collect::<Vec<_>>().join(", ");
        return Some(format!("`{}`: {said}", mine.path));
    }
    let longer = if one.len() > other.len() { one } else { other };
    let extra = longer.get(one.len().min(other.len()))?;
    Some(format!("`{}` is in one of them alone", extra.path))
}

/// The path and the values of the first field that differs.
fn in_values(path: &str, one: &Value, other: &Value) -> Option<String> {
    if one == other {
        return None;
    }
    match (one, other) {
        (Value::Object(mine), Value::Object(theirs)) => {
            let names = mine.keys().chain(theirs.keys());
            names.into_iter().find_map(|name| {
                let of = |object: &serde_json::Map<String, Value>| {
                    object.get(name).cloned().unwrap_or_default()
                };
                in_values(&format!("{path}.{name}"), &of(mine), &of(theirs))
            })
        }
        (Value::Array(mine), Value::Array(theirs)) if mine.len() == theirs.len() => {
            let pairs = mine.iter().zip(theirs).enumerate();
            let mut found = pairs.filter_map(|(number, (mine, theirs))| {
                in_values(&format!("{path}[{number}]"), mine, theirs)
            });
            found.next()
        }
        _ => Some(format!("`{path}` is {one} and {other}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn archive(files: &[(&str, &str, u64)]) -> Vec<Entry> {
        let mut archive = tar::Builder::new(Vec::new());
        for (path, content, mtime) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mtime(*mtime);
            header.set_mode(0o644);
            header.set_uid(0);
            header.set_gid(0);
            archive
                .append_data(&mut header, path, content.as_bytes())
                .unwrap();
        }
        entries(&archive.into_inner().unwrap()[..]).unwrap()
    }

    #[test]
    fn the_first_file_that_differs_is_named_with_what_differs() {
        let base = [("etc/a", "x", 1), ("etc/b", "y", 1)];
        let one = archive(&base);
        assert_eq!(in_archives(&one, &one), None);
        for (other, said) in [
            (
                &[("etc/a", "x", 1), ("etc/b", "y", 2)][..],
                "`etc/b`: mtime 1 and 2",
            ),
            (&[("etc/a", "x", 1)], "`etc/b` is in one of them alone"),
            (
                &[("etc/a", "x", 1), ("etc/c", "y", 1)],
                "`etc/b` and `etc/c`",
            ),
        ] {
            assert_eq!(in_archives(&one, &archive(other)).as_deref(), Some(said));
        }
        let other = archive(&[("etc/a", "xx", 1), ("etc/b", "z", 2)]);
        let said = in_archives(&one, &other).unwrap();
        assert!(
            said.starts_with("`etc/a`: size 1 and 2, content sha256:"),
            "{said}"
        );
    }

    #[test]
    fn an_attribute_that_one_entry_alone_has_is_named() {
        let [one] = &archive(&[("etc/a", "x", 1)])[..] else {
            panic!("not one entry");
        };
        let mut other = one.clone();
        let attribute = ("attribute SCHILY.xattr.user.x", "1");
        let at = other.fields.len() - 1;
        other
            .fields
            .insert(at, (attribute.0.to_owned(), attribute.1.to_owned()));
        let (one, other) = ([one.clone()], [other]);
        let said = "`etc/a`: attribute SCHILY.xattr.user.x ";
        for (pair, values) in [
            ([&one, &other], "none and 1"),
            ([&other, &one], "1 and none"),
        ] {
            let expected = format!("{said}{values}");
            assert_eq!(in_archives(pair[0], pair[1]), Some(expected));
        }
    }

    #[test]
    fn the_first_field_that_differs_is_named() {
        let one = json!({"config": {"Env": ["A=1", "B=2"]}, "created": "x"});
        for (other, said) in [
            (
                json!({"config": {"Env": ["A=1", "B=3"]}, "created": "x"}),
                r#"`.config.Env[1]` is "B=2" and "B=3""#,
            ),
            (
                json!({"config": {"Env": ["A=1"]}, "created": "x"}),
                r#"`.config.Env` is ["A=1","B=2"] and ["A=1"]"#,
            ),
            (
                json!({"config": {"Env": ["A=1", "B=2"]}, "created": "x", "os": "linux"}),
                r#"`.os` is null and "linux""#,
            ),
        ] {
            assert_eq!(in_values("", &one, &other).as_deref(), Some(said));
        }
        assert_eq!(in_values("", &one, &one), None);
    }
}
