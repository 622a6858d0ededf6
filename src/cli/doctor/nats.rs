use std::path::Path;
use std::time::{Duration, Instant};

use async_nats::{Client, ConnectOptions, HeaderMap, ServerAddr};
use futures_util::StreamExt;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpStream;

use super::jetstream;
use super::report::Report;
use crate::channel::login;
use crate::nats::Info;

/// How long anything may take.
const WITHIN: Duration = Duration::from_secs(5);

/// How long an address that the server tells of may take to accept a connection.
const ADVERTISED_WITHIN: Duration = Duration::from_secs(1);

/// The longest greeting that is read, and the most addresses of it that are tried.
const MOST_READ: u64 = 64 * 1024;
const MOST_ADDRESSES: usize = 8;

/// The oldest release that has what Wilco needs (headers and "no responders"), and the oldest that the project behind
/// it still cared for when this was written.
const OLDEST: (u32, u32) = (2, 2);
const CARED_FOR: (u32, u32) = (2, 11);

/// Bytes that the proxy adds to a message at most, with some room.
const ADDED: usize = 512;

/// The NATS server itself.
pub(super) async fn check(report: &mut Report, url: &str, creds: Option<&Path>, has_proxy: bool) {
    let Some((at, info)) = greeting(report, "nats.reachable", url).await else { return };
    settings(report, &info);
    if !info.headers {
        // The client library cannot do without.
        return advertised(report, &at, &info.connect_urls, has_proxy).await;
    }
    let client = connect(report, "nats.login", url, creds).await;
    advertised(report, &at, &told_of(&info, client.as_ref()), has_proxy).await;
    let Some(client) = client else { return };
    travel(report, &client).await;
    no_responders(report, &client).await;
    jetstream::check(report, &client, at.is_local()).await;
}

/// A proxy, by a message that goes through it.
pub(super) async fn through(report: &mut Report, url: &str, creds: Option<&Path>) {
    let Some((at, info)) = greeting(report, "proxy.reachable", url).await else { return };
    let client = connect(report, "proxy.login", url, creds).await;
    let told = told_of(&info, client.as_ref());
    let around: Vec<&String> = told.iter().filter(|other| **other != at.shown).collect();
    if around.is_empty() {
        report.good("proxy.addresses", "clients are told of no address that leads around it");
    } else {
        report.bad(
            "proxy.addresses",
            format!("clients are told that they may reconnect to {}, around {}", list(&around), at.shown),
            "set client_advertise or no_advertise on the NATS server, or --advertise HOST:PORT on the proxy",
        );
    }
    let Some(client) = client else { return };
    // Not an inbox, which the proxy leaves alone.
    let subject = format!("wilco.doctor.{}", client.new_inbox().rsplit('.').next().unwrap_or("x").to_lowercase());
    match echo(&client, &subject, HeaderMap::new()).await {
        Ok((headers, took)) if headers.get("Wilco").is_some() => {
            report.good("proxy.injects", format!("a message through {} got its headers, there and back in {took:.1?}", at.shown));
        }
        Ok(_) => report.warning(
            "proxy.injects",
            format!("a message through {} came back without a Wilco header", at.shown),
            format!("is this the proxy, and not the NATS server? With --inject off, or {subject} left out by --leave, it is meant"),
        ),
        Err(why) => report.bad("proxy.injects", format!("no message came back through {}: {why}", at.shown), "look at its log"),
    }
}

/// Where a URL leads.
#[derive(Debug)]
struct At {
    host: String,
    /// Without user and password.
    shown: String,
}

