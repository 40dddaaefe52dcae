//! Runs the checks on one platform of an image: those that measure time first and alone, the others
//! in parallel.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Sender;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Instant;

use xtask::exec::Exec;
use xtask::stop::Stop;

use super::check::{Check, How, Outcome, Status, Verdict};
use super::checks::specification;
use super::facts::ImageFacts;
use super::sandbox::{Candidate, Sandbox, Session, Trouble};

/// The check that starts the container of the contract. When it fails, the checks that need this
/// container are unproven.
pub(crate) const STARTS: &str = "contract-starts";
/// The name of the containers in which the specification's steps are typed.
const SESSION: &str = "seed";

/// What the checks of files wait for.
const READING: &str = "reading the image";

/// What happens during a run.
pub(crate) enum Event {
    /// A check, or something that checks wait for.
    Started(&'static str),
    Finished(Outcome),
    /// Something that checks waited for.
    Ended(&'static str),
}

/// What a run needs to know.
pub(crate) struct Work<'a> {
    pub(crate) candidate: &'a Candidate,
    pub(crate) checks: &'a [&'static Check],
    /// Whether the platform can be executed here.
    pub(crate) executes: bool,
    pub(crate) tell: &'a (dyn Fn(Event) + Sync),
}

/// Runs every check and returns the outcomes, in no order.
///
/// Fails only when the run was interrupted: everything else is an outcome.
pub(crate) fn run(
    exec: &Exec,
    work: &Work,
    read: impl FnOnce() -> anyhow::Result<ImageFacts> + Send,
) -> anyhow::Result<Vec<Outcome>> {
    let (files, others): (Vec<_>, Vec<_>) = work
        .checks
        .iter()
        .partition(|check| !check.how.needs_a_container());
    let (send, outcomes) = mpsc::channel();
    let mut jobs = jobs(&others);
    if !work.executes {
        jobs.clear();
        let why = format!("nothing runs {} here", work.candidate.platform);
        work.leave(&others, Status::NotExecuted, &why, &send);
    } else if !jobs.is_empty() {
        work.start(exec, &mut jobs, &send)?;
    }
    let jobs = &Mutex::new(jobs);
    thread::scope(|scope| {
        let files = &files;
        let to_files = send.clone();
        let mut threads = vec![scope.spawn(move || work.judge_files(files, read, &to_files))];
        for _ in 0..workers(work.candidate.is_emulated) {
            // A shell is not shared between threads: each has its own.
            let (exec, send) = (exec.clone(), send.clone());
            threads.push(scope.spawn(move || work.work(&exec, jobs, &send)));
        }
        let ended = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(panicked())));
        ended.collect::<anyhow::Result<()>>()
    })?;
    drop(send);
    Ok(outcomes.into_iter().collect())
}

