//! The documentation keeps its word where a program can tell.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_public_async_function_tells_of_errors_and_of_cancelling() {
    let mut seen = 0;
    let mut silent = Vec::new();
    for path in sources("src") {
        let text = fs::read_to_string(&path).unwrap();
        for (name, docs, signature) in async_functions(&text) {
            seen += 1;
            if !docs.contains("# Cancel safety") {
                silent.push(format!("{}: {name} says nothing of cancelling", path.display()));
            }
            if signature.contains("-> Result<") && !docs.contains("# Errors") {
                silent.push(format!("{}: {name} says nothing of its errors", path.display()));
            }
        }
    }
    assert!(seen > 20, "only {seen} public async functions found");
    assert!(silent.is_empty(), "\n{}\n", silent.join("\n"));
}

#[test]
fn what_the_architecture_page_names_is_there() {
    let page = fs::read_to_string(root().join("src/docs/architecture.md")).unwrap();
    let mut missing = Vec::new();
    let mut tests = 0;
    for line in page.lines() {
        let mut file = None;
        // Every second piece between backticks is code.
        for word in line.split('`').skip(1).step_by(2) {
            let path = [word.to_owned(), format!("src/{word}")].into_iter().find(|path| root().join(path).exists());
            let looks_like_path = word.contains('/') && !word.contains(' ');
            if let Some(path) = path.filter(|_| looks_like_path) {
                file = Some(path);
            } else if looks_like_path {
                missing.push(format!("no file {word}"));
            } else if let Some(file) = file.as_ref().filter(|_| line.starts_with('|') && word.contains('_')) {
                tests += 1;
                if !fs::read_to_string(root().join(file)).unwrap().contains(&format!("fn {word}(")) {
                    missing.push(format!("no {word} in {file}"));
                }
            }
        }
    }
    assert!(tests > 20, "only {tests} tests are named");
    assert!(missing.is_empty(), "\n{}\n", missing.join("\n"));
}

#[test]
fn links_of_pages_lead_to_files_whether_read_as_such_or_in_the_reference() {
    let mut lost = Vec::new();
    let mut seen = 0;
    let pages = fs::read_dir(root().join("src/docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = pages.filter(|path| path.extension().is_some_and(|end| end == "md")).chain([root().join("README.md")]);
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        let inline = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let defined = text.lines().filter_map(|line| line.strip_prefix('[')?.split_once("]: ").map(|(_, to)| to));
        for link in inline.chain(defined).filter(|link| !link.contains("://") && !link.starts_with('#')) {
            seen += 1;
            let file = link.split('#').next().unwrap();
            if !page.parent().unwrap().join(file).exists() {
                lost.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(seen > 20, "only {seen} links found");
    assert!(lost.is_empty(), "\n{}\n", lost.join("\n"));
}

#[test]
fn a_silent_function_would_be_found() {
    let text = "    /// Waits.\n    ///\n    /// # Errors\n    /// None.\n    #[must_use]\n    pub async fn wait(\n        &self,\n    ) \
                -> Result<(), E> {\n    }\n    pub async fn bare() {}\n";
    let found = async_functions(text);
    assert_eq!(found[0].0, "wait");
    assert!(found[0].1.contains("# Errors") && !found[0].1.contains("# Cancel safety"), "{found:?}");
    assert!(found[0].2.contains("-> Result<"), "{found:?}");
    assert_eq!(found[1], ("bare".to_owned(), String::new(), "pub async fn bare() ".to_owned()));
}

/// Name, doc comment and signature of every `pub async fn`.
fn async_functions(text: &str) -> Vec<(String, String, String)> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(rest) = line.strip_prefix("pub async fn ") else { continue };
        let name = rest.split(['(', '<']).next().unwrap_or_default().to_owned();
        let above = lines[..at].iter().rev().take_while(|line| line.starts_with("///") || line.starts_with("#["));
        let mut docs: Vec<&str> = above.copied().filter(|line| line.starts_with("///")).collect();
        docs.reverse();
        let signature = lines[at..].join(" ");
        found.push((name, docs.join("\n"), signature.split('{').next().unwrap_or_default().to_owned()));
    }
    found
}

fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                found.push(path);
            }
        }
    }
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
