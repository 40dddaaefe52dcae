//! `--scan`: which known vulnerabilities the packages of an image have, by a scanner that is on PATH.
//!
//! The scanner gets the archive that the engine saves of the platform's manifest: then no name is resolved a second
//! time, no registry and no credentials are needed, and the platform cannot be another one (aquasecurity/trivy#4253
//! scans another one without a word).
//!
//! The result is no check, and in no receipt: it ages from hour to hour while the image stays the same, and a machine
//! without a scanner must be able to prove the same image. `docs/verify.md` says what it decides.

mod grype;
mod judge;
mod report;
mod result;
mod said;
#[cfg(test)]
mod tests;
mod trivy;

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use xtask::docker;
use xtask::exec::{Ended, Exec};
use xtask::files;
use xtask::oci::Digest;
use xtask::report::tenths;
use xtask::scanner::Scanner;
use xtask::settings::Severity;
use xtask::stop::Stop;

use self::judge::{Judged, Wanted};
use self::report::{ScanReport, clipped};
pub(crate) use self::result::Scan;
#[cfg(test)]
pub(crate) use self::result::samples;
use crate::check::Status;

/// How long a scanner may take, with the download of its database.
pub(crate) const LIMIT: Duration = Duration::from_mins(15);
/// The longest report that is read, in bytes. One of this image with every package has 300 kB.
const LONGEST: u64 = 64 << 20;
/// How many findings are shown.
const SHOWN: usize = 5;

/// What is scanned, and how.
pub(crate) struct ScanRequest<'a> {
    pub(crate) exec: &'a Exec,
    /// The scanner that is asked for; none for the first on PATH.
    pub(crate) scanner: Option<Scanner>,
    pub(crate) fail_on: Option<Severity>,
    /// What `docker save` gets.
    pub(crate) save: Vec<&'a str>,
    /// The configuration of the image that was verified.
    pub(crate) config: Option<&'a Digest>,
    /// The file of the receipt, beside which the report goes.
    pub(crate) receipt: &'a Path,
    /// Where the archive may be for the length of the scan.
    pub(crate) scratch: &'a Path,
    pub(crate) limit: Duration,
}

/// Scans one platform. Whatever a scanner does, and that there is none, is a result.
///
/// Fails after an interruption, and when files cannot be written.
pub(crate) fn scan(request: &ScanRequest) -> anyhow::Result<Scan> {
    let begun = Instant::now();
    // The report of another day must not stand beside a receipt of today.
    for scanner in Scanner::ALL {
        remove(&report_file(request.receipt, scanner))?;
    }
    let scanner = Scanner::choose(request.scanner, request.exec);
    let mut scan = Scan::new(scanner, request.fail_on);
    let judged = match scanner {
        Some(scanner) => run(request, scanner, &mut scan)?,
        None => absent(request.scanner),
    };
    scan.status = judged.status;
    scan.seen = judged.seen;
    scan.expected = judged.expected;
    scan.remedy = judged.remedy;
    scan.seconds = tenths(begun.elapsed());
    Ok(scan)
}

fn absent(asked: Option<Scanner>) -> Judged {
    let (who, remedy) = match asked {
        Some(one) => (
            format!("`{}` is not", one.name()),
            "install it, or leave `--scan` away",
        ),
        None => (
            "neither `trivy` nor `grype` is".to_owned(),
            "install one of them, or leave `--scan` away",
        ),
    };
    Judged::without_verdict(Status::NotExecuted, format!("{who} on PATH"), remedy)
}

/// Where a scanner's report goes: `linux-amd64.trivy.json` beside `linux-amd64.json`.
fn report_file(receipt: &Path, scanner: Scanner) -> PathBuf {
    receipt.with_extension(format!("{}.json", scanner.name()))
}

fn remove(path: &Path) -> anyhow::Result<()> {
    files::remove(path).with_context(|| {
        format!(
            "failed to remove `{}`, a report of an older scan",
            path.display()
        )
    })
}

