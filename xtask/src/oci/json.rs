//! JSON that every parser reads in the same way.
//!
//! Of a key that is there twice Go keeps the last, others the first, and others fail (golang/go#14750). Go
//! replaces text that is not UTF-8, and takes keys without regard to case.

use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value};

use super::shape::{Shape, check};
use super::unclear::Unclear;
use crate::printable;

/// The longest document in bytes: what registries must take at least (distribution-spec 1.1, "Pushing
/// Manifests"), and the most that some of them take.
pub(crate) const LONGEST: u64 = 4 << 20;

/// Parses a document of a shape.
///
/// Fails for what is no JSON, is too long or too deep (128 levels), begins with a byte order mark, goes on
/// after its end, has text that is not UTF-8, has a key twice, at any depth, or has a key that equals a known
/// one but for case.
pub(crate) fn parse(bytes: &[u8], shape: &Shape) -> Result<Value, Unclear> {
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LONGEST) {
        return Err(Unclear::new("it is longer than 4 MiB"));
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(Unclear::new("it begins with a byte order mark"));
    }
    let Unique(value) = serde_json::from_slice(bytes).map_err(|why| {
        let why = why.to_string();
        Unclear::new(match why.strip_prefix(TWICE) {
            Some(rest) => rest.to_owned(),
            None => format!("it is not JSON ({why})"),
        })
    })?;
    check(&value, shape).map_err(Unclear::new)?;
    Ok(value)
}

/// What an error begins with that is no fault of the syntax.
const TWICE: &str = "twice: ";

/// A value in which no object has a key twice.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Unique, D::Error> {
        Seed.deserialize(deserializer).map(Unique)
    }
}

struct Seed;

impl<'de> DeserializeSeed<'de> for Seed {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Seed)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(Seed)?;
            if map.contains_key(&key) {
                let key = printable::line(&key);
                return Err(A::Error::custom(format!("{TWICE}it has `{key}` twice")));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(bytes: &[u8]) -> String {
        parse(bytes, &Shape::Any)
            .err()
            .map_or(String::new(), |why| why.to_string())
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        let deep = "[".repeat(200) + &"]".repeat(200);
        let long = vec![b' '; 5 << 20];
        for (bytes, expected) in [
            (&br#"{"a":1,"a":1}"#[..], "it has `a` twice"),
            (br#"{"x":[{"y":{"a":1,"b":2,"a":3}}]}"#, "it has `a` twice"),
            // An escape is the same key.
            (br#"{"a":1,"\u0061":2}"#, "it has `a` twice"),
            (
                b"{\"\\u001b[2J\":1,\"\\u001b[2J\":2}",
                r"it has `\u{1b}[2J` twice",
            ),
            (b"\xef\xbb\xbf{}", "byte order mark"),
            (b"{} {}", "it is not JSON (trailing characters"),
            (b"{}\0", "it is not JSON (trailing characters"),
            (b"{\"a\":\"\xff\"}", "it is not JSON"),
            (b"{\"\xc0\xaf\":1}", "it is not JSON"),
            (br#"{"a":"\ud800"}"#, "it is not JSON"),
            (b"{\"a\":1,}", "it is not JSON"),
            (b"{'a':1}", "it is not JSON"),
            (b"// x\n{}", "it is not JSON"),
            (b"{\"a\":NaN}", "it is not JSON"),
            (b"{\"a\":01}", "it is not JSON"),
            (b"", "it is not JSON"),
            (b"<html>", "it is not JSON"),
            (deep.as_bytes(), "it is not JSON (recursion limit"),
            (&long, "it is longer than 4 MiB"),
        ] {
            let why = why(bytes);
            assert!(why.contains(expected), "{expected}: {why}");
        }
    }

    #[test]
    fn what_all_parsers_read_alike_is_the_same_value() {
        for text in [
            r#"{"a":1,"A":2,"b":{"a":-1},"c":[null,true,1.5,"\u00e9"]}"#,
            "  [] \n",
            "{}",
            "null",
        ] {
            let expected: Value = serde_json::from_str(text).unwrap();
            assert_eq!(parse(text.as_bytes(), &Shape::Any), Ok(expected));
        }
    }
}
