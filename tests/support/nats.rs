//! Real NATS servers, one process each, on a port of the system's choice.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::{PATIENCE, is_ci, poll, skip, venv};

/// A nats-server program on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerBinary {
    path: PathBuf,
    version: Version,
}

/// Major, minor, patch.
pub(crate) type Version = (u32, u32, u32);

impl ServerBinary {
    /// What the program says of itself, such as `(2, 15, 1)`.
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// Where the program is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn probe(path: PathBuf) -> Option<Self> {
        let output = Command::new(&path).arg("--version").stdin(Stdio::null()).output().ok()?;
        let version = parse_version(std::str::from_utf8(&output.stdout).ok()?)?;
        Some(Self { path, version })
    }
}

/// Reads `nats-server: v2.9.10`.
fn parse_version(text: &str) -> Option<Version> {
    let (_, number) = text.trim().rsplit_once('v')?;
    let core = number.split('-').next()?;
    let mut parts = core.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}

/// Every nats-server version that can be found, newest first, one program each; a loud skip when there is none.
///
/// A test that must hold on all versions iterates over this. `WILCO_NATS_SERVERS` (paths with colons between them)
/// decides where it is set; otherwise the project's `.venv` and then `PATH` are searched. Under `CI=true` fewer than
/// two versions are an error.
#[track_caller]
pub(crate) fn each_server_version() -> Vec<ServerBinary> {
    let found = find_servers();
    match found.as_slice() {
        [] => skip("no nats-server found"),
        [only] if is_ci() => panic!("only one nats-server version found, {}", only.path.display()),
        _ => {}
    }
    found
}

fn find_servers() -> Vec<ServerBinary> {
    let candidates: Vec<PathBuf> = match std::env::var_os("WILCO_NATS_SERVERS") {
        Some(listed) => std::env::split_paths(&listed).collect(),
        None => {
            let ours = ["bin", "debian/usr/sbin", "older/bin"].map(|folder| venv().join(folder));
            let path = std::env::var_os("PATH").unwrap_or_default();
            ours.into_iter().chain(std::env::split_paths(&path)).map(|folder| folder.join("nats-server")).collect()
        }
    };
    let mut found: Vec<ServerBinary> = candidates.into_iter().filter_map(ServerBinary::probe).collect();
    // Stable, so that of two programs of one version the first that was listed stays.
    found.sort_by_key(|server| std::cmp::Reverse(server.version));
    found.dedup_by_key(|server| server.version);
    found
}

/// A running server. Dropping it kills the process and removes what it stored.
#[derive(Debug)]
pub(crate) struct NatsServer {
    binary: ServerBinary,
    args: Vec<String>,
    port: u16,
    process: Option<Child>,
    folder: tempfile::TempDir,
}

impl NatsServer {
    /// Starts the newest server there is; `None`, after a loud skip, when there is none.
    #[track_caller]
    pub(crate) fn start() -> Option<Self> {
        newest().map(|binary| Self::start_with(&binary, &[]))
    }

    /// As [`start`](Self::start), with JetStream on a store that outlives a [`restart`](Self::restart).
    #[track_caller]
    pub(crate) fn jetstream() -> Option<Self> {
        newest().map(|binary| Self::jetstream_with(&binary, &[]))
    }

    /// Starts one server of this version, with further command-line arguments.
    #[track_caller]
    pub(crate) fn start_with(binary: &ServerBinary, args: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder for a nats-server");
        let args = args.iter().map(ToString::to_string).collect();
        let mut server = Self { binary: binary.clone(), args, port: 0, process: None, folder };
        assert!(server.launch(), "{} did not start with {:?}", binary.path.display(), server.args);
        server
    }

    /// As [`start_with`](Self::start_with), with JetStream.
    #[track_caller]
    pub(crate) fn jetstream_with(binary: &ServerBinary, args: &[&str]) -> Self {
        let mut server = Self::start_with(binary, args);
        // Now that its folder is known, the same server once more with a store in it.
        server.stop();
        server.args.extend(["--jetstream".to_owned(), "--store_dir".to_owned(), server.folder_path("store")]);
        server.restart();
        server
    }

    /// Where clients connect, such as `nats://127.0.0.1:41233`.
    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The port that clients connect to; it stays the same over a restart.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What the program says of itself.
    pub(crate) fn version(&self) -> Version {
        self.binary.version
    }

    /// Kills the server, as a crash would: no goodbye to its clients.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // Fails only when the process is already gone.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Stops the server if it runs, and starts it again on the same port.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        self.stop();
        // Another process may hold the port for a moment.
        let started = poll(PATIENCE, || self.launch().then_some(()));
        assert!(started.is_some(), "{} did not come back on port {}", self.binary.path.display(), self.port);
    }

    /// Starts the process and waits until it greets; `false` when it exits or stays silent.
    fn launch(&mut self) -> bool {
        let ports = self.folder_path("ports");
        // A file of an earlier life must not answer for this one.
        let _ = std::fs::remove_dir_all(&ports);
        std::fs::create_dir_all(&ports).expect("folder for the ports file");
        let log = std::fs::File::create(self.folder.path().join("log")).expect("log file of a nats-server");
        let port = if self.port == 0 { "-1".to_owned() } else { self.port.to_string() };
        let mut process = Command::new(&self.binary.path)
            .args(["--addr", "127.0.0.1", "--port", &port, "--ports_file_dir", &ports])
            .args(&self.args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("start nats-server");

        let ready = poll(PATIENCE, || match process.try_wait() {
            Ok(Some(_)) => Some(None),
            _ => read_port(Path::new(&ports)).filter(|&port| greets(port)).map(Some),
        });
        if let Some(Some(port)) = ready {
            self.port = port;
            self.process = Some(process);
            true
        } else {
            let _ = process.kill();
            let _ = process.wait();
            super::note(&self.log());
            false
        }
    }

    /// What the server wrote to its log since it last started.
    pub(crate) fn log(&self) -> String {
        std::fs::read(self.folder.path().join("log"))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    fn folder_path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().expect("temporary folders have UTF-8 names").to_owned()
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.stop();
    }
}

#[track_caller]
fn newest() -> Option<ServerBinary> {
    let newest = find_servers().into_iter().next();
    if newest.is_none() {
        skip("no nats-server found");
    }
    newest
}

/// Reads `{"nats":["nats://127.0.0.1:41233"],...}`; `None` while the server has not written all of it.
fn read_port(folder: &Path) -> Option<u16> {
    let file = std::fs::read_dir(folder).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    let file = file.into_iter().find(|path| path.extension() == Some(OsStr::new("ports")))?;
    let ports: serde_json::Value = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    ports["nats"][0].as_str()?.rsplit_once(':')?.1.parse().ok()
}

/// Whether a NATS server answers on this port.
fn greets(port: u16) -> bool {
    let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let mut greeting = String::new();
    stream.set_read_timeout(Some(Duration::from_secs(5))).is_ok()
        && BufReader::new(stream).read_line(&mut greeting).is_ok()
        && greeting.starts_with("INFO ")
}
