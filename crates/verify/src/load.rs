//! How busy the machine is that the engine is on: without that, a time that runs out says nothing of an image.

/// Prints what the kernel says of its load: the load average, the number of cores, and the time that tasks have
/// waited for one. In a container these are the whole machine's, which may be another than ours; the container's own
/// waiting is there where a kernel or an engine hides the machine's.
pub(crate) const READ: &[&str] = &[
    "sh",
    "-c",
    "cat /proc/loadavg; grep -c '^cpu[0-9]' /proc/stat
    cat /proc/pressure/cpu 2>/dev/null || cat /sys/fs/cgroup/cpu.pressure",
];

/// A machine is busy above this: the part of the last ten seconds, in percent, in which a task has waited for a core.
/// A check that runs alone makes its own tasks wait for less than a third.
const WAITING: f64 = 50.0;
/// Where the kernel measures no waiting, a machine is busy above this: tasks for each core, over the last minute. With
/// two, each gets half of a core, which is within every limit.
const TASKS: f64 = 2.0;

/// What a machine says of its load.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Load {
    /// Percent of the last ten seconds.
    waiting: Option<f64>,
    tasks_per_core: Option<f64>,
}

/// Whether a machine is busy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Busy {
    /// In which way.
    Yes(String),
    No,
    /// It does not say.
    Unknown,
}

impl Load {
    /// Reads what [`READ`] prints; what is missing or odd is unknown.
    pub(crate) fn parse(text: &str) -> Load {
        let number = |word: &str| {
            word.parse()
                .ok()
                .filter(|n: &f64| n.is_finite() && *n >= 0.0)
        };
        let mut lines = text.lines();
        let tasks = lines
            .next()
            .and_then(|line| number(line.split(' ').next()?));
        let cores = lines.next().and_then(number).filter(|cores| *cores >= 1.0);
        let some = lines.find_map(|line| line.strip_prefix("some avg10="));
        Load {
            waiting: some.and_then(|rest| number(rest.split(' ').next()?)),
            tasks_per_core: tasks.zip(cores).map(|(tasks, cores)| tasks / cores),
        }
    }

    pub(crate) fn busy(&self) -> Busy {
        let (is_busy, how) = match (self.waiting, self.tasks_per_core) {
            (Some(waiting), _) => (
                waiting > WAITING,
                format!("for {waiting:.0} % of the last ten seconds a task had to wait for a core"),
            ),
            (None, Some(tasks)) => (tasks > TASKS, format!("{tasks:.0} tasks share a core")),
            (None, None) => return Busy::Unknown,
        };
        if is_busy { Busy::Yes(how) } else { Busy::No }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_counts_and_where_it_is_not_measured_the_tasks_do() {
        let waits = |percent: &str| {
            format!(
                "some avg10={percent} avg60=1.00 avg300=1.00 total=25005702446\nfull avg10=0.00\n"
            )
        };
        let yes = |how: &str| Busy::Yes(how.to_owned());
        let long = "for 97 % of the last ten seconds a task had to wait for a core";
        for (text, expected) in [
            (
                format!("21.93 3.07 3.35 13/294 5403\n2\n{}", waits("96.71")),
                yes(long),
            ),
            // The load average falls slowly, what waits is known at once.
            (
                format!("21.93 3.07 3.35 13/294 5403\n2\n{}", waits("3.10")),
                Busy::No,
            ),
            (
                format!("0.10 0.07 0.35 1/294 5403\n2\n{}", waits("50.00")),
                Busy::No,
            ),
            // No pressure: a kernel that does not measure it.
            (
                "21.93 3.07 3.35 13/294 5403\n2\n".to_owned(),
                yes("11 tasks share a core"),
            ),
            ("4.00 3.07 3.35 13/294 5403\n2\n".to_owned(), Busy::No),
            ("21.93 3.07 3.35 13/294 5403\n0\n".to_owned(), Busy::Unknown),
            (format!("\n\n{}", waits("96.71")), yes(long)),
            (format!("x\ny\n{}", waits("NaN")), Busy::Unknown),
            ("sh: cat: not found\n".to_owned(), Busy::Unknown),
            (String::new(), Busy::Unknown),
        ] {
            assert_eq!(Load::parse(&text).busy(), expected, "{text}");
        }
    }
}
