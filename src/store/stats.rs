use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::StoreError;
use super::functions::nearest_rank;
use super::summary::millis;
use super::words::{VerdictWord, mismatch_words};
use crate::model::Timestamp;

/// Numbers over many workflows.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct Stats {
    /// Per boundary, those with the most mismatches first.
    pub boundaries: Vec<BoundaryStats>,
    /// Per agent, by name.
    pub agents: Vec<AgentStats>,
    /// Per type of decision, by name.
    pub decisions: Vec<DecisionStats>,
}

/// Numbers of one boundary.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct BoundaryStats {
    /// Agent that hands over.
    pub from: Option<String>,
    /// Agent that takes.
    pub to: Option<String>,
    /// Handoffs.
    pub handoffs: i64,
    /// How many of them are mismatched.
    pub mismatched: i64,
    /// How many handoffs have a finding of each kind that there is.
    pub kinds: std::collections::BTreeMap<String, i64>,
    /// Duration in milliseconds, half of all are not over it.
    pub duration_ms_p50: Option<f64>,
    /// Duration in milliseconds, 95 % of all are not over it.
    pub duration_ms_p95: Option<f64>,
    /// Duration in milliseconds, 99 % of all are not over it.
    pub duration_ms_p99: Option<f64>,
    /// Context age in milliseconds, half of those that tell one are not over it.
    pub age_ms_p50: Option<f64>,
    /// Context age in milliseconds, 95 % of those that tell one are not over it.
    pub age_ms_p95: Option<f64>,
    /// Mean score of the results that have one.
    pub quality_mean: Option<f64>,
    /// Lowest score of a result.
    pub quality_min: Option<f64>,
}

/// Numbers of one agent.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct AgentStats {
    /// Its name.
    pub agent: String,
    /// Handoffs that it made.
    pub sent: i64,
    /// How many of these are mismatched.
    pub sent_mismatched: i64,
    /// Handoffs that it got.
    pub received: i64,
    /// How many of these are mismatched.
    pub received_mismatched: i64,
    /// Mean score of its results.
    pub quality_mean: Option<f64>,
}

/// Numbers of one type of decision.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct DecisionStats {
    /// Its type, as in `approve`.
    pub decision: Option<String>,
    /// Decisions.
    pub count: i64,
    /// How many of them ended in an error.
    pub errors: i64,
    /// Duration in milliseconds, half of all are not over it.
    pub duration_ms_p50: Option<f64>,
    /// Duration in milliseconds, 95 % of all are not over it.
    pub duration_ms_p95: Option<f64>,
}

