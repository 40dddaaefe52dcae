//! The results as JUnit XML, which most CI systems show. `docs/verify.md` has the mapping.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use xtask::oci::Digest;

use super::check::{Outcome, Status};
use super::report::{PlatformReport, Report, group};
use super::scan::Scan;
use super::show::text;

/// The report as a document: a test suite for each platform, a test case for each check.
pub(crate) fn xml(report: &Report) -> io::Result<String> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let all: Vec<Outcome> = report.platforms.iter().flat_map(cases).collect();
    let all: Vec<&Outcome> = all.iter().collect();
    writer
        .create_element("testsuites")
        .with_attribute(("name", line(&report.image).as_str()))
        .with_attributes(borrowed(&totals(&all, report.seconds)))
        .write_inner_content(|writer| {
            for one in &report.platforms {
                suite(writer, report, one)?;
            }
            Ok(())
        })?;
    let mut text = String::from_utf8(writer.into_inner()).map_err(io::Error::other)?;
    text.push('\n');
    Ok(text)
}

/// How a status is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Passed,
    Failure,
    Error,
    Skipped,
}

impl Case {
    fn of(status: Status) -> Case {
        match status {
            Status::Passed => Case::Passed,
            Status::Failed => Case::Failure,
            Status::Unproven => Case::Error,
            Status::NotExecuted | Status::NotApplicable | Status::Skipped => Case::Skipped,
        }
    }
}

/// The attributes that count.
fn totals(results: &[&Outcome], seconds: f64) -> [(&'static str, String); 5] {
    let of = |case: Case| {
        let cases = results.iter().map(|one| Case::of(one.status));
        cases.filter(|of| *of == case).count()
    };
    [
        ("tests", results.len().to_string()),
        ("failures", of(Case::Failure).to_string()),
        ("errors", of(Case::Error).to_string()),
        ("skipped", of(Case::Skipped).to_string()),
        ("time", time(seconds)),
    ]
}

/// The checks, and the scan.
fn cases(one: &PlatformReport) -> Vec<Outcome> {
    let scan = one.scan.as_ref().map(Scan::outcome);
    one.results.iter().cloned().chain(scan).collect()
}

fn suite(writer: &mut Writer<Vec<u8>>, report: &Report, one: &PlatformReport) -> io::Result<()> {
    let results = cases(one);
    let results: Vec<&Outcome> = results.iter().collect();
    writer
        .create_element("testsuite")
        .with_attribute(("name", one.platform.as_str()))
        .with_attributes(borrowed(&totals(&results, one.seconds)))
        .write_inner_content(|writer| {
            properties(writer, report, one)?;
            for result in &results {
                case(writer, one, result)?;
            }
            Ok(())
        })?;
    Ok(())
}

/// What was proven, and how.
fn properties(
    writer: &mut Writer<Vec<u8>>,
    report: &Report,
    one: &PlatformReport,
) -> io::Result<()> {
    let properties = [
        ("digest", Some(report.digest.as_str())),
        ("manifest", one.manifest.as_ref().map(Digest::as_str)),
        ("execution", Some(one.execution.as_str())),
        ("check_set", Some(report.check_set.as_str())),
        ("receipt", Some(&one.receipt)),
        ("bundle", one.bundle.as_deref()),
        (
            "scan",
            one.scan.as_ref().and_then(|scan| scan.report.as_deref()),
        ),
    ];
    let property = |writer: &mut Writer<Vec<u8>>, name: &str, value: &str| {
        let element = writer.create_element("property");
        let attributes = [("name", name), ("value", &line(value))];
        element
            .with_attributes(attributes)
            .write_empty()
            .map(|_| ())
    };
    let element = writer.create_element("properties");
    element.write_inner_content(|writer| {
        for (name, value) in properties {
            if let Some(value) = value {
                property(writer, name, value)?;
            }
        }
        Ok(())
    })?;
    Ok(())
}

fn case(writer: &mut Writer<Vec<u8>>, of: &PlatformReport, one: &Outcome) -> io::Result<()> {
    // With the platform: some systems take two cases of one class and name for one.
    let class = format!("{}.{}", of.platform, line(group(&one.id)));
    let element = writer.create_element("testcase").with_attributes([
        ("classname", class.as_str()),
        ("name", &line(&one.id)),
        ("time", &time(one.seconds)),
    ]);
    element.write_inner_content(|writer| {
        let message = line(&one.seen);
        let message = ("message", message.as_str());
        let kind = ("type", one.status.as_str());
        match Case::of(one.status) {
            Case::Passed => {
                let element = writer.create_element("system-out");
                element.write_text_content(BytesText::new(&block(&one.seen)))?;
            }
            Case::Failure => {
                let element = writer.create_element("failure");
                let element = element.with_attributes([message, kind]);
                element.write_text_content(BytesText::new(&details(one)))?;
            }
            Case::Error => {
                let element = writer.create_element("error");
                element.with_attributes([message, kind]).write_empty()?;
            }
            Case::Skipped => {
                let message = format!("{}: {}", one.status.as_str(), line(&one.seen));
                let element = writer.create_element("skipped");
                let element = element.with_attribute(("message", message.as_str()));
                element.write_empty()?;
            }
        }
        Ok(())
    })?;
    Ok(())
}

fn details(one: &Outcome) -> String {
    let lines = [
        ("seen", Some(&one.seen)),
        ("expected", one.expected.as_ref()),
        ("hint", one.remedy.as_ref()),
    ];
    let lines = lines
        .into_iter()
        .filter_map(|(name, text)| Some(format!("{name}: {}", block(text?))));
    lines.collect::<Vec<_>>().join("\n")
}

fn time(seconds: f64) -> String {
    format!("{seconds:.3}")
}

fn borrowed<'a>(attributes: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    let attributes = attributes.iter();
    attributes
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}

