//! A nats-server for each test of async-nats, with a `wilco proxy` before it: every client of the suite that connects to
//! where the server is said to be connects to the proxy.
//!
//! The names and signatures are those that the suite calls. `NATS_SERVER` names the server's program, `WILCO` that of the
//! proxy, `WILCO_ARGS` what else it is told. Without `WILCO` clients connect to the server itself, for a comparison.

use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// A server, and the proxy before it. Dropping it kills both.
pub struct Server {
    server: Child,
    proxy: Option<Child>,
    folder: PathBuf,
    config: String,
    more: Vec<String>,
    /// Where clients connect.
    port: u16,
    /// Where the server itself is.
    behind: u16,
}

/// Three servers that know of each other, each behind a proxy.
pub struct Cluster {
    servers: Vec<Server>,
}

/// How long a program may take until it listens.
const PATIENCE: Duration = Duration::from_secs(20);

pub fn run_basic_server() -> Server {
    run_server("")
}

pub fn run_server(config: &str) -> Server {
    Server::start(config, None, &[])
}

pub fn run_server_with_port(config: &str, port: Option<&str>) -> Server {
    Server::start(config, port.map(|port| port.parse().expect("a port")), &[])
}

pub fn run_cluster(config: &str) -> Cluster {
    let routes = [free_port(), free_port(), free_port()].map(|port| format!("nats://127.0.0.1:{port}"));
    let all = routes.join(",");
    let start = |(number, route): (usize, &String)| {
        let name = format!("node{number}");
        Server::start(config, None, &["--name", &name, "--cluster_name", "suite", "--cluster", route, "--routes", &all])
    };
    Cluster { servers: routes.iter().enumerate().map(start).collect() }
}

pub fn set_lame_duck_mode(server: &Server) {
    let told = Command::new("kill").arg("-USR2").arg(server.client_pid().to_string()).status();
    assert!(told.expect("kill runs").success());
}

impl Cluster {
    pub fn client_url(&self) -> String {
        self.servers[0].client_url()
    }
}

impl Server {
    fn start(config: &str, port: Option<u16>, more: &[&str]) -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("wilco-official-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let more: Vec<String> = more.iter().map(|&text| text.to_owned()).collect();
        let port = port.unwrap_or_else(free_port);
        let program = env::var("WILCO").ok().filter(|program| !program.is_empty());
        let behind = if program.is_some() { free_port() } else { port };
        let server = start_server(&folder, config, port, behind, &more);
        let proxy = program.map(|program| start_proxy(&program, port, behind));
        Self { server, proxy, folder, config: config.to_owned(), more, port, behind }
    }

    /// Kills the server and starts it again with what it had stored. The proxy stays.
    pub fn restart(&mut self) {
        end(&mut self.server);
        self.server = start_server(&self.folder, &self.config, self.port, self.behind, &self.more);
    }

    pub fn client_url(&self) -> String {
        self.url("")
    }

    pub fn client_url_with(&self, user: &str, password: &str) -> String {
        self.url(&format!("{user}:{password}@"))
    }

    pub fn client_url_with_token(&self, token: &str) -> String {
        self.url(&format!("{token}@"))
    }

    pub fn client_port(&self) -> u16 {
        self.port
    }

    pub fn client_pid(&self) -> usize {
        self.server.id() as usize
    }

    /// The suite's certificates name `localhost`.
    fn url(&self, who: &str) -> String {
        let (scheme, host) = if self.wants_tls() { ("tls", "localhost") } else { ("nats", "127.0.0.1") };
        format!("{scheme}://{who}{host}:{}", self.port)
    }

    fn wants_tls(&self) -> bool {
        let mut stream = TcpStream::connect(("127.0.0.1", self.behind)).expect("the server is there");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time to wait");
        let (mut heard, mut part) = (Vec::new(), [0; 4096]);
        while !heard.ends_with(b"\r\n") {
            match stream.read(&mut part).unwrap_or(0) {
                0 => break,
                read => heard.extend_from_slice(&part[..read]),
            }
        }
        let info = heard.strip_prefix(b"INFO ").and_then(|info| serde_json::from_slice::<serde_json::Value>(info).ok());
        info.is_some_and(|info| info["tls_required"] == true)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.proxy.iter_mut().for_each(end);
        end(&mut self.server);
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// A server behind a proxy says in its INFO where the proxy is: the suite looks there for the port that it connected to.
fn start_server(folder: &Path, config: &str, port: u16, behind: u16, more: &[String]) -> Child {
    let program = env::var("NATS_SERVER").unwrap_or_else(|_| "nats-server".to_owned());
    let mut command = Command::new(program);
    command.arg("--store_dir").arg(folder.join("store")).arg("-l").arg(folder.join("log"));
    command.args(["-a", "localhost", "-p", &behind.to_string()]).args(more).stdout(Stdio::null());
    if behind != port {
        command.args(["--client_advertise", &format!("127.0.0.1:{port}")]);
    }
    if !config.is_empty() {
        command.args(["-c", config]);
    }
    let child = command.spawn().expect("nats-server starts");
    wait_until_it_listens(behind);
    child
}

fn start_proxy(program: &str, port: u16, behind: u16) -> Child {
    let (here, there) = (format!("127.0.0.1:{port}"), format!("nats://127.0.0.1:{behind}"));
    let mut command = Command::new(program);
    command.args(["proxy", "--listen", &here, "--upstream", &there]);
    command.args(env::var("WILCO_ARGS").unwrap_or_default().split_whitespace());
    let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("wilco starts");
    let mut said = BufReader::new(child.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
    assert!(said.any(|line| line.contains("listening on ")), "wilco proxy does not listen on {here}");
    // What else it says is read, so that it never waits.
    thread::spawn(move || said.for_each(drop));
    child
}

fn wait_until_it_listens(port: u16) {
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < PATIENCE, "nothing listens on {port}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port()
}

fn end(process: &mut Child) {
    process.kill().ok();
    process.wait().ok();
}
