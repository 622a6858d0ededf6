//! Files of OTLP/JSON, as commands take them.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use anyhow::Context;

use crate::model::Span;
use crate::otlp;

/// How much of a file is read at once.
const BUFFER: usize = 1 << 20;

/// Reads a file, or `-` for standard input: one request per line, or one request in all. Gives the spans of each.
pub(crate) fn read(path: &Path, mut take: impl FnMut(Vec<Span>) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let name = || path.display().to_string();
    let input: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(open(path).with_context(name)?)
    };
    let mut input = BufReader::with_capacity(BUFFER, input);
    for number in 1_usize.. {
        let mut line = Vec::new();
        let limit = otlp::limits::LONGEST_REQUEST as u64 + 1;
        if input.by_ref().take(limit).read_until(b'\n', &mut line).with_context(name)? == 0 {
            return Ok(());
        }
        let here = || format!("{} line {number}", path.display());
        // A line that goes on may be the first one of a request that somebody has laid out for reading.
        let is_blank = line.trim_ascii().is_empty();
        if number == 1
            && !is_blank
            && serde_json::from_slice::<serde::de::IgnoredAny>(&line).is_err_and(|error| error.is_eof())
        {
            input.by_ref().take(limit).read_to_end(&mut line).with_context(name)?;
            return take(otlp::from_json(&line).with_context(name)?).with_context(name);
        }
        if !is_blank {
            take(otlp::from_json(&line).with_context(here)?).with_context(here)?;
        }
    }
    Ok(())
}

fn open(path: &Path) -> anyhow::Result<File> {
    match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            anyhow::bail!(
                "there is no such file; name one of OTLP/JSON, as `wilco demo --save FILE` writes it, or - for standard input"
            )
        }
        opened => Ok(opened?),
    }
}