/// Text for an attribute, which cannot have lines.
fn line(text: &str) -> String {
    allowed(&text::line(text))
}

fn block(text: &str) -> String {
    allowed(&text::block(text, ""))
}

/// Text without the characters that XML 1.0 has no way to write; a terminal's are spelled out
/// already.
fn allowed(text: &str) -> String {
    let is_allowed = |c: char| {
        matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}'
            | '\u{10000}'..='\u{10ffff}')
    };
    let allowed = text
        .chars()
        .map(|c| if is_allowed(c) { c } else { '\u{fffd}' });
    allowed.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use quick_xml::Reader;
    use quick_xml::events::BytesStart;

    use super::*;
    use crate::report::samples::{mixed, outcome, platform, report};
    use crate::scan::samples;
    use xtask::platform::Platform;

    #[test]
    fn statuses_become_junits() {
        let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="agentgate/agent:dev" tests="8" failures="1" errors="3" skipped="3" time="1.500">
  <testsuite name="linux/amd64" tests="8" failures="1" errors="3" skipped="3" time="1.250">
    <properties>
      <property name="digest" value="sha256:0000000000000000000000000000000000000000000000000000000000000000"/>
      <property name="manifest" value="sha256:0101010101010101010101010101010101010101010101010101010101010101"/>
      <property name="execution" value="native"/>
      <property name="check_set" value="sha256:0202020202020202020202020202020202020202020202020202020202020202"/>
      <property name="receipt" value="target/xtask/receipts/sha256-0/linux-amd64.json"/>
    </properties>
    <testcase classname="linux/amd64.seed" name="seed-1-build" time="0.250">
      <system-out>bash</system-out>
    </testcase>
    <testcase classname="linux/amd64.seed" name="seed-3-node" time="0.250">
      <failure message="v18.0.0" type="failed">seen: v18.0.0
expected: v20
hint: build it with 20</failure>
    </testcase>
    <testcase classname="linux/amd64.pid1" name="pid1-reap" time="0.250">
      <error message="the engine is gone" type="unproven"/>
    </testcase>
    <testcase classname="linux/amd64.pid1" name="pid1-signals" time="0.250">
      <error message="the engine is gone" type="unproven"/>
    </testcase>
    <testcase classname="linux/amd64.health" name="health-healthy" time="0.250">
      <error message="the engine is gone" type="unproven"/>
    </testcase>
    <testcase classname="linux/amd64.health" name="health-sick" time="0.250">
      <skipped message="not-executed: nothing runs it here"/>
    </testcase>
    <testcase classname="linux/amd64.image" name="image-size" time="0.250">
      <skipped message="skipped: left out"/>
    </testcase>
    <testcase classname="linux/amd64.image" name="image-growth" time="0.250">
      <skipped message="not-applicable: no release yet"/>
    </testcase>
  </testsuite>
</testsuites>
"#;
        assert_eq!(xml(&mixed()).unwrap(), expected);
    }

    #[test]
    fn a_scan_is_one_more_case() {
        let mut report = report(vec![platform(Platform::LinuxAmd64, Vec::new())]);
        report.platforms[0].scan = Some(samples::failed());
        let text = xml(&report).unwrap();
        for part in [
            r#"tests="1" failures="1" errors="0" skipped="0""#,
            r#"<property name="scan" value="receipts/linux-amd64.trivy.json"/>"#,
            r#"<testcase classname="linux/amd64.scan" name="scan" time="0.000">"#,
            r#"<failure message="1 critical, 2 low" type="failed">"#,
        ] {
            assert!(text.contains(part), "{text}");
        }
    }

    type Element = (String, BTreeMap<String, String>);

    /// Every element's name with its attributes, and all text, as a reader gets them.
    fn parsed(text: &str) -> (Vec<Element>, String) {
        let element = |start: &BytesStart| {
            let attributes = start.attributes().map(|attribute| {
                let attribute = attribute.unwrap();
                let name = String::from_utf8(attribute.key.0.to_vec()).unwrap();
                (name, attribute.unescape_value().unwrap().into_owned())
            });
            let name = String::from_utf8(start.name().0.to_vec()).unwrap();
            (name, attributes.collect())
        };
        let mut reader = Reader::from_str(text);
        let (mut elements, mut said) = (Vec::new(), String::new());
        loop {
            match reader.read_event().unwrap() {
                Event::Eof => return (elements, said),
                Event::Empty(start) | Event::Start(start) => elements.push(element(&start)),
                Event::Text(text) => said.push_str(&text.decode().unwrap()),
                Event::GeneralRef(name) => {
                    let name = name.decode().unwrap();
                    said.push_str(&quick_xml::escape::unescape(&format!("&{name};")).unwrap());
                }
                _ => {}
            }
        }
    }

    #[test]
    fn whatever_an_image_says_comes_back_from_a_reader() {
        for (seen, message, body) in [
            ("<x> \"&' ]]>", "<x> \"&' ]]>", "<x> \"&' ]]>"),
            ("a\r\nb\tc", "a b c", "a\nb c"),
            ("\u{0}\u{1b}[0m", "\\u{0}\\u{1b}[0m", "\\u{0}\\u{1b}[0m"),
            ("\u{ffff}\u{fffe}", "\u{fffd}\u{fffd}", "\u{fffd}\u{fffd}"),
            ("größer 漢 😀", "größer 漢 😀", "größer 漢 😀"),
            ("&amp;&#0;", "&amp;&#0;", "&amp;&#0;"),
        ] {
            let mut bad = outcome("seed-3-node", Status::Failed, seen);
            bad.expected = None;
            bad.remedy = None;
            let report = report(vec![platform(Platform::LinuxArm64, vec![bad])]);
            let text = xml(&report).unwrap();
            let (elements, said) = parsed(&text);
            let failure = elements.iter().find(|(name, _)| name == "failure");
            assert_eq!(failure.unwrap().1["message"], message);
            assert_eq!(said.trim(), format!("seen: {body}"));
        }
    }
}
