use std::sync::Arc;

/// How good somebody holds a result to be: a score from 0 (worthless) to 1 (flawless), and who or what gave it.
///
/// On a header it is written `0.83; by=schema`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Quality {
    score: f64,
    by: Arc<str>,
}

/// A score was not a number from 0 to 1.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("a quality score is a number from 0 to 1, and {0} is not")]
pub struct InvalidQuality(f64);

impl Quality {
    /// A score in 0..=1 given by `by`, as in `Quality::new(0.83, "schema")`.
    ///
    /// # Errors
    /// [`InvalidQuality`] if the score is not a number from 0 to 1.
    pub fn new(score: f64, by: impl Into<Arc<str>>) -> Result<Self, InvalidQuality> {
        if (0.0..=1.0).contains(&score) { Ok(Self { score, by: by.into() }) } else { Err(InvalidQuality(score)) }
    }

    /// The score, 0..=1.
    pub fn score(&self) -> f64 {
        self.score
    }

    /// Who or what gave the score.
    pub fn by(&self) -> &str {
        &self.by
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_outside_zero_to_one_is_refused() {
        assert!(Quality::new(0.0, "schema").is_ok() && Quality::new(1.0, "schema").is_ok());
        for score in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(Quality::new(score, "schema").is_err(), "{score}");
        }
    }
}
