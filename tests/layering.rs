//! Layers only look down. Rust allows cycles between the modules of a crate; this test does not.
//!
//! It reads the tokens of `src/**/*.rs`, so comments and texts do not count, and what is inside a macro does. Code
//! under `#[cfg(test)]` may use what it likes.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test, which is what is wanted")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The top folders of `src`, and the floor that each is on. A folder imports only from floors below its own.
const FLOORS: [(&str, u8); 16] = [
    ("model", 0),
    ("wire", 1),
    ("verify", 1),
    ("otlp", 1),
    ("diagnose", 1),
    ("nats", 1),
    ("telemetry", 2),
    ("client", 2),
    ("channel", 2),
    ("proxy", 2),
    ("bus", 2),
    ("store", 2),
    ("server", 3),
    ("workflows", 3),
    ("cli", 4),
    // Prose, and no code.
    ("docs", 4),
];

/// Who may import from a folder on the same floor: (importer, imported).
const SIBLINGS: [(&str, &str); 5] = [
    ("channel", "telemetry"),
    ("channel", "client"),
    ("client", "telemetry"),
    ("proxy", "telemetry"),
    ("diagnose", "verify"),
];

/// The only folder that prints.
const PRINTER: &str = "cli";

/// The most lines that `main.rs` may have.
const MAIN_LINES: usize = 40;