/// What one worker does at a time.
enum Job {
    /// Everything that is judged by the one session.
    Session(Vec<&'static Check>),
    Check(&'static Check),
}

/// The jobs in the order of their start: those that wait, then those that start containers, then
/// those that use the shared one.
fn jobs(checks: &[&'static Check]) -> VecDeque<Job> {
    let is_session = |check: &&'static Check| matches!(check.how, How::Session(_));
    let (session, rest): (Vec<_>, Vec<_>) = checks.iter().copied().partition(is_session);
    let mut rest = rest;
    rest.sort_by_key(|check| match check.how {
        How::Alone(_) => 0,
        How::Waiting(_) => 1,
        How::Containers(_) => 2,
        How::Exec(..) | How::Session(_) | How::Files(_) => 3,
    });
    let mut jobs: VecDeque<Job> = rest.into_iter().map(Job::Check).collect();
    if !session.is_empty() {
        jobs.push_front(Job::Session(session));
    }
    jobs
}

/// Most of a job is waiting for the engine, unless every instruction is translated.
fn workers(is_emulated: bool) -> usize {
    let cores = thread::available_parallelism().map_or(2, usize::from);
    let cores = cores.min(4);
    if is_emulated { cores } else { 2 * cores }
}

fn panicked() -> anyhow::Error {
    anyhow::anyhow!("a check panicked; this is a bug of xtask")
}

impl Work<'_> {
    /// Starts the shared container and runs the checks that must be alone. When the container does
    /// not start, only the session is left to run.
    fn start(
        &self,
        exec: &Exec,
        jobs: &mut VecDeque<Job>,
        send: &Sender<Outcome>,
    ) -> anyhow::Result<()> {
        let (alone, rest): (VecDeque<_>, VecDeque<_>) = std::mem::take(jobs)
            .into_iter()
            .partition(|job| matches!(job, Job::Check(check) if matches!(check.how, How::Alone(_)) || check.id == STARTS));
        *jobs = rest;
        let sandbox = Sandbox::new(exec.clone(), self.candidate, STARTS);
        let started = sandbox.start_shared();
        interrupted(&started)?;
        let Err(error) = started else {
            for job in alone {
                self.do_job(exec, job, send)?;
            }
            return Ok(());
        };
        let why = format!("{error:#}");
        let is_session = |job: &Job| matches!(job, Job::Session(_));
        let (session, lost): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(jobs).into_iter().partition(is_session);
        *jobs = session;
        for job in alone.into_iter().chain(lost) {
            let Job::Check(check) = job else { continue };
            if check.id == STARTS {
                self.do_job(exec, Job::Check(check), send)?;
            } else {
                let why = format!("no container of the contract: {why}");
                self.leave(&[check], Status::Unproven, &why, send);
            }
        }
        Ok(())
    }

    /// Runs jobs until none is left.
    fn work(
        &self,
        exec: &Exec,
        jobs: &Mutex<VecDeque<Job>>,
        send: &Sender<Outcome>,
    ) -> anyhow::Result<()> {
        loop {
            let job = jobs
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front();
            let Some(job) = job else {
                return Ok(());
            };
            if let Err(error) = self.do_job(exec, job, send) {
                jobs.lock().unwrap_or_else(PoisonError::into_inner).clear();
                return Err(error);
            }
        }
    }

    fn do_job(&self, exec: &Exec, job: Job, send: &Sender<Outcome>) -> anyhow::Result<()> {
        let begun = Instant::now();
        match job {
            Job::Session(checks) => {
                for check in &checks {
                    (self.tell)(Event::Started(check.id));
                }
                let sandbox = Sandbox::new(exec.clone(), self.candidate, SESSION);
                let session = sandbox
                    .plain()
                    .command(&["bash"])
                    .typed(specification::TYPED);
                interrupted(&session)?;
                for check in checks {
                    let verdict = session.as_ref().map_err(again).and_then(|session| {
                        guarded(|| Ok(judge_session(check, &self.candidate.expected, session)))
                    });
                    self.finish(outcome(check, verdict, begun), send);
                }
            }
            Job::Check(check) => {
                (self.tell)(Event::Started(check.id));
                let sandbox = Sandbox::new(exec.clone(), self.candidate, check.id);
                let verdict = guarded(|| inspect(check, &sandbox));
                interrupted(&verdict)?;
                self.finish(outcome(check, verdict, begun), send);
            }
        }
        Ok(())
    }

    fn judge_files(
        &self,
        checks: &[&'static Check],
        read: impl FnOnce() -> anyhow::Result<ImageFacts>,
        send: &Sender<Outcome>,
    ) -> anyhow::Result<()> {
        if checks.is_empty() {
            return Ok(());
        }
        (self.tell)(Event::Started(READING));
        let facts = read();
        (self.tell)(Event::Ended(READING));
        interrupted(&facts)?;
        for check in checks {
            let How::Files(judge) = check.how else {
                continue;
            };
            (self.tell)(Event::Started(check.id));
            let begun = Instant::now();
            let verdict = match &facts {
                Ok(facts) => guarded(|| Ok(judge(facts))),
                Err(error) => Err(anyhow::anyhow!("the image cannot be read: {error:#}")),
            };
            self.finish(outcome(check, verdict, begun), send);
        }
        Ok(())
    }

    fn leave(&self, checks: &[&'static Check], status: Status, why: &str, send: &Sender<Outcome>) {
        for check in checks {
            self.finish(Outcome::without_verdict(check, status, why), send);
        }
    }

    fn finish(&self, outcome: Outcome, send: &Sender<Outcome>) {
        (self.tell)(Event::Finished(outcome.clone()));
        // The other end outlives every sender.
        let _ = send.send(outcome);
    }
}

/// A panic in one check must not lose the results of the others.
fn guarded(inspect: impl FnOnce() -> anyhow::Result<Verdict>) -> anyhow::Result<Verdict> {
    catch_unwind(AssertUnwindSafe(inspect)).unwrap_or_else(|_| Err(panicked()))
}

fn inspect(check: &Check, sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    match check.how {
        How::Exec(command, judge) => {
            Ok(judge(sandbox.expected(), &sandbox.shared().exec(command)?))
        }
        How::Containers(inspect) | How::Waiting(inspect) | How::Alone(inspect) => inspect(sandbox),
        How::Files(_) | How::Session(_) => unreachable!("judged elsewhere"),
    }
}

fn judge_session(check: &Check, expected: &super::facts::Expected, session: &Session) -> Verdict {
    match check.how {
        How::Session(judge) => judge(expected, session),
        _ => unreachable!("only checks of the session are judged by it"),
    }
}

/// The same error once more: errors cannot be cloned.
fn again(error: &anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<Trouble>() {
        Some(trouble) => trouble.clone().into(),
        None => anyhow::anyhow!("{error:#}"),
    }
}

/// Fails when the result is an interruption; any other error becomes an outcome.
fn interrupted<T>(result: &anyhow::Result<T>) -> anyhow::Result<()> {
    match result.as_ref().err().and_then(|error| error.downcast_ref()) {
        Some(&Stop::Interrupted(signal)) => Err(Stop::Interrupted(signal).into()),
        _ => Ok(()),
    }
}

fn outcome(check: &Check, verdict: anyhow::Result<Verdict>, begun: Instant) -> Outcome {
    let seconds = begun.elapsed().as_secs_f64();
    match verdict {
        Ok(verdict) => Outcome::of(check, verdict, seconds),
        // The fault is the image's: a container of a good image does not do this.
        Err(error) if error.downcast_ref::<Trouble>().is_some() => {
            let verdict = Verdict::failed(format!("{error:#}"), check.proves);
            Outcome::of(check, verdict, seconds)
        }
        Err(error) => Outcome {
            seconds,
            ..Outcome::without_verdict(check, Status::Unproven, &format!("{error:#}"))
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use super::*;
    use crate::checks::{catalogue, fixture};
    use crate::sandbox::VerifyRun;

    /// Runs all checks on the good image of the tests, where no container can be started.
    fn outcomes(
        executes: bool,
        read: impl FnOnce() -> anyhow::Result<ImageFacts> + Send,
    ) -> Vec<Outcome> {
        let folder = std::env::temp_dir();
        let exec = Exec::new(&folder, false).unwrap();
        exec.set_var("PATH", "/nowhere");
        let facts = fixture::good();
        let candidate = Candidate {
            run: VerifyRun::named(&folder, "test"),
            image: "sha256:00".to_owned(),
            platform: facts.platform,
            is_emulated: false,
            expected: facts.expected,
            shared: "test".to_owned(),
            used: OnceLock::new(),
        };
        let checks: Vec<&Check> = catalogue().collect();
        let work = Work {
            candidate: &candidate,
            checks: &checks,
            executes,
            tell: &|_| {},
        };
        run(&exec, &work, read).unwrap()
    }

    fn count(outcomes: &[Outcome], status: Status) -> usize {
        outcomes.iter().filter(|one| one.status == status).count()
    }

    #[test]
    fn what_cannot_be_executed_is_never_passed() {
        let outcomes = outcomes(false, || Ok(fixture::good()));
        let executed = catalogue().filter(|check| check.how.needs_a_container());
        assert_eq!(outcomes.len(), catalogue().count());
        assert_eq!(count(&outcomes, Status::NotExecuted), executed.count());
        assert_eq!(count(&outcomes, Status::Failed), 0);
        assert!(count(&outcomes, Status::Passed) > 0);
    }

    #[test]
    fn without_an_engine_and_without_files_nothing_is_known() {
        let outcomes = outcomes(true, || anyhow::bail!("gone"));
        assert_eq!(count(&outcomes, Status::Unproven), catalogue().count());
    }

    #[test]
    fn a_check_that_panics_takes_no_other_with_it() {
        let verdict = guarded(|| panic!("a bug"));
        assert!(verdict.is_err());
    }

    #[test]
    fn trouble_in_a_container_is_the_images_and_the_rest_proves_nothing() {
        let check = catalogue().next().unwrap();
        let trouble = Trouble::Ended("exit 1".to_owned());
        let of = |error| outcome(check, Err(error), Instant::now()).status;
        assert_eq!(of(trouble.into()), Status::Failed);
        assert_eq!(of(anyhow::anyhow!("no engine")), Status::Unproven);
    }
}
