use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use maud::{Markup, html};

use super::listing::stays;
use crate::model::Timestamp;
use crate::server::pages::range::Range;
use crate::server::pages::words;
use crate::store::{Store, StoreError};

/// Bars of the figure.
const PARTS: usize = 60;

/// Mismatches over time.
#[derive(Clone, Debug, serde::Serialize)]
pub(in crate::server) struct Spark {
    #[serde(serialize_with = "words::rfc3339")]
    from: Timestamp,
    #[serde(serialize_with = "words::rfc3339")]
    until: Timestamp,
    mismatched: Vec<u64>,
}

/// Figures that were counted a moment ago.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct Sparks(Arc<Mutex<HashMap<&'static str, (Instant, Spark)>>>);

impl Sparks {
    pub(super) fn of(&self, store: &Store, range: Range, now: Timestamp) -> Result<Spark, StoreError> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(range.word()).cloned();
        if let Some((counted, spark)) = known
            && counted.elapsed() < stays(range)
        {
            return Ok(spark);
        }
        let from = match range {
            Range::All => store.began()?.unwrap_or(now),
            _ => range.since(now),
        };
        let mismatched = store.mismatched_over_time(from, now, PARTS)?;
        let spark = Spark { from, until: now, mismatched };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(range.word(), (Instant::now(), spark.clone()));
        Ok(spark)
    }
}

/// The figure with what it says in words.
pub(super) fn figure(spark: &Spark, range: Range) -> Markup {
    let sum: u64 = spark.mismatched.iter().sum();
    let most = spark.mismatched.iter().copied().max().unwrap_or(0).max(1);
    let words = format!(
        "{} {}",
        words::count(usize::try_from(sum).unwrap_or(usize::MAX), "mismatched handoff"),
        if range == Range::All { "since the first one began".to_owned() } else { range.words() }
    );
    let width = 100.0 / PARTS as f64;
    html! {
        figure.spark {
            figcaption { (words) }
            svg width="100%" height="44" role="img" aria-label=(words) {
                line.base x1="0" x2="100%" y1="43.5" y2="43.5" {}
                @for (at, count) in spark.mismatched.iter().enumerate().filter(|(_, count)| **count > 0) {
                    @let height = (40.0 * *count as f64 / most as f64).max(2.0);
                    rect x={ (format!("{:.3}", at as f64 * width + width * 0.1)) "%" } width={ (format!("{:.3}", width * 0.8)) "%" } y=(format!("{:.1}", 43.0 - height)) height=(format!("{height:.1}")) rx="1" {
                        title { (count) " mismatched, " (begin(spark, at)) }
                    }
                }
            }
            div.axis aria-hidden="true" { span { (short(spark.from, spark.until)) } span { "now" } }
        }
    }
}

/// When a part begins.
fn begin(spark: &Spark, part: usize) -> String {
    let nanos = spark.until.since(spark.from).as_nanos() as f64 * part as f64 / PARTS as f64;
    let at = spark.from + std::time::Duration::from_nanos(nanos as u64);
    at.to_rfc3339().get(..19).unwrap_or_default().replace('T', " ")
}

fn short(then: Timestamp, now: Timestamp) -> String {
    words::ago(then, now)
}
