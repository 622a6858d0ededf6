use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, header};

use super::options::Token;

/// How long a browser stays signed in.
const OPEN_FOR: Duration = Duration::from_secs(30 * 24 * 3_600);

/// Browsers that are signed in. What they show says until when, and proves itself by a key that follows from the token,
/// so that it outlives a restart and ends with the token. It is no token: the API does not take it as one.
pub(super) struct Sessions {
    key: [u8; 32],
    /// Cookies do not tell ports apart.
    cookie: String,
    once: Mutex<Option<String>>,
}

impl Sessions {
    pub(super) fn new(token: &Token, port: u16) -> Self {
        let mut secret = [0; 16];
        let is_filled = rustls::crypto::ring::default_provider().secure_random.fill(&mut secret).is_ok();
        Self {
            key: token.derive("wilco 2026 pages session"),
            cookie: format!("wilco_{port}"),
            once: Mutex::new(is_filled.then(|| hex(&secret))),
        }
    }

    /// The secret by which one browser may sign in, until it was used.
    pub(super) fn once(&self) -> Option<String> {
        self.once.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the secret back: whether it was the one.
    pub(super) fn take_once(&self, shown: &str) -> bool {
        let mut once = self.once.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = once.as_ref().is_some_and(|once| blake3::hash(once.as_bytes()) == blake3::hash(shown.as_bytes()));
        if is_it {
            *once = None;
        }
        is_it
    }

    /// The `Set-Cookie` that signs a browser in.
    pub(super) fn open(&self, is_https: bool) -> String {
        let until = now() + OPEN_FOR.as_secs();
        let secure = if is_https { "; Secure" } else { "" };
        format!(
            "{}={until}.{}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{secure}",
            self.cookie,
            self.proof(until),
            OPEN_FOR.as_secs()
        )
    }

    /// Whether the request comes from a browser that is signed in.
    pub(super) fn is_open(&self, headers: &HeaderMap) -> bool {
        cookies(headers).filter(|(name, _)| *name == self.cookie).any(|(_, value)| {
            let Some((until, proof)) = value.split_once('.') else { return false };
            let Ok(until) = until.parse::<u64>() else { return false };
            blake3::hash(self.proof(until).as_bytes()) == blake3::hash(proof.as_bytes()) && until > now()
        })
    }

    fn proof(&self, until: u64) -> String {
        blake3::keyed_hash(&self.key, &until.to_be_bytes()).to_hex().to_string()
    }
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions").field("cookie", &self.cookie).finish_non_exhaustive()
    }
}

/// Name and value of each cookie.
pub(super) fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';')).filter_map(|cookie| cookie.trim().split_once('='))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shows(cookie: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, cookie.split(';').next().unwrap().parse().unwrap())])
    }

    #[test]
    fn a_session_is_proved_by_the_token_and_by_nothing_else() {
        let of = |token: &str| Sessions::new(&Token::new(token).unwrap(), 4480);
        let sessions = of("long enough".replace(' ', "-").as_str());
        let cookie = sessions.open(false);
        assert!(cookie.contains("HttpOnly; SameSite=Strict") && !cookie.contains("long-enough"), "{cookie}");
        assert!(sessions.is_open(&shows(&cookie)));
        assert!(!of("another-token").is_open(&shows(&cookie)));
        let later = cookie.replacen('=', "=9", 1);
        assert!(!sessions.is_open(&shows(&later)), "a time that was changed is not proved");
    }

    #[test]
    fn what_signs_in_once_does_so_once() {
        let sessions = Sessions::new(&Token::new("long-enough").unwrap(), 4480);
        let once = sessions.once().unwrap();
        assert_eq!(once.len(), 32);
        assert!(!sessions.take_once("0"));
        assert!(sessions.take_once(&once));
        assert!(!sessions.take_once(&once));
        assert_eq!(sessions.once(), None);
    }
}
