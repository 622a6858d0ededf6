use std::fmt;

use crate::model::MismatchKind;

/// What can be made to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The receiver reads another constraint into the task.
    Misread,
    /// The sender passes on notes that it read 12 s ago, and that are good for 10.
    OldNotes,
    /// The receiver answers poorly, and the sender builds on it without a look.
    PoorWork,
    /// A bit flips between the sender and the server.
    BitFlip,
    /// The receiver is not there.
    Absent,
    /// The receiver answers after the deadline.
    Slow,
}

impl Fault {
    const ALL: [Self; 6] = [Self::Misread, Self::OldNotes, Self::PoorWork, Self::BitFlip, Self::Absent, Self::Slow];

    /// What Wilco has to find.
    pub(crate) const fn expected(self) -> MismatchKind {
        match self {
            Self::Misread => MismatchKind::Misunderstood,
            Self::OldNotes => MismatchKind::StaleContext,
            Self::PoorWork => MismatchKind::UnverifiedUse,
            Self::BitFlip => MismatchKind::Corrupted,
            Self::Absent => MismatchKind::Undelivered,
            Self::Slow => MismatchKind::TimedOut,
        }
    }
}

/// The handoffs of a workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leg {
    /// planner -> researcher
    Research,
    /// planner -> writer
    Write,
    /// writer -> reviewer, from inside the writer's task
    Review,
}

impl Leg {
    const ALL: [Self; 3] = [Self::Research, Self::Write, Self::Review];

    pub(crate) const fn from(self) -> &'static str {
        match self {
            Self::Research | Self::Write => "planner",
            Self::Review => "writer",
        }
    }

    pub(crate) const fn to(self) -> &'static str {
        match self {
            Self::Research => "researcher",
            Self::Write => "writer",
            Self::Review => "reviewer",
        }
    }
}

/// The boundary, `to<-from`.
impl fmt::Display for Leg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}<-{}", self.to(), self.from())
    }
}

/// One workflow to run.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) workflow: String,
    pub(crate) topic: &'static str,
    /// What goes wrong, and where.
    pub(crate) fault: Option<(Fault, Leg)>,
}

impl Job {
    pub(crate) fn fault_at(&self, leg: Leg) -> Option<Fault> {
        self.fault.filter(|(_, at)| *at == leg).map(|(fault, _)| fault)
    }
}

const TOPICS: [&str; 8] = [
    "solid-state batteries",
    "perovskite solar cells",
    "tidal power in Brittany",
    "green hydrogen pipelines",
    "heat pumps in old houses",
    "grid-scale iron-air storage",
    "geothermal drilling costs",
    "recycling of rotor blades",
];

/// The workflows of a run. The seed decides which of them break, where, and in which order.
pub(crate) fn plan(workflows: usize, seed: u64, healthy: bool) -> Vec<Job> {
    let mut dice = fastrand::Rng::with_seed(seed);
    let mut faults = if healthy { Vec::new() } else { Fault::ALL.to_vec() };
    dice.shuffle(&mut faults);
    let mut at: Vec<usize> = (0..workflows).collect();
    dice.shuffle(&mut at);
    let first_topic = dice.usize(..TOPICS.len());
    let run = dice.u32(..) & 0xf_ffff;
    let mut jobs: Vec<Job> = (0..workflows)
        .map(|n| Job {
            workflow: format!("story-{run:05x}-{}", n + 1),
            topic: TOPICS[(first_topic + n) % TOPICS.len()],
            fault: None,
        })
        .collect();
    for (fault, n) in faults.into_iter().zip(at) {
        jobs[n].fault = Some((fault, Leg::ALL[dice.usize(..Leg::ALL.len())]));
    }
    jobs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seeded(jobs: &[Job]) -> Vec<String> {
        jobs.iter().map(|job| format!("{:?}", job.fault)).collect()
    }

    #[test]
    fn every_fault_is_seeded_once_where_there_is_room() {
        for seed in 0..50 {
            let jobs = plan(8, seed, false);
            for fault in Fault::ALL {
                assert_eq!(jobs.iter().filter(|job| job.fault.is_some_and(|(f, _)| f == fault)).count(), 1);
            }
        }
        assert_eq!(plan(3, 1, false).iter().filter(|job| job.fault.is_some()).count(), 3);
        assert!(plan(8, 1, true).iter().all(|job| job.fault.is_none()));
        assert!(plan(0, 1, false).is_empty());
    }

    #[test]
    fn the_seed_decides_and_nothing_else() {
        assert_eq!(seeded(&plan(9, 7, false)), seeded(&plan(9, 7, false)));
        assert_ne!(seeded(&plan(9, 7, false)), seeded(&plan(9, 8, false)));
    }
}
