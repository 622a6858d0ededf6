//! What the operator says: defaults < file < environment < flags, each value with the place it came from.

mod error;
mod file;
mod key;
mod origin;
pub(super) mod text;

use std::collections::BTreeMap;
use std::path::Path;

pub use error::SettingsError;
pub use key::{KEYS, Key, Shape};
pub use origin::Origin;

use super::config::Config;

/// Texts of one setting, and who said them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) values: Vec<String>,
    pub(crate) origin: Origin,
}

/// All settings of the proxy, in layers. What is added later overrides what was there.
///
/// ```
/// use wilco::proxy::Settings;
///
/// let settings = Settings::default().with_environment(|name| (name == "WILCO_PROXY_WORKERS").then(|| "1".into()));
/// let rows = settings.rows();
/// let workers = rows.iter().find(|row| row.name == "workers").unwrap();
/// assert_eq!((workers.value.as_str(), workers.origin.as_str()), ("1", "WILCO_PROXY_WORKERS"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Settings {
    said: BTreeMap<&'static str, Setting>,
}

/// One line of `--print-config`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row {
    /// The setting's name, as in the file.
    pub name: &'static str,
    /// Its value as TOML; empty where there is none.
    pub value: String,
    /// Where it came from: `default`, `FILE:LINE`, the name of a variable, or a flag.
    pub origin: String,
}

impl Settings {
    /// Adds what a TOML file says.
    ///
    /// # Errors
    /// [`SettingsError`] if it cannot be read, is no TOML, or holds a key or a type of value that there is not. The
    /// error names file and line.
    pub fn with_file(mut self, path: &Path) -> Result<Self, SettingsError> {
        let text = std::fs::read_to_string(path).map_err(|error| SettingsError::unreadable(path, &error))?;
        for (key, setting) in file::read(path, &text)? {
            self.said.insert(key.name, setting);
        }
        Ok(self)
    }

    /// Adds what the environment says: `WILCO_PROXY_` and the name in capitals. Lists have commas between their items.
    /// An empty variable counts as none.
    pub fn with_environment(mut self, variable: impl Fn(&str) -> Option<String>) -> Self {
        for key in KEYS {
            let name = key.variable();
            if let Some(text) = variable(&name).filter(|text| !text.is_empty()) {
                let setting = Setting { values: key.split(&text), origin: Origin::Variable(name) };
                self.said.insert(key.name, setting);
            }
        }
        self
    }

    /// Adds what a flag says. Lists may be given in several flags, and with commas.
    ///
    /// # Errors
    /// [`SettingsError`] if there is no such setting.
    pub fn with_flag(self, name: &str, texts: &[String]) -> Result<Self, SettingsError> {
        let flag = Key::named(name).map_or_else(|| name.to_owned(), Key::flag);
        self.with(name, texts, Origin::Flag(flag))
    }

    /// Adds what anybody says; errors will name `origin`. Lists may have commas between their items.
    ///
    /// # Errors
    /// [`SettingsError`] if there is no such setting.
    pub fn with(mut self, name: &str, texts: &[String], origin: Origin) -> Result<Self, SettingsError> {
        let key = Key::named(name).ok_or_else(|| SettingsError::unknown_key(&origin, name))?;
        let values = texts.iter().flat_map(|text| key.split(text)).collect();
        self.said.insert(key.name, Setting { values, origin });
        Ok(self)
    }

    /// Whether anybody said anything of this setting.
    pub fn says(&self, name: &str) -> bool {
        self.said.contains_key(name)
    }

    /// Every setting, in the order of [`KEYS`].
    pub fn rows(&self) -> Vec<Row> {
        let row = |key: &Key| {
            let setting = self.get(key.name);
            Row { name: key.name, value: key.shown(&setting.values), origin: setting.origin.to_string() }
        };
        KEYS.iter().map(row).collect()
    }

    /// What they mean.
    ///
    /// # Errors
    /// [`SettingsError`] for a value that a setting cannot have, or settings that do not go together. The error names
    /// where the value came from.
    pub fn config(&self) -> Result<Config, SettingsError> {
        Config::read(self)
    }

    pub(super) fn get(&self, name: &'static str) -> Setting {
        let default = || {
            let values = Key::named(name).map_or(&[][..], |key| key.default);
            Setting { values: values.iter().map(ToString::to_string).collect(), origin: Origin::Default }
        };
        self.said.get(name).cloned().unwrap_or_else(default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Result<Settings, SettingsError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wilco.toml");
        std::fs::write(&path, text).unwrap();
        Settings::default().with_file(&path)
    }

    fn row(settings: &Settings, name: &str) -> Row {
        settings.rows().into_iter().find(|row| row.name == name).unwrap()
    }

    #[test]
    fn a_flag_is_stronger_than_a_variable_and_a_variable_than_the_file() {
        let settings = file("workers = 1\nconnections = 7\nstream_over = \"2MiB\"\n").unwrap();
        assert!(row(&settings, "workers").origin.ends_with("wilco.toml:1"), "{settings:?}");
        let settings = settings.with_environment(|name| match name {
            "WILCO_PROXY_CONNECTIONS" => Some("8".to_owned()),
            "WILCO_PROXY_STREAM_OVER" => Some("3MiB".to_owned()),
            "WILCO_PROXY_INJECT" => Some(String::new()),
            _ => None,
        });
        let settings = settings.with_flag("stream_over", &["4096".to_owned()]).unwrap();
        let config = settings.config().unwrap();
        assert_eq!((config.workers, config.connections, config.stream_over), (1, 8, 4096));
        assert_eq!(row(&settings, "connections").origin, "WILCO_PROXY_CONNECTIONS");
        assert_eq!(row(&settings, "stream_over").origin, "--stream-over");
        assert_eq!(row(&settings, "inject").origin, "default");
    }

    #[test]
    fn an_error_names_the_line_the_key_and_what_to_do() {
        for (text, expected) in [
            (
                "# x\nlisten = \"nowhere\"\n",
                "wilco.toml:2: listen: \"nowhere\" is no address; write one as in 127.0.0.1:4223",
            ),
            ("\n\nworker = 2\n", "wilco.toml:3: there is no setting `worker`; did you mean `workers`?"),
            ("workers = 0\n", "wilco.toml:1: workers: 0 is not within 1 to 64"),
            ("workers = [1]\n", "wilco.toml:1: workers: takes one value, not a list"),
            ("upstream = 5\n", "wilco.toml:1: upstream: \"5\" is no URL of a NATS server"),
            (
                "drain_within = \"10\"\n",
                "wilco.toml:1: drain_within: \"10\" is no time; write one as in 500ms, 10s or 2m",
            ),
            ("workers = \n", "wilco.toml:1: "),
            ("inject = [\"a..b\"]\n", "wilco.toml:1: inject: "),
        ] {
            let error = match file(text) {
                Err(error) => error,
                Ok(settings) => settings.config().unwrap_err(),
            };
            assert!(error.to_string().contains(expected), "{text:?}: {error}");
        }
    }

    #[test]
    fn every_setting_has_a_default_that_can_be_read() {
        let config = Settings::default().config().unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:4223");
        assert_eq!(config.stream_over, 1 << 20);
        assert_eq!(Settings::default().rows().len(), KEYS.len());
    }
}
