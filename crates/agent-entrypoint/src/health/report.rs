//! The report of `health`: a line for each probe, or one JSON document.
//!
//! `{"schema":1,"probes":[{"name":"node","ok":true,"answer":"v20.20.2","milliseconds":38}],"healthy":true}`,
//! with `reason` instead of `answer` where `ok` is false.

use super::{MOST, Verdict};
use crate::text::{Piece, Sink, Text};

/// Room for every probe's line at its longest, each byte escaped.
const LONGEST: usize = MOST * 3 * 1024;

pub struct Report {
    text: Text<LONGEST>,
    is_json: bool,
    is_healthy: bool,
    is_first: bool,
}

impl Report {
    pub fn new(is_json: bool) -> Self {
        let mut text = Text::new();
        if is_json {
            text.push("{\"schema\":1,\"probes\":[");
        }
        Self {
            text,
            is_json,
            is_healthy: true,
            is_first: true,
        }
    }

    pub fn add(&mut self, name: &'static str, verdict: &Verdict, milliseconds: u64) {
        self.is_healthy &= verdict.is_well;
        if self.is_json {
            self.add_json(name, verdict, milliseconds);
            return;
        }
        let (word, blank) = if verdict.is_well {
            ("ok ", " ")
        } else {
            ("fail ", ": ")
        };
        self.text.push(word).push(name).push(blank);
        self.text.push(&verdict.text).push("\n");
    }

    fn add_json(&mut self, name: &'static str, verdict: &Verdict, milliseconds: u64) {
        let comma = if self.is_first { "" } else { "," };
        self.is_first = false;
        self.text.push(comma).push("{\"name\":\"").push(name);
        let key = if verdict.is_well {
            "\",\"ok\":true,\"answer\":"
        } else {
            "\",\"ok\":false,\"reason\":"
        };
        self.text.push(key).push(Json(verdict.text.as_bytes()));
        let milliseconds = u32::try_from(milliseconds).unwrap_or(u32::MAX);
        self.text
            .push(",\"milliseconds\":")
            .push(milliseconds)
            .push("}");
    }

    pub fn finish(&mut self) -> &[u8] {
        if self.is_json {
            let healthy = if self.is_healthy { "true" } else { "false" };
            self.text.push("],\"healthy\":").push(healthy).push("}\n");
        }
        self.text.as_bytes()
    }
}

/// A JSON string. What is no UTF-8 becomes the replacement character.
struct Json<'a>(&'a [u8]);

impl Piece for Json<'_> {
    fn put(self, out: &mut Sink<'_>) {
        out.byte(b'"');
        for chunk in self.0.utf8_chunks() {
            for byte in chunk.valid().bytes() {
                match byte {
                    b'"' | b'\\' => {
                        out.byte(b'\\');
                        out.byte(byte);
                    }
                    // No message has any; in JSON they may not stand as they are.
                    0..0x20 => out.byte(b' '),
                    byte => out.byte(byte),
                }
            }
            if !chunk.invalid().is_empty() {
                "\u{fffd}".put(out);
            }
        }
        out.byte(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::compose;

    #[test]
    fn both_forms_tell_the_same() {
        let good = Verdict {
            is_well: true,
            text: compose!("v20 \"x\\"),
        };
        let bad = Verdict::fail(&b"\xffgone"[..]);
        let told = |is_json| {
            let mut report = Report::new(is_json);
            report.add("node", &good, 12);
            report.add("claude", &bad, 0);
            String::from_utf8_lossy(report.finish()).into_owned()
        };
        assert_eq!(
            told(false),
            "ok node v20 \"x\\\nfail claude: \u{fffd}gone\n"
        );
        assert_eq!(
            told(true),
            "{\"schema\":1,\"probes\":[\
             {\"name\":\"node\",\"ok\":true,\"answer\":\"v20 \\\"x\\\\\",\"milliseconds\":12},\
             {\"name\":\"claude\",\"ok\":false,\"reason\":\"\u{fffd}gone\",\"milliseconds\":0}],\
             \"healthy\":false}\n"
        );
        assert_eq!(
            Report::new(true).finish(),
            b"{\"schema\":1,\"probes\":[],\"healthy\":true}\n"
        );
    }
}
