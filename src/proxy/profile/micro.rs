//! NATS micro services (ADR-32): an instance subscribes to `$SRV.{verb}.{name}.{id}`, by which its name is known.

use crate::nats::subject;

/// The service's name in a subscription that only an instance of it has. `agents` is every agent of Synadia's protocol,
/// so it names nobody.
pub(crate) fn service(subscribed: &[u8]) -> Option<&[u8]> {
    let mut tokens = subject::tokens(subscribed.strip_prefix(b"$SRV.")?);
    let verb = tokens.next()?;
    let name = tokens.next()?;
    let is_instance = tokens.next().is_some() && tokens.next().is_none();
    let is_verb = matches!(verb, b"PING" | b"INFO" | b"STATS");
    (is_verb && is_instance && !matches!(name, b"*" | b">" | b"agents")).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_instances_own_subject_names_the_service() {
        assert_eq!(service(b"$SRV.PING.calculator.VMKS6MHK"), Some(&b"calculator"[..]));
        for other in [&b"$SRV.PING"[..], b"$SRV.PING.calculator", b"$SRV.PING.agents.X", b"$SRV.X.a.b", b"a.b.c.d"] {
            assert_eq!(service(other), None, "{other:?}");
        }
    }
}
