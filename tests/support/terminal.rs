//! A real terminal without a window: tmux, on a server of its own.

use std::path::Path;
use std::process::{Command, Output};

use super::{PATIENCE, poll, skip};

/// A shell in it. Dropping it kills it, and all that runs there.
#[derive(Debug)]
pub(crate) struct Terminal {
    folder: tempfile::TempDir,
}

impl Terminal {
    /// So many columns and lines; `None`, after a loud skip, where there is no tmux.
    #[track_caller]
    pub(crate) fn open(columns: u16, lines: u16) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            skip("no tmux");
            return None;
        }
        let this = Self { folder: tempfile::tempdir().unwrap() };
        let (columns, lines) = (columns.to_string(), lines.to_string());
        // Without what the person who runs the test has in his own configuration and shell.
        this.tmux(&["new-session", "-d", "-x", &columns, "-y", &lines, "env PS1='$ ' ENV= LC_ALL=C.UTF-8 sh"]);
        Some(this)
    }

    /// What is on the screen.
    pub(crate) fn screen(&self) -> String {
        String::from_utf8_lossy(&self.tmux(&["capture-pane", "-p"]).stdout).into_owned()
    }

    /// Waits for a screen with all of these texts, and gives it.
    #[track_caller]
    pub(crate) fn expect(&self, texts: &[&str]) -> String {
        let shown = |screen: &String| texts.iter().all(|text| screen.contains(text));
        poll(PATIENCE, || Some(self.screen()).filter(shown))
            .unwrap_or_else(|| panic!("{texts:?} did not come; the screen has\n{}", self.screen()))
    }

    /// Types a text, letter by letter.
    pub(crate) fn type_in(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
    }

    /// Presses a key by its name: `Enter`, `Escape`, `C-c`.
    pub(crate) fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    pub(crate) fn resize(&self, columns: u16, lines: u16) {
        self.tmux(&["resize-window", "-x", &columns.to_string(), "-y", &lines.to_string()]);
    }

    /// Whether a program has the screen for itself.
    pub(crate) fn is_taken(&self) -> bool {
        self.tmux(&["display", "-p", "#{alternate_on}"]).stdout.starts_with(b"1")
    }

    /// For files of the programs in it.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    #[track_caller]
    fn tmux(&self, arguments: &[&str]) -> Output {
        let socket = self.folder.path().join("tmux");
        let output = Command::new("tmux")
            .arg("-S")
            .arg(socket)
            .args(["-f", "/dev/null"])
            .args(arguments)
            .env_remove("TMUX")
            .output()
            .unwrap();
        assert!(output.status.success(), "tmux {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let socket = self.folder.path().join("tmux");
        let _ = Command::new("tmux").arg("-S").arg(socket).arg("kill-server").output();
    }
}
