//! Who we are to the server, where its URL says so. The client library does not look for it there.

use async_nats::{ConnectOptions, ServerAddr};
use percent_encoding::percent_decode_str;

/// `options` with the user that the first of these URLs to name one names: `nats://user:password@host:port`, or
/// `nats://token@host:port`.
pub(crate) fn from_urls(servers: &str, options: ConnectOptions) -> ConnectOptions {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let named =
        servers.split(',').filter_map(|url| url.trim().parse::<ServerAddr>().ok()).find(|url| url.has_user_pass());
    match named.as_ref().map(|url| (url.username(), url.password())) {
        Some((Some(user), Some(password))) => options.user_and_password(decoded(user), decoded(password)),
        Some((Some(token), None)) => options.token(decoded(token)),
        _ => options,
    }
}

/// The URLs as they may be shown: without the user.
pub(crate) fn without_user(servers: &str) -> String {
    let shown = servers.split(',').map(|url| {
        let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
        match rest.rsplit_once('@') {
            Some((_, host)) if scheme.is_empty() => host.to_owned(),
            Some((_, host)) => format!("{scheme}://{host}"),
            None => url.to_owned(),
        }
    });
    shown.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_a_url_has_no_user() {
        for (url, shown) in [
            ("nats://127.0.0.1:4222", "nats://127.0.0.1:4222"),
            ("nats://ada:p%40ss@host:4222,tls://s3cret@other", "nats://host:4222,tls://other"),
            ("ada:a@b@host", "host"),
        ] {
            assert_eq!(without_user(url), shown);
        }
    }
}
