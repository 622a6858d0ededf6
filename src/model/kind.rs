use std::fmt;
use std::str::FromStr;

/// What the sender does after handing over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandoffKind {
    /// The source waits for a result.
    #[default]
    Delegation,
    /// Control leaves with the task; nobody waits for a result.
    Transfer,
}

impl HandoffKind {
    /// The word on the wire and on spans.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delegation => "delegation",
            Self::Transfer => "transfer",
        }
    }
}

impl fmt::Display for HandoffKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for HandoffKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "delegation" => Ok(Self::Delegation),
            "transfer" => Ok(Self::Transfer),
            _ => Err(()),
        }
    }
}
