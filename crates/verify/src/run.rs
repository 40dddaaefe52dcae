//! Runs the checks on one platform of an image: those that measure time first and alone, the others
//! in parallel.

mod jobs;
mod second_look;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use xtask::exec::Exec;
use xtask::stop::Stop;

use self::jobs::{Job, Queue, Worker, jobs, locked, workers};
use self::second_look::{
    Held, look_again, out_of_time, outcome, second_outcome, without_second_look,
};
use super::check::{Check, How, Outcome, Status, Verdict};
use super::checks::specification;
use super::facts::{Expected, ImageFacts};
use super::limits::Pace;
use super::load::Busy;
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
    /// A check whose time ran out, and in which way: it is inspected again at the end.
    Held(&'static str, String),
}

/// What a run needs to know.
pub(crate) struct Work<'a> {
    pub(crate) candidate: &'a Candidate,
    pub(crate) checks: &'a [&'static Check],
    /// Whether the platform can be executed here.
    pub(crate) executes: bool,
    pub(crate) tell: &'a (dyn Fn(Event) + Sync),
}

/// What a run has come to.
struct Run<'a> {
    work: &'a Work<'a>,
    outcomes: Mutex<Vec<Outcome>>,
    /// What is inspected again at the end.
    held: Mutex<Vec<Held>>,
}

/// The verdicts of a job, and when it was begun.
struct Inspected {
    verdicts: Vec<(&'static Check, anyhow::Result<Verdict>)>,
    begun: Instant,
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
    let run = Run {
        work,
        outcomes: Mutex::default(),
        held: Mutex::default(),
    };
    let mut jobs = jobs(&others);
    if !work.executes {
        jobs.clear();
        let why = format!("nothing runs {} here", work.candidate.platform);
        run.leave(&others, Status::NotExecuted, &why);
    } else if !jobs.is_empty() {
        run.start(exec, &mut jobs)?;
    }
    let queue = Queue::new(jobs);
    thread::scope(|scope| {
        let (run, files, queue) = (&run, &files, &queue);
        let mut threads = vec![scope.spawn(move || run.judge_files(files, read))];
        for worker in workers(work.candidate.is_emulated) {
            // A shell is not shared between threads: each has its own.
            let exec = exec.clone();
            threads.push(scope.spawn(move || run.work(&exec, worker, queue)));
        }
        let ended = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(panicked())));
        ended.collect::<anyhow::Result<()>>()
    })?;
    run.second_looks(exec)?;
    Ok(run
        .outcomes
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner))
}

fn panicked() -> anyhow::Error {
    anyhow::anyhow!("a check panicked; this is a bug of xtask")
}