/// Of what began from `since` up to `until`.
pub(super) fn stats(connection: &Connection, since: Timestamp, until: Timestamp) -> Result<Stats, StoreError> {
    let nanos = |time: Timestamp| i64::try_from(time.unix_nanos()).unwrap_or(i64::MAX);
    let time = (nanos(since), nanos(until));
    let tallies = Tallies::of(connection, time)?;
    let agents = tallies.agents();
    let decisions = connection
        .prepare_cached(DECISIONS)?
        .query_map(params![time.0, time.1], |row| {
            Ok(DecisionStats {
                decision: row.get(0)?,
                count: row.get(1)?,
                errors: row.get(2)?,
                duration_ms_p50: row.get(3)?,
                duration_ms_p95: row.get(4)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(Stats { boundaries: tallies.boundaries(), agents, decisions })
}

/// Every handoff, looked at once. The database would go over all of them for each of these numbers, which takes
/// seconds where there are a million.
#[derive(Default)]
struct Tallies {
    names: Vec<String>,
    by_boundary: HashMap<(Agent, Agent), Tally>,
}

/// The place of a name. `None` where none was told.
type Agent = Option<usize>;

#[derive(Default)]
struct Tally {
    handoffs: i64,
    mismatched: i64,
    /// By the number of the kind's bit.
    kinds: [i64; 32],
    durations_ms: Vec<f64>,
    ages_ms: Vec<f64>,
    quality: Scores,
}

/// The mean of scores, and the lowest.
#[derive(Clone, Copy, Default)]
struct Scores {
    count: i64,
    sum: f64,
    least: Option<f64>,
}

impl Tallies {
    fn of(connection: &Connection, (since, until): (i64, i64)) -> Result<Self, StoreError> {
        let mut tallies = Self::default();
        let mut places = HashMap::new();
        // Of all that there is, the index by time would only add a search for each.
        let time = if since == 0 { "+start_ns" } else { "start_ns" };
        let mut select = connection.prepare_cached(&format!(
            "SELECT from_agent, to_agent, verdict, mismatches, duration_ns, age_ms, quality FROM handoffs \
             WHERE {time} >= ?1 AND {time} < ?2"
        ))?;
        let mut rows = select.query(params![since, until])?;
        while let Some(row) = rows.next()? {
            let mut agent = |column| -> Result<Agent, StoreError> {
                let Some(name) = row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from)? else {
                    return Ok(None);
                };
                if let Some(place) = places.get(name) {
                    return Ok(Some(*place));
                }
                tallies.names.push(name.to_owned());
                places.insert(name.to_owned(), tallies.names.len() - 1);
                Ok(Some(tallies.names.len() - 1))
            };
            let boundary = (agent(0)?, agent(1)?);
            let tally = tallies.by_boundary.entry(boundary).or_default();
            tally.handoffs += 1;
            tally.mismatched += i64::from(row.get::<_, i64>(2)? == VerdictWord::Mismatched as i64);
            let mut bits: u32 = row.get(3)?;
            while bits != 0 {
                tally.kinds[bits.trailing_zeros() as usize] += 1;
                bits &= bits - 1;
            }
            tally.durations_ms.push(millis(row.get(4)?));
            tally.ages_ms.extend(row.get::<_, Option<f64>>(5)?);
            tally.quality.add(row.get(6)?);
        }
        Ok(tallies)
    }

    fn agents(&self) -> Vec<AgentStats> {
        let mut agents: Vec<(AgentStats, Scores)> = self
            .names
            .iter()
            .map(|name| {
                let agent = name.clone();
                let none = AgentStats {
                    agent,
                    sent: 0,
                    sent_mismatched: 0,
                    received: 0,
                    received_mismatched: 0,
                    quality_mean: None,
                };
                (none, Scores::default())
            })
            .collect();
        for (&(from, to), tally) in &self.by_boundary {
            if let Some((agent, _)) = from.and_then(|from| agents.get_mut(from)) {
                agent.sent += tally.handoffs;
                agent.sent_mismatched += tally.mismatched;
            }
            if let Some((agent, scores)) = to.and_then(|to| agents.get_mut(to)) {
                agent.received += tally.handoffs;
                agent.received_mismatched += tally.mismatched;
                scores.count += tally.quality.count;
                scores.sum += tally.quality.sum;
            }
        }
        let mut agents: Vec<AgentStats> =
            agents.into_iter().map(|(agent, scores)| AgentStats { quality_mean: scores.mean(), ..agent }).collect();
        agents.sort_by(|one, other| one.agent.cmp(&other.agent));
        agents.truncate(MOST);
        agents
    }

    fn boundaries(self) -> Vec<BoundaryStats> {
        let name = |agent: Agent| agent.and_then(|agent| self.names.get(agent)).cloned();
        let mut boundaries: Vec<BoundaryStats> =
            self.by_boundary.into_iter().map(|((from, to), tally)| tally.into_stats(name(from), name(to))).collect();
        boundaries.sort_by(|one, other| {
            (other.mismatched, other.handoffs, &one.from, &one.to).cmp(&(
                one.mismatched,
                one.handoffs,
                &other.from,
                &other.to,
            ))
        });
        boundaries.truncate(MOST);
        boundaries
    }
}

impl Tally {
    fn into_stats(mut self, from: Option<String>, to: Option<String>) -> BoundaryStats {
        let mut duration = |percent| nearest_rank(&mut self.durations_ms, percent);
        let mut age = |percent| nearest_rank(&mut self.ages_ms, percent);
        let kinds = self.kinds.iter().enumerate().filter(|(_, count)| **count > 0).filter_map(|(bit, count)| {
            let word = mismatch_words(1 << bit).into_iter().next()?;
            Some((word.to_owned(), *count))
        });
        BoundaryStats {
            from,
            to,
            handoffs: self.handoffs,
            mismatched: self.mismatched,
            kinds: kinds.collect(),
            duration_ms_p50: duration(50.0),
            duration_ms_p95: duration(95.0),
            duration_ms_p99: duration(99.0),
            age_ms_p50: age(50.0),
            age_ms_p95: age(95.0),
            quality_mean: self.quality.mean(),
            quality_min: self.quality.least,
        }
    }
}

impl Scores {
    fn add(&mut self, score: Option<f64>) {
        let Some(score) = score else { return };
        self.count += 1;
        self.sum += score;
        self.least = Some(self.least.map_or(score, |least| least.min(score)));
    }

    fn mean(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

/// The most boundaries that are told of, and the most agents.
const MOST: usize = 1_000;

const DECISIONS: &str = "SELECT subtype, count(*), sum(error), percentile((end_ns - start_ns) / 1e6, 50), \
     percentile((end_ns - start_ns) / 1e6, 95) FROM spans WHERE type = 4 AND start_ns >= ?1 AND start_ns < ?2 \
     GROUP BY subtype ORDER BY subtype LIMIT 1000";
