//! What shells and `man` are given.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]
#![cfg(all(feature = "cli", unix))]

mod support;

use std::process::{Command, Output, Stdio};

fn wilco(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wilco")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Every command that `wilco help` lists.
fn commands() -> Vec<String> {
    let help = String::from_utf8(wilco(&["help"]).stdout).unwrap();
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<String> = listed
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| Some(line.split_whitespace().next()?.to_owned()))
        .collect();
    assert!(names.len() > 10, "{help}");
    names
}

#[test]
fn every_shell_gets_a_script_that_knows_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = wilco(&["completions", shell]);
        assert!(output.status.success(), "{output:?}");
        let script = String::from_utf8(output.stdout).unwrap();
        for command in commands() {
            assert!(script.contains(&command), "{shell} does not know {command}");
        }
    }
    assert_eq!(wilco(&["completions", "abacus"]).status.code(), Some(2));
}

#[test]
fn bash_completes_a_command_and_an_option() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("wilco");
    std::fs::write(&script, wilco(&["completions", "bash"]).stdout).unwrap();
    let ask = |words: &str, at: usize| {
        let line = format!(
            "source '{}'; COMP_WORDS=({words}); COMP_CWORD={at}; _wilco wilco \"${{COMP_WORDS[{at}]}}\" \"${{COMP_WORDS[{at}-1]}}\"; echo \"${{COMPREPLY[@]}}\"",
            script.display()
        );
        let output = Command::new("bash").args(["--norc", "-c", &line]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(ask("wilco doc", 1), "doctor");
    assert_eq!(ask("wilco doctor --prox", 2), "--proxy");
}

#[test]
fn each_command_has_a_page_of_the_manual() {
    let page = String::from_utf8(wilco(&["man"]).stdout).unwrap();
    assert!(page.contains(".TH wilco 1") && page.contains("Exit codes"), "{page}");
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    let output = wilco(&["man", "--out", pages.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    for command in commands().iter().filter(|command| *command != "help") {
        let page = std::fs::read_to_string(pages.join(format!("wilco-{command}.1"))).unwrap();
        assert!(page.contains(".SH OPTIONS"), "{command}: {page}");
    }
    // A file in the place of the folder.
    assert_eq!(wilco(&["man", "--out", pages.join("wilco.1").to_str().unwrap()]).status.code(), Some(2));
}