impl At {
    fn is_local(&self) -> bool {
        self.host == "localhost" || self.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// What the server says before anybody has logged in.
async fn greeting(report: &mut Report, name: &'static str, url: &str) -> Option<(At, Info)> {
    let first = url.split(',').next().unwrap_or(url).trim();
    let Ok(address) = first.parse::<ServerAddr>() else {
        report.bad(name, "it is no NATS URL", "name it as nats://127.0.0.1:4222");
        return None;
    };
    let at = At { host: address.host().to_owned(), shown: format!("{}:{}", address.host(), address.port()) };
    let asked = Instant::now();
    let line = match tokio::time::timeout(WITHIN, first_line(address.host(), address.port())).await {
        Ok(Ok(line)) => line,
        Ok(Err(error)) => {
            report.bad(
                name,
                format!("nothing answers at {}: {error}", at.shown),
                "start a nats-server there, or name another by --nats",
            );
            return None;
        }
        Err(_) => {
            let advice =
                "it may want TLS first (handshake_first), which this does not look into, or not be a NATS server";
            report.bad(name, format!("{} accepts connections, and does not greet", at.shown), advice);
            return None;
        }
    };
    if line.is_empty() {
        let says = format!("{} lets clients go at once, without a greeting", at.shown);
        let advice = "a proxy does so while no NATS server answers it, or at its limit of connections: see its log";
        report.bad(name, says, advice);
        return None;
    }
    let Some(info) = line.strip_prefix("INFO ").and_then(|json| Info::from_json(json.as_bytes()).ok()) else {
        let says = format!("{} is no NATS server: it says {:?}", at.shown, line.chars().take(40).collect::<String>());
        report.bad(name, says, "name the client port, 4222 by default");
        return None;
    };
    report.good(name, format!("nats-server {} at {}, in {:.1?}", info.version, at.shown, asked.elapsed()));
    Some((at, info))
}

async fn first_line(host: &str, port: u16) -> std::io::Result<String> {
    let stream = TcpStream::connect((host, port)).await?;
    let mut line = String::new();
    BufReader::new(stream.take(MOST_READ)).read_line(&mut line).await?;
    Ok(line.trim_end().to_owned())
}

fn settings(report: &mut Report, info: &Info) {
    match version(&info.version) {
        Some(version) if version < OLDEST => {
            report.bad(
                "nats.version",
                format!("{} is too old", info.version),
                "use 2.2 or later; tested are 2.9 and 2.15",
            );
        }
        Some(version) if version < CARED_FOR => {
            let says = format!("{} works, and gets no corrections any more", info.version);
            report.note("nats.version", says, "use a current release");
        }
        Some(_) => report.good("nats.version", info.version.clone()),
        None => report.unknown("nats.version", format!("{:?} is no version", info.version), "is it a nats-server?"),
    }
    if info.headers {
        report.good("nats.headers", "messages may have headers");
    } else {
        report.bad(
            "nats.headers",
            "messages may not have headers: nothing can travel with them",
            "remove no_header_support from its configuration",
        );
    }
    let limit = info.max_payload();
    if limit < 64 * 1024 {
        let says = format!("max_payload is {limit} bytes; headers count, and take up to {ADDED}");
        report.warning(
            "nats.max_payload",
            says,
            "raise max_payload, 1 MiB by default; what does not fit goes without headers",
        );
    } else {
        report.good("nats.max_payload", format!("{limit} bytes, headers included"));
    }
    if info.lame_duck {
        report.warning("nats.lame_duck", "it is about to stop", "connect to another server of the cluster");
    }
    if info.tls_required {
        report.note(
            "nats.tls",
            "it wants TLS",
            "a proxy sees nothing of TLS that ends at the server: let it end at the proxy",
        );
    }
}

/// Major and minor.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.trim_start_matches('v').split(['.', '-']).map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

/// The addresses that the server tells clients of: some servers do so only once they are logged in.
fn told_of(info: &Info, client: Option<&Client>) -> Vec<String> {
    let mut told = info.connect_urls.clone();
    told.extend(client.map(|client| client.server_info().connect_urls).unwrap_or_default());
    told.sort();
    told.dedup();
    told
}

/// Whether the addresses at which clients may reconnect are any good.
async fn advertised(report: &mut Report, at: &At, told: &[String], has_proxy: bool) {
    let name = "nats.advertised";
    let others: Vec<&String> = told.iter().filter(|other| **other != at.shown).collect();
    if others.is_empty() {
        return report.good(name, "clients are told of no other address");
    }
    let mut closed = Vec::new();
    for other in others.iter().take(MOST_ADDRESSES) {
        let connecting = TcpStream::connect(other.as_str());
        if !matches!(tokio::time::timeout(ADVERTISED_WITHIN, connecting).await, Ok(Ok(_))) {
            closed.push(*other);
        }
    }
    if !closed.is_empty() {
        let says = format!("clients are told that they may reconnect to {}, which nobody can from here", list(&closed));
        report.warning(name, says, "set client_advertise to an address that clients reach, or no_advertise");
    } else if has_proxy {
        let says = format!("clients are told that they may reconnect to {}", list(&others));
        report.note(
            name,
            says,
            "through a proxy that leads around it, unless the proxy says --advertise: see proxy.addresses",
        );
    } else {
        report.good(name, format!("clients are told of {}, which can be reached", list(&others)));
    }
}

fn list(addresses: &[&String]) -> String {
    addresses.iter().take(MOST_ADDRESSES).map(|address| address.as_str()).collect::<Vec<_>>().join(", ")
}

async fn connect(report: &mut Report, name: &'static str, url: &str, creds: Option<&Path>) -> Option<Client> {
    let options = ConnectOptions::new().name("wilco doctor").connection_timeout(WITHIN).max_reconnects(1);
    let mut options = login::from_urls(url, options);
    if let Some(file) = creds {
        options = match options.credentials_file(file).await {
            Ok(options) => options,
            Err(error) => {
                report.bad(name, format!("{}: {error}", file.display()), "name the file that `nsc` wrote by --creds");
                return None;
            }
        };
    }
    match tokio::time::timeout(WITHIN * 2, options.connect(url)).await {
        Ok(Ok(client)) => {
            report.good(name, "it lets us in");
            Some(client)
        }
        Ok(Err(error)) => {
            let advice = match error.kind() {
                async_nats::ConnectErrorKind::AuthorizationViolation | async_nats::ConnectErrorKind::Authentication => {
                    "name a user as nats://USER:PASSWORD@HOST:PORT, a token as nats://TOKEN@HOST:PORT, or credentials by --creds"
                }
                async_nats::ConnectErrorKind::Tls => {
                    "name a server that wants TLS as tls://, and its authority in SSL_CERT_FILE"
                }
                _ => "look at its log",
            };
            report.bad(name, format!("it does not let us in: {error}"), advice);
            None
        }
        Err(_) => {
            report.bad(name, "it did not let us in in time", "look at its log");
            None
        }
    }
}

/// Whether a header comes back as it was sent.
async fn travel(report: &mut Report, client: &Client) {
    let mut headers = HeaderMap::new();
    headers.insert("Wilco-Doctor", "ahh");
    match echo(client, &client.new_inbox(), headers).await {
        Ok((headers, took)) if headers.get("Wilco-Doctor").is_some_and(|value| value.as_str() == "ahh") => {
            report.good("nats.round_trip", format!("a message to ourselves came back with its header in {took:.1?}"));
        }
        Ok(_) => report.bad(
            "nats.round_trip",
            "a header was lost on its way",
            "look for what stands in between: a gateway, an old leaf node",
        ),
        Err(why) => report.bad(
            "nats.round_trip",
            format!("a message to ourselves did not come back: {why}"),
            "allow the user to publish and subscribe to _INBOX.>",
        ),
    }
}

async fn echo(client: &Client, subject: &str, headers: HeaderMap) -> Result<(HeaderMap, Duration), String> {
    let mut inbox = client.subscribe(subject.to_owned()).await.map_err(|error| error.to_string())?;
    client.flush().await.map_err(|error| error.to_string())?;
    let sent = Instant::now();
    let publishing = client.publish_with_headers(subject.to_owned(), headers, "".into());
    publishing.await.map_err(|error| error.to_string())?;
    match tokio::time::timeout(WITHIN, inbox.next()).await {
        Ok(Some(message)) => Ok((message.headers.unwrap_or_default(), sent.elapsed())),
        Ok(None) => Err("the subscription was closed".to_owned()),
        Err(_) => Err(format!("nothing within {WITHIN:?}")),
    }
}

/// Whether the server says so when nobody listens, which is how `undelivered` is known at once.
async fn no_responders(report: &mut Report, client: &Client) {
    let name = "nats.no_responders";
    let asked = client.request(format!("{}.nobody", client.new_inbox()), "".into());
    let lacking = |report: &mut Report, says: &str| {
        let advice = "something subscribes to everything (\">\"), or it is too old: a task that nobody takes is then found by its deadline only";
        report.warning(name, says, advice);
    };
    match tokio::time::timeout(WITHIN, asked).await {
        Ok(Err(error)) if error.kind() == async_nats::RequestErrorKind::NoResponders => {
            report.good(name, "it says at once when nobody takes a task");
        }
        Ok(Err(error)) => report.unknown(name, format!("a request to nobody ended in: {error}"), "look at its log"),
        Ok(Ok(_)) => lacking(report, "somebody answered a request to nobody"),
        Err(_) => lacking(report, "a request to nobody was not answered"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_servers_write_them() {
        assert_eq!(version("2.15.1"), Some((2, 15)));
        assert_eq!(version("2.11.0-RC.1"), Some((2, 11)));
        assert_eq!(version("dev"), None);
    }
}
