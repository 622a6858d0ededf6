//! The proxy's settings as they are said on the command line.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches};

use super::printer::Printer;
use crate::proxy::{KEYS, Key, Settings, Shape};

/// Settings that say where a proxy stands. Where it is a part of something else, that says so itself.
pub(crate) const PLACE: [&str; 3] = ["listen", "upstream", "otlp"];

/// The flags of some settings of [`KEYS`]: of those that say where the proxy stands, or of all others.
#[derive(Debug, Default)]
pub(crate) struct Flags<const OF_PLACE: bool> {
    said: Vec<(&'static str, Vec<String>)>,
}

/// How the proxy is to be.
#[derive(Debug, clap::Args)]
pub(crate) struct SettingsArguments {
    /// Read settings of the proxy from this TOML file
    #[arg(long, value_name = "FILE", env = CONFIG)]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags<false>,
}

impl SettingsArguments {
    /// What the file says, over it the environment, over that the flags.
    pub(crate) fn settings(&self) -> anyhow::Result<Settings> {
        let mut settings = Settings::default();
        if let Some(path) = &self.config {
            settings = settings.with_file(path)?;
        }
        for (name, meant) in std::env::vars_os().filter_map(|(name, _)| slip(name.to_str()?)) {
            Printer::note(format_args!("{name} is no setting, and passed over; {meant} is one"));
        }
        self.flags.over(settings.with_environment(|name| std::env::var(name).ok()))
    }
}

/// The variable that this one is a slip of the pen away from. Others of our prefix are let be: Kubernetes sets
/// `WILCO_PROXY_PORT`, `WILCO_PROXY_SERVICE_HOST` and the like for a service of this name.
fn slip(name: &str) -> Option<(String, String)> {
    let variables = || KEYS.iter().map(Key::variable);
    if !name.starts_with("WILCO_PROXY_") || name == CONFIG || variables().any(|known| known == name) {
        return None;
    }
    let near = |known: &String| strsim::osa_distance(known, name);
    let meant = variables().filter(|known| near(known) <= SLIPS).min_by_key(near)?;
    Some((name.to_owned(), meant))
}

/// Letters in which a misspelt name may differ.
const SLIPS: usize = 2;

/// Where the file of settings is, in the environment.
const CONFIG: &str = "WILCO_PROXY_CONFIG";

impl<const OF_PLACE: bool> Flags<OF_PLACE> {
    /// These, over what was said before.
    pub(crate) fn over(&self, settings: Settings) -> anyhow::Result<Settings> {
        let over = |settings: Settings, (name, values): &(&str, Vec<String>)| settings.with_flag(name, values);
        Ok(self.said.iter().try_fold(settings, over)?)
    }

    fn keys() -> impl Iterator<Item = &'static Key> {
        KEYS.iter().filter(|key| PLACE.contains(&key.name) == OF_PLACE)
    }
}

impl<const OF_PLACE: bool> clap::Args for Flags<OF_PLACE> {
    fn augment_args(command: Command) -> Command {
        Self::keys().fold(command, |command, key| command.arg(argument(key)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<const OF_PLACE: bool> FromArgMatches for Flags<OF_PLACE> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for key in Self::keys() {
            if let Some(values) = matches.get_many::<String>(key.name) {
                self.said.push((key.name, values.cloned().collect()));
            }
        }
        Ok(())
    }
}

fn argument(key: &'static Key) -> Arg {
    let help = match key.default {
        [] | ["false"] => key.help.to_owned(),
        default => format!("{} [default: {}]", key.help, default.join(",")),
    };
    // Once per process, and clap wants it to last.
    let flag: &'static str = key.name.replace('_', "-").leak();
    let argument = Arg::new(key.name).long(flag).value_name(key.placeholder).help(help).action(ArgAction::Append);
    match key.shape {
        Shape::Switch => argument.num_args(0..=1).require_equals(true).default_missing_value("true"),
        Shape::One => argument.action(ArgAction::Set),
        Shape::List => argument,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_variable_is_asked_back_and_what_kubernetes_sets_is_let_be() {
        let meant = |name: &str| slip(name).map(|(_, meant)| meant);
        assert_eq!(meant("WILCO_PROXY_UPSTREM").as_deref(), Some("WILCO_PROXY_UPSTREAM"));
        assert_eq!(meant("WILCO_PROXY_STREAM_OVRE").as_deref(), Some("WILCO_PROXY_STREAM_OVER"));
        let theirs =
            ["PORT", "PORT_4223_TCP", "PORT_4223_TCP_ADDR", "SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_NATS"];
        for name in theirs.iter().map(|name| format!("WILCO_PROXY_{name}")).chain(KEYS.iter().map(Key::variable)) {
            assert_eq!(slip(&name), None, "{name}");
        }
        assert_eq!(slip(CONFIG), None);
    }
}
