//! `wilco bus`, as it is run by hand and by scripts.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]
#![cfg(all(feature = "cli", unix))]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};

use support::{PATIENCE, poll};

/// The command of the README; the port, in a test, is one that is free.
const README: &str = "cargo run --release -- bus --listen 127.0.0.1:4222";

fn bus(arguments: &[&str]) -> (Child, BufReader<ChildStderr>) {
    let (_, own) = README.split_once(" -- ").unwrap();
    let own = own.replace(":4222", ":0");
    let mut command = Command::new(env!("CARGO_BIN_EXE_wilco"));
    command.args(own.split(' ')).args(arguments);
    command.env_remove("RUST_LOG").env_remove("WILCO_BUS_TOKEN");
    let mut bus = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("wilco runs");
    let said = BufReader::new(bus.stderr.take().unwrap());
    (bus, said)
}

fn listening(said: &mut BufReader<ChildStderr>) -> String {
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    line.trim_end().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line:?}")).to_owned()
}

fn greeting(address: &str) -> String {
    let mut line = String::new();
    BufReader::new(TcpStream::connect(address).unwrap()).read_line(&mut line).unwrap();
    line
}

#[test]
fn it_says_where_it_listens_and_ends_in_order_when_it_is_told_to() {
    for signal in ["-TERM", "-INT"] {
        let (mut bus, mut said) = bus(&[]);
        let address = listening(&mut said);
        assert!(greeting(&address).starts_with("INFO {"));
        let mut client = TcpStream::connect(&address).unwrap();
        client.write_all(b"PING\r\n").unwrap();
        let told = Command::new("kill").args([signal, &bus.id().to_string()]).status().unwrap();
        assert!(told.success());
        let status = poll(PATIENCE, || bus.try_wait().unwrap()).expect("it ends");
        assert_eq!(status.code(), Some(0), "{signal}");
        let mut rest = String::new();
        said.read_to_string(&mut rest).unwrap();
        assert!(rest.contains("core NATS only, one process, nothing stored"), "{rest}");
        assert!(rest.contains("2 connections"), "{rest}");
    }
}

#[test]
fn its_limits_are_those_of_the_command_line() {
    let (mut bus, mut said) = bus(&["--token", "s3cret", "--max-payload", "2048"]);
    let info = greeting(&listening(&mut said));
    assert!(info.contains("\"auth_required\":true") && info.contains("\"max_payload\":2048"), "{info}");
    assert!(!info.contains("s3cret"));
    bus.kill().unwrap();
    bus.wait().unwrap();
}

#[test]
fn a_taken_port_is_named_with_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_wilco"))
        .args(["bus", "--listen", &address.to_string()])
        .output()
        .expect("wilco runs");
    let err = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert_eq!(ran.status.code(), Some(2), "{err}");
    assert!(err.contains(&format!("port {} is taken", address.port())) && err.contains("name another port"), "{err}");
}

#[test]
fn its_help_says_what_it_is_not() {
    let ran = Command::new(env!("CARGO_BIN_EXE_wilco")).args(["bus", "--help"]).output().expect("wilco runs");
    let help = String::from_utf8_lossy(&ran.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("core NATS only, one process, nothing stored") && help.contains("no JetStream"), "{help}");
}
