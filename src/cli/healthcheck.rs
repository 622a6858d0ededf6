use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};

use super::Outcome;
use super::printer::Printer;

/// Ask a server or a proxy of ours whether it is well, for a container's health check
///
/// Ends with 0 if it answers 200, and with 1 if it answers anything else, or not in time. Plain HTTP only: it is asked
/// from inside its own container or pod. `nats://HOST:PORT` waits for a NATS server's greeting instead.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What to ask: of `wilco serve` the address of --http, of `wilco proxy` that of --metrics
    #[arg(value_name = "URL", env = "WILCO_HEALTH_URL", default_value = "http://127.0.0.1:4480/healthz")]
    url: String,
    /// How many seconds the answer may take
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=300))]
    within: u64,
}

/// More of an answer is of no use here.
const MOST_READ: u64 = 4096;

// Without a client library: it runs every few seconds for as long as the container does.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let url = Url::parse(&arguments.url)?;
    let within = Duration::from_secs(arguments.within);
    let asked = tokio::task::spawn_blocking(move || ask(&url, Instant::now() + within));
    // Resolving a name cannot be told to end; the clock outside can.
    let answer = match tokio::time::timeout(within, asked).await {
        Ok(answer) => answer?,
        Err(_) => Err(anyhow!("no answer within {within:?}")),
    };
    match answer {
        Ok(()) => Ok(Outcome::Clean),
        Err(error) => {
            Printer::error(&error.context(format!("{} is not well", arguments.url)));
            Ok(Outcome::FailureFound)
        }
    }
}

/// The parts of a URL that a health check needs.
#[derive(Debug, PartialEq, Eq)]
struct Url {
    is_nats: bool,
    authority: String,
    path: String,
}

impl Url {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let (is_nats, rest) = match (text.strip_prefix("http://"), text.strip_prefix("nats://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => bail!("{text}: name it as http://127.0.0.1:4480/healthz, or as nats://127.0.0.1:4222"),
        };
        let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        if authority.is_empty() || authority.contains(['@', '?', '#']) || path.contains([' ', '\r', '\n']) {
            bail!("{text}: name it as http://HOST:PORT/PATH");
        }
        let port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let default = if is_nats { 4222 } else { 80 };
        let authority = if port { authority.to_owned() } else { format!("{authority}:{default}") };
        Ok(Self { is_nats, authority, path: path.to_owned() })
    }
}

fn ask(url: &Url, deadline: Instant) -> anyhow::Result<()> {
    let left = || deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    let mut last = anyhow!("{} has no address", url.authority);
    for address in url.authority.to_socket_addrs()? {
        let mut stream = match TcpStream::connect_timeout(&address, left()) {
            Ok(stream) => stream,
            Err(error) => {
                last = error.into();
                continue;
            }
        };
        stream.set_read_timeout(Some(left()))?;
        stream.set_write_timeout(Some(left()))?;
        if !url.is_nats {
            let (path, host) = (&url.path, &url.authority);
            write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
        }
        return judge(url, &first_line(&mut stream).context("it does not answer")?);
    }
    Err(last)
}

fn first_line(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut line = Vec::new();
    BufReader::new(stream.take(MOST_READ)).read_until(b'\n', &mut line)?;
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

fn judge(url: &Url, line: &str) -> anyhow::Result<()> {
    let is_well = if url.is_nats { line.starts_with("INFO ") } else { line.split(' ').nth(1) == Some("200") };
    if is_well { Ok(()) } else { Err(anyhow!("it answers {:?}", line.chars().take(60).collect::<String>())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let url = Url::parse("http://127.0.0.1:4480/healthz").unwrap();
        assert_eq!((url.authority.as_str(), url.path.as_str()), ("127.0.0.1:4480", "/healthz"));
        assert_eq!(Url::parse("http://[::1]").unwrap().authority, "[::1]:80");
        let nats = Url::parse("nats://bus").unwrap();
        assert!(nats.is_nats && nats.authority == "bus:4222");
        for text in ["https://127.0.0.1", "127.0.0.1:4480", "http:///x", "http://a b/c d", "http://u@h/"] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_200_is_well() {
        let http = Url::parse("http://x").unwrap();
        assert!(judge(&http, "HTTP/1.1 200 OK").is_ok());
        for line in ["", "HTTP/1.1 503 Service Unavailable", "INFO {}", "HTTP/1.1 2000 Odd"] {
            assert!(judge(&http, line).is_err(), "{line}");
        }
        assert!(judge(&Url::parse("nats://x").unwrap(), "INFO {}").is_ok());
    }
}