fn run(request: &ScanRequest, scanner: Scanner, scan: &mut Scan) -> anyhow::Result<Judged> {
    let folder = tempfile::tempdir_in(request.scratch)
        .with_context(|| format!("failed to make a folder in `{}`", request.scratch.display()))?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (archive, written) = (path("image.tar"), path("report.json"));
    if let Err(why) = save(request, &archive)? {
        let remedy =
            "`docker save` by hand says more; the archive needs as much space as the image";
        return Ok(Judged::without_verdict(Status::Unproven, why, remedy));
    }
    let (args, variables): (_, &[(&str, &str)]) = match scanner {
        Scanner::Trivy => (
            trivy::args(&archive, &written, request.limit.as_secs()),
            &trivy::ENVIRONMENT,
        ),
        Scanner::Grype => (grype::args(&archive, &written), &grype::ENVIRONMENT),
    };
    let exec = request.exec.clone();
    for (name, value) in variables {
        exec.set_var(name, value);
    }
    let ended = match not_stopped(exec.within(scanner.name(), &args, request.limit))? {
        Ok(ended) => ended,
        Err(why) => return Ok(unproven(scanner, &why)),
    };
    let said = String::from_utf8_lossy(&ended.stderr);
    scan.warnings = said::warnings(&said);
    if let Some(why) = trouble(scanner, &ended, &said, request.limit) {
        return Ok(unproven(scanner, &why));
    }
    let read = read(Path::new(&written)).and_then(|text| {
        let parsed = match scanner {
            Scanner::Trivy => trivy::parse(text.as_bytes()),
            Scanner::Grype => grype::parse(text.as_bytes()),
        };
        Ok((parsed?, text))
    });
    let (mut report, text) = match read {
        Ok(read) => read,
        Err(why) => {
            let why = format!("its report cannot be read: {why}");
            return Ok(unproven(scanner, &why));
        }
    };
    let file = report_file(request.receipt, scanner);
    xtask::report::write_whole(&file, &text)
        .with_context(|| format!("failed to write the scanner's report `{}`", file.display()))?;
    scan.report = Some(file.display().to_string());
    if scanner == Scanner::Trivy {
        add_versions(&exec, &mut report)?;
    }
    Ok(concluded(request, scanner, scan, &report))
}

/// Fills in what the report says, and judges it.
fn concluded(
    request: &ScanRequest,
    scanner: Scanner,
    scan: &mut Scan,
    report: &ScanReport,
) -> Judged {
    scan.version = report.version.as_deref().map(clipped);
    scan.database = report.database.map(judge::date);
    scan.counts = judge::counts(&report.findings);
    scan.ignored = report.ignored;
    scan.worst = report.findings.iter().take(SHOWN).cloned().collect();
    let wanted = Wanted {
        scanner,
        config: request.config,
        fail_on: request.fail_on,
        now: SystemTime::now(),
    };
    judge::judge(report, &wanted)
}

fn unproven(scanner: Scanner, why: &str) -> Judged {
    Judged::without_verdict(
        Status::Unproven,
        format!("{}: {why}", scanner.name()),
        format!("`{} image` by hand says more", scanner.name()),
    )
}

/// What went wrong, unless we were asked to end.
fn not_stopped<T>(result: anyhow::Result<T>) -> anyhow::Result<Result<T, String>> {
    match result {
        Err(error) if error.is::<Stop>() => Err(error),
        Err(error) => Ok(Err(format!("{error:#}"))),
        Ok(value) => Ok(Ok(value)),
    }
}

/// Lets the engine write the image into an archive.
fn save(request: &ScanRequest, archive: &str) -> anyhow::Result<Result<(), String>> {
    let args: Vec<&str> = ["save", "--output", archive]
        .into_iter()
        .chain(request.save.iter().copied())
        .collect();
    let ended = not_stopped(docker::within(request.exec, &args, request.limit))?;
    Ok(ended.and_then(|ended| match ended.status {
        Some(status) if status.success() => Ok(()),
        Some(_) => {
            let said = String::from_utf8_lossy(&ended.stderr);
            Err(format!(
                "the engine does not save the image: {}",
                said::reason(&said)
            ))
        }
        None => Err("the engine did not save the image in time".to_owned()),
    }))
}

/// Why what a scanner has written does not count.
fn trouble(scanner: Scanner, ended: &Ended, said: &str, limit: Duration) -> Option<String> {
    let Some(status) = ended.status else {
        return Some(format!("it did not end within {} s", limit.as_secs()));
    };
    let is_above = scanner == Scanner::Grype && status.code() == Some(grype::ABOVE);
    if status.success() {
        return said::error(said).map(|why| format!("it ended well, and says: {why}"));
    }
    (!is_above).then(|| format!("it failed ({status}): {}", said::reason(said)))
}

/// A report, if it is text of a length that can be one.
fn read(path: &Path) -> Result<String, String> {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?
            .take(LONGEST + 1)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = match read() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Err("there is none".to_owned()),
        read => read.map_err(|error| error.to_string())?,
    };
    if bytes.is_empty() {
        return Err("it is empty".to_owned());
    }
    if bytes.len() as u64 > LONGEST {
        return Err(format!("it is longer than {} MiB", LONGEST >> 20));
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())
}

/// Adds what trivy's report does not say: when its database was made.
fn add_versions(exec: &Exec, report: &mut ScanReport) -> anyhow::Result<()> {
    const SOON: Duration = Duration::from_mins(1);
    let asked = not_stopped(exec.within(Scanner::Trivy.name(), &trivy::VERSION, SOON))?;
    let answer = asked.ok().filter(Ended::success);
    if let Some((version, database)) = answer.and_then(|ended| trivy::versions(&ended.stdout)) {
        report.version = Some(version);
        report.database = database;
    }
    Ok(())
}