#[test]
fn a_floor_imports_only_floors_below_it_and_nothing_below_cli_prints() {
    let findings: Vec<String> = sources().iter().flat_map(|(path, text)| findings(path, text)).collect();
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

#[test]
fn the_program_parses_runs_and_exits_and_no_more() {
    let main = fs::read_to_string(src().join("main.rs")).unwrap();
    let lines = main.lines().count();
    assert!(lines <= MAIN_LINES, "main.rs has {lines} lines, over the limit of {MAIN_LINES}: move code to cli/");
}

#[test]
fn the_front_page_has_no_logic() {
    let front_page = fs::read_to_string(src().join("lib.rs")).unwrap();
    assert_eq!(logic(&front_page), None, "lib.rs holds docs, modules and re-exports only");
}

// ------------------------------------------------------------------------------------------- the test finds what it should

#[test]
fn an_import_from_above_is_found_in_every_way_to_write_it() {
    for source in [
        "use crate::channel::Channel;",
        "pub(crate) use crate::channel::Channel as Bus;",
        "use crate::{model::Intent, channel::Channel};",
        "use crate::{model::{Intent, Slot}, channel};",
        "use super::super::channel::Channel;",
        "use super::{super::{channel::Channel}};",
        "fn f() -> crate::channel::Channel { todo!() }",
        "fn f() { g!(x, crate::channel::open()) }",
        "mod inner { use super::super::super::channel::Channel; }",
        "#[cfg(not(test))] use crate::channel::Channel;",
        "#[cfg(test)] use crate::cli::X;\nuse crate::channel::Channel;",
    ] {
        let found = findings("wire/envelope.rs", source);
        assert_eq!(found.len(), 1, "{source}: {found:?}");
        assert!(found[0].contains("wire (floor 1) imports channel (floor 2)"), "{found:?}");
    }
}

#[test]
fn a_sibling_is_allowed_only_by_the_table() {
    assert_eq!(findings("channel/mod.rs", "use crate::telemetry::Telemetry;"), [""; 0]);
    assert_eq!(findings("telemetry/mod.rs", "use crate::channel::Channel;").len(), 1);
    assert_eq!(findings("verify/mod.rs", "use crate::wire::Envelope;").len(), 1);
}

#[test]
fn what_is_allowed_is_left_alone() {
    for source in [
        "use crate::model::Intent;",
        "use super::names; use self::inner::X; use crate::wire::limits;",
        "// use crate::channel::Channel;",
        "//! [`crate::channel`]\n/* crate::cli */",
        "const A: &str = \"crate::cli::main() println!\";",
        "#[cfg(test)] mod tests { use crate::cli::Args; fn f() { println!(); } }",
        "#[cfg(all(test, feature = \"cli\"))] #[allow(x)] pub fn f() { crate::cli::main(); }",
        "#[cfg(test)] use crate::cli::{A, B};",
        "pub(in crate::wire) fn f() {}",
        "fn f(print: bool) { if print != true { child.stdout(Stdio::piped()); } }",
    ] {
        assert_eq!(findings("wire/envelope.rs", source), [""; 0], "{source}");
    }
}

#[test]
fn ways_around_the_table_are_found() {
    for source in ["use crate::*;", "use crate::{self as all};", "use crate::Channel;", "use super::super::*;"] {
        assert_eq!(findings("wire/envelope.rs", source).len(), 1, "{source}");
    }
    assert_eq!(findings("gadgets/mod.rs", "").len(), 1, "a folder that is on no floor");
    assert_eq!(findings("main.rs", "fn main() { wilco::channel::run() }").len(), 1, "main goes through cli");
    assert_eq!(findings("main.rs", "fn main() { wilco::cli::run() }"), [""; 0]);
}

#[test]
fn printing_below_cli_is_found() {
    for source in ["fn f() { println!() }", "fn f() { std::eprint!(\"x\") }", "fn f() { io::stdout().lock() }"] {
        assert_eq!(findings("channel/inbox.rs", source).len(), 1, "{source}");
        assert_eq!(findings("cli/printer.rs", source), [""; 0], "{source}");
    }
}

#[test]
fn logic_on_the_front_page_is_found() {
    assert_eq!(logic("pub fn f() { }"), Some("fn".to_owned()));
    assert_eq!(logic("pub struct A;"), Some("struct".to_owned()));
    let docs = "//! # fn f() {}\n#![doc = include_str!(\"a\")]\n#[cfg(feature = \"x\")] pub mod x;\npub use x::{A, B};";
    assert_eq!(logic(docs), None);
}

// ------------------------------------------------------------------------------------------------------------ the reader

/// What is wrong in one file, whose path is relative to `src`.
fn findings(path: &str, source: &str) -> Vec<String> {
    let module = module_of(path);
    let is_program = path == "main.rs" || path.starts_with("bin/");
    let folder = match module.first() {
        None => return if is_program { program_findings(path, source) } else { Vec::new() },
        Some(folder) => folder.clone(),
    };
    let Some(floor) = floor_of(&folder) else {
        return vec![format!("src/{path}: {folder} is on no floor: add it to the table in tests/layering.rs")];
    };
    let mut reader = Reader::default();
    reader.read(&module, tokens(path, source));
    let mut found = Vec::new();
    for Use { line, target } in reader.uses {
        match floor_of(&target) {
            _ if target == folder => {}
            None => found
                .push(format!("src/{path}:{line}: crate::{target} is no folder: name the folder that an item is in")),
            Some(other) if other < floor || SIBLINGS.contains(&(&folder, &target)) => {}
            Some(other) => {
                found.push(format!("src/{path}:{line}: {folder} (floor {floor}) imports {target} (floor {other})"));
            }
        }
    }
    if folder != PRINTER {
        let prints = reader.prints.iter();
        found.extend(prints.map(|(line, what)| format!("src/{path}:{line}: {what}: only {PRINTER}/ prints")));
    }
    found
}

/// A program knows the library through its top floor only.
fn program_findings(path: &str, source: &str) -> Vec<String> {
    let mut reader = Reader { library: Some("wilco"), ..Reader::default() };
    reader.read(&[], tokens(path, source));
    let beside = reader.uses.into_iter().filter(|used| used.target != PRINTER);
    beside.map(|used| format!("src/{path}:{}: names wilco::{}, not only wilco::cli", used.line, used.target)).collect()
}

/// The first word of a front page that is neither a module nor a re-export.
fn logic(source: &str) -> Option<String> {
    const WORDS: [&str; 10] =
        ["fn", "struct", "enum", "impl", "trait", "static", "const", "type", "union", "macro_rules"];
    let mut previous = None;
    for token in tokens("lib.rs", source) {
        if let TokenTree::Ident(word) = &token
            && WORDS.contains(&word.to_string().as_str())
        {
            return Some(word.to_string());
        }
        // The body of an inline module; braces after `::` belong to a `use`.
        if let TokenTree::Group(group) = &token
            && group.delimiter() == Delimiter::Brace
            && previous != Some(':')
        {
            return Some("{".to_owned());
        }
        previous = if let TokenTree::Punct(punct) = &token { Some(punct.as_char()) } else { None };
    }
    None
}

/// A path that leads to a top folder.
struct Use {
    line: usize,
    target: String,
}

#[derive(Default)]
struct Reader {
    uses: Vec<Use>,
    prints: Vec<(usize, String)>,
    /// The name by which a program knows the library, where that is what is looked for.
    library: Option<&'static str>,
}

impl Reader {
    /// Reads the tokens of a module, or of any group inside it.
    fn read(&mut self, module: &[String], tokens: Vec<TokenTree>) {
        let mut at = 0;
        while at < tokens.len() {
            if let Some(after) = skip_test_item(&tokens, at) {
                at = after;
                continue;
            }
            match &tokens[at] {
                TokenTree::Group(group) => {
                    let inner = group.stream().into_iter().collect();
                    match module_name(&tokens, at) {
                        Some(name) => self.read(&[module, &[name]].concat(), inner),
                        None => self.read(module, inner),
                    }
                }
                TokenTree::Ident(word) => {
                    let word = word.to_string();
                    self.look_for_print(&tokens, at, &word);
                    let starts = match word.as_str() {
                        "crate" => Some(Vec::new()),
                        "self" => Some(module.to_vec()),
                        "super" => Some(parent(module)),
                        _ if Some(word.as_str()) == self.library => Some(Vec::new()),
                        _ => None,
                    };
                    if let Some(base) = starts.filter(|_| is_path_separator(&tokens, at + 1) && !ends_path(&tokens, at))
                    {
                        at = self.follow(base, &tokens, at + 3);
                        continue;
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// Follows a path from `base` until its top folder is known; gives where reading goes on.
    fn follow(&mut self, base: Vec<String>, tokens: &[TokenTree], at: usize) -> usize {
        match tokens.get(at) {
            Some(TokenTree::Ident(word)) if word == "super" => {
                let base = parent(&base);
                return if is_path_separator(tokens, at + 1) { self.follow(base, tokens, at + 3) } else { at + 1 };
            }
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let parts: Vec<TokenTree> = group.stream().into_iter().collect();
                for part in parts.split(|token| matches!(token, TokenTree::Punct(p) if p.as_char() == ',')) {
                    if !part.is_empty() {
                        self.follow(base.clone(), part, 0);
                    }
                }
            }
            // Inside a folder any further segment stays inside it.
            Some(token) if base.is_empty() => {
                self.uses.push(Use { line: line(token), target: token.to_string() });
            }
            _ => {}
        }
        at + 1
    }

    fn look_for_print(&mut self, tokens: &[TokenTree], at: usize, word: &str) {
        let print = match (word, tokens.get(at + 1)) {
            ("println" | "eprintln" | "print" | "eprint" | "dbg", Some(TokenTree::Punct(bang))) => {
                bang.as_char() == '!' && matches!(tokens.get(at + 2), Some(TokenTree::Group(_)))
            }
            ("stdout" | "stderr", Some(TokenTree::Group(arguments))) => {
                let is_method = at > 0 && matches!(&tokens[at - 1], TokenTree::Punct(p) if p.as_char() == '.');
                arguments.stream().is_empty() && !is_method
            }
            _ => false,
        };
        if print {
            self.prints.push((line(&tokens[at]), word.to_owned()));
        }
    }
}

/// If an item that exists only in tests begins here (with its attributes), where it ends.
fn skip_test_item(tokens: &[TokenTree], start: usize) -> Option<usize> {
    let mut at = start;
    let mut only_in_tests = false;
    while let (Some(TokenTree::Punct(hash)), Some(TokenTree::Group(attribute))) = (tokens.get(at), tokens.get(at + 1)) {
        if hash.as_char() != '#' || attribute.delimiter() != Delimiter::Bracket {
            break;
        }
        let words: BTreeSet<String> = words_of(attribute.stream());
        only_in_tests |= words.contains("cfg") && words.contains("test") && !words.contains("not");
        at += 2;
    }
    if !only_in_tests {
        return None;
    }
    let is_use = tokens[at..].iter().take(4).any(|token| matches!(token, TokenTree::Ident(word) if word == "use"));
    let ends = |token: &TokenTree| match token {
        TokenTree::Punct(punct) => punct.as_char() == ';',
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace && !is_use,
        _ => false,
    };
    let end = tokens[at..].iter().position(ends)?;
    Some(at + end + 1)
}

fn words_of(tokens: TokenStream) -> BTreeSet<String> {
    tokens
        .into_iter()
        .flat_map(|token| match token {
            TokenTree::Ident(word) => BTreeSet::from([word.to_string()]),
            TokenTree::Group(group) => words_of(group.stream()),
            _ => BTreeSet::new(),
        })
        .collect()
}

/// The name of the inline module whose body is the group at `at`.
fn module_name(tokens: &[TokenTree], at: usize) -> Option<String> {
    let [TokenTree::Ident(keyword), TokenTree::Ident(name)] = tokens.get(at.checked_sub(2)?..at)? else { return None };
    (keyword == "mod").then(|| name.to_string())
}

fn is_path_separator(tokens: &[TokenTree], at: usize) -> bool {
    let colon = |token: Option<&TokenTree>| matches!(token, Some(TokenTree::Punct(p)) if p.as_char() == ':');
    colon(tokens.get(at)) && colon(tokens.get(at + 1))
}

/// Whether the word at `at` follows `::` or `in`, so that it is not where a use begins.
fn ends_path(tokens: &[TokenTree], at: usize) -> bool {
    let follows_in = at > 0 && matches!(&tokens[at - 1], TokenTree::Ident(word) if word == "in");
    let is_visibility = at == 1 && follows_in;
    is_visibility || (at >= 2 && is_path_separator(tokens, at - 2))
}

fn parent(module: &[String]) -> Vec<String> {
    module.split_last().map(|(_, rest)| rest.to_vec()).unwrap_or_default()
}

fn line(token: &TokenTree) -> usize {
    token.span().start().line
}

fn floor_of(folder: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == folder).map(|(_, floor)| *floor)
}

/// `channel/inbox.rs` is `channel::inbox`, `channel/mod.rs` is `channel`; the roots of crates are nothing.
fn module_of(path: &str) -> Vec<String> {
    if matches!(path, "lib.rs" | "main.rs") || path.starts_with("bin/") {
        return Vec::new();
    }
    let stem = path.strip_suffix(".rs").expect("a Rust file");
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    stem.split('/').map(str::to_owned).collect()
}

#[track_caller]
fn tokens(path: &str, source: &str) -> Vec<TokenTree> {
    let stream: TokenStream = source.parse().unwrap_or_else(|error| panic!("src/{path} is not Rust: {error}"));
    stream.into_iter().collect()
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every Rust file: its path relative to `src`, and its text. Files of test modules are left out.
fn sources() -> Vec<(String, String)> {
    let mut files = Vec::new();
    collect(&src(), &mut files);
    assert!(!files.is_empty(), "no sources found");
    let test_files: BTreeSet<String> = files.iter().flat_map(|(path, text)| test_modules(path, text)).collect();
    files.retain(|(path, _)| !test_files.contains(&module_of(path).join("::")));
    files
}

fn collect(folder: &Path, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("readable sources") {
        let path = entry.expect("readable sources").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let relative = path.strip_prefix(src()).expect("inside src").to_str().expect("UTF-8 names");
            files.push((relative.replace('\\', "/"), fs::read_to_string(&path).expect("readable sources")));
        }
    }
}

/// The modules in files of their own that a file declares under `#[cfg(test)]`, as paths with `::`.
fn test_modules(path: &str, source: &str) -> Vec<String> {
    let tokens = tokens(path, source);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let Some(end) = skip_test_item(&tokens, at) else {
            at += 1;
            continue;
        };
        if let [.., TokenTree::Ident(keyword), TokenTree::Ident(name), TokenTree::Punct(_)] = &tokens[at..end]
            && keyword == "mod"
        {
            found.push([module_of(path), vec![name.to_string()]].concat().join("::"));
        }
        at = end;
    }
    found
}