impl Run<'_> {
    /// Starts the shared container and runs the checks that must be alone. When the container does
    /// not start, only the session is left to run.
    fn start(&self, exec: &Exec, jobs: &mut VecDeque<Job>) -> anyhow::Result<()> {
        let (alone, rest): (VecDeque<_>, VecDeque<_>) = std::mem::take(jobs)
            .into_iter()
            .partition(|job| matches!(job, Job::Check(check) if matches!(check.how, How::Alone(_)) || check.id == STARTS));
        *jobs = rest;
        let Err(error) = self.start_shared(exec)? else {
            for job in alone {
                self.first_look(exec, &job)?;
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
                self.first_look(exec, &Job::Check(check))?;
            } else {
                let why = format!("no container of the contract: {why}");
                self.leave(&[check], Status::Unproven, &why);
            }
        }
        Ok(())
    }

    /// Starts the shared container, a second time where the first ran out of time, and measures the machine's pace
    /// in it. The inner error says why there is none.
    fn start_shared(&self, exec: &Exec) -> anyhow::Result<anyhow::Result<()>> {
        let sandbox = self.sandbox(exec, STARTS);
        let mut started = sandbox.start_shared();
        interrupted(&started)?;
        if started.as_ref().is_err_and(is_time) {
            started = sandbox.start_shared();
            interrupted(&started)?;
        }
        let pace = match &started {
            Ok(()) => sandbox.measure_pace(),
            Err(_) => Ok(Pace::QUIET),
        };
        interrupted(&pace)?;
        self.work.candidate.set_pace(pace.unwrap_or(Pace::QUIET));
        Ok(started)
    }

    fn sandbox(&self, exec: &Exec, check: &'static str) -> Sandbox<'_> {
        Sandbox::new(exec.clone(), self.work.candidate, check)
    }

    /// Runs jobs until none is left.
    fn work(&self, exec: &Exec, worker: Worker, queue: &Queue) -> anyhow::Result<()> {
        while let Some(job) = queue.next(worker) {
            if let Err(error) = self.first_look(exec, &job) {
                queue.clear();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Does a job; what ran out of time is held for the second look.
    fn first_look(&self, exec: &Exec, job: &Job) -> anyhow::Result<()> {
        let Inspected { verdicts, begun } = self.inspect(exec, job)?;
        let seconds = begun.elapsed().as_secs_f64();
        let mut late = Vec::new();
        for (check, verdict) in verdicts {
            match out_of_time(&verdict) {
                Some(why) => late.push((check, why)),
                None => self.finish(outcome(check, verdict, seconds)),
            }
        }
        for (check, why) in &late {
            (self.work.tell)(Event::Held(check.id, why.clone()));
        }
        if let Some((_, why)) = late.first() {
            let why = why.clone();
            let job = job.of(late.into_iter().map(|(check, _)| check).collect());
            locked(&self.held).push(Held { job, why });
        }
        Ok(())
    }

    /// Inspects what was held once more, with nothing beside it.
    fn second_looks(&self, exec: &Exec) -> anyhow::Result<()> {
        let held = std::mem::take(&mut *locked(&self.held));
        if held.is_empty() {
            return Ok(());
        }
        let candidate = self.work.candidate;
        let pace = self.sandbox(exec, STARTS).measure_pace();
        interrupted(&pace)?;
        let before = candidate.limits().pace;
        candidate.set_pace(pace.unwrap_or(before).slower(before));
        let begun = Instant::now();
        look_again(
            held,
            candidate.limits().second_looks(),
            || begun.elapsed(),
            |job| self.second_look(exec, &job),
            |held, busy| {
                for check in held.job.checks() {
                    self.finish(without_second_look(check, &held.why, busy));
                }
            },
        )
    }

    /// Does a job for the last time; how busy the machine is, if time ran out again.
    fn second_look(&self, exec: &Exec, job: &Job) -> anyhow::Result<Option<Busy>> {
        let Inspected { verdicts, begun } = self.inspect(exec, job)?;
        let seconds = begun.elapsed().as_secs_f64();
        let is_late = verdicts
            .iter()
            .any(|(_, verdict)| out_of_time(verdict).is_some());
        let busy = is_late.then(|| self.sandbox(exec, STARTS).load().busy());
        for (check, verdict) in verdicts {
            let busy = busy.as_ref().unwrap_or(&Busy::Unknown);
            self.finish(second_outcome(check, verdict, busy, seconds));
        }
        Ok(busy)
    }

    /// Fails only when the run was interrupted.
    fn inspect(&self, exec: &Exec, job: &Job) -> anyhow::Result<Inspected> {
        let begun = Instant::now();
        for check in job.checks() {
            (self.work.tell)(Event::Started(check.id));
        }
        let candidate = self.work.candidate;
        let verdicts = match job {
            Job::Session(checks) => {
                let typed = specification::typed(candidate.limits().step());
                let sandbox = self.sandbox(exec, SESSION);
                let start = sandbox.plain().with_health_check();
                let session = start.command(&["bash"]).typed(&typed);
                interrupted(&session)?;
                let judge = |check: &'static Check| {
                    let verdict = session.as_ref().map_err(again).and_then(|session| {
                        guarded(|| Ok(judge_session(check, &candidate.expected, session)))
                    });
                    (check, verdict)
                };
                checks.iter().copied().map(judge).collect()
            }
            Job::Check(check) => {
                let sandbox = self.sandbox(exec, check.id);
                let verdict = guarded(|| inspect(check, &sandbox));
                interrupted(&verdict)?;
                vec![(*check, verdict)]
            }
        };
        Ok(Inspected { verdicts, begun })
    }

    fn judge_files(
        &self,
        checks: &[&'static Check],
        read: impl FnOnce() -> anyhow::Result<ImageFacts>,
    ) -> anyhow::Result<()> {
        if checks.is_empty() {
            return Ok(());
        }
        (self.work.tell)(Event::Started(READING));
        let facts = read();
        (self.work.tell)(Event::Ended(READING));
        interrupted(&facts)?;
        for check in checks {
            let How::Files(judge) = check.how else {
                continue;
            };
            (self.work.tell)(Event::Started(check.id));
            let begun = Instant::now();
            let verdict = match &facts {
                Ok(facts) => guarded(|| Ok(judge(facts))),
                Err(error) => Err(anyhow::anyhow!("the image cannot be read: {error:#}")),
            };
            self.finish(outcome(check, verdict, begun.elapsed().as_secs_f64()));
        }
        Ok(())
    }

    fn leave(&self, checks: &[&'static Check], status: Status, why: &str) {
        for check in checks {
            self.finish(Outcome::without_verdict(check, status, why));
        }
    }

    fn finish(&self, outcome: Outcome) {
        (self.work.tell)(Event::Finished(outcome.clone()));
        locked(&self.outcomes).push(outcome);
    }
}

fn is_time(error: &anyhow::Error) -> bool {
    let trouble: Option<&Trouble> = error.downcast_ref();
    trouble.is_some_and(Trouble::is_time)
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

fn judge_session(check: &Check, expected: &Expected, session: &Session) -> Verdict {
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
