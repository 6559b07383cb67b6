//! Where a setting's value comes from.

use std::path::{Path, PathBuf};

use figment::error::Kind;
use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use serde::Deserialize;

use super::{ConfigError, Setting};
use crate::args::RunArgs;

const DEFAULTS: &str = "default";
const FILE: &str = "file";
const ENVIRONMENT: &str = "environment";
const FLAGS: &str = "flags";

/// The merged values, as text, each with its source.
#[derive(Debug)]
pub(super) struct Layers {
    values: Values,
    figment: Figment,
    file: PathBuf,
}

/// What the file may hold; the field names are its keys.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Values {
    aggregator: String,
    node_name: String,
    cgroup_root: String,
    interval: String,
    listen: String,
    max_flows: Number,
    flow_idle: String,
    prefix_v4: Number,
    prefix_v6: Number,
    udp: String,
    pin_dir: String,
    sched: Switch,
    dialed: String,
    log: String,
}

/// A number in the file, text elsewhere.
#[derive(Debug)]
struct Number(String);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a whole number, for example 40960")]
        enum Either {
            Number(i64),
            Text(String),
        }
        Ok(Self(match Either::deserialize(deserializer)? {
            Either::Number(number) => number.to_string(),
            Either::Text(text) => text,
        }))
    }
}

/// `true` or `false` in the file, text elsewhere.
#[derive(Debug)]
struct Switch(String);

impl<'de> Deserialize<'de> for Switch {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected true or false")]
        enum Either {
            Bool(bool),
            Text(String),
        }
        Ok(Self(match Either::deserialize(deserializer)? {
            Either::Bool(is_on) => is_on.to_string(),
            Either::Text(text) => text,
        }))
    }
}

/// Values of one source.
struct Layer {
    name: &'static str,
    values: Dict,
}

impl Layer {
    fn new(name: &'static str, value: impl Fn(Setting) -> Option<String>) -> Self {
        let values = Setting::ALL
            .into_iter()
            .filter_map(|s| Some((s.key().to_owned(), Value::from(value(s)?))));
        Self {
            name,
            values: values.collect(),
        }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

impl Layers {
    /// Merges them. An empty environment variable counts as not set.
    pub(super) fn new(
        args: &RunArgs,
        env: impl Fn(&str) -> Option<String>,
        file: Option<(&Path, &str)>,
    ) -> Result<Self, ConfigError> {
        let defaults = Layer::new(DEFAULTS, |s| Some(s.default().to_owned()));
        let environment = Layer::new(ENVIRONMENT, |s| env(&s.env()).filter(|v| !v.is_empty()));
        let flags = Layer::new(FLAGS, |s| s.given(args).cloned());
        let mut figment = Figment::from(defaults);
        let (path, text) = file.unwrap_or((Path::new(""), ""));
        let toml = Toml::string(text);
        if let Err(error) = toml.data() {
            return Err(not_toml(path, &error));
        }
        figment = figment.merge(Named(toml)).merge(environment).merge(flags);
        let values = figment.extract().map_err(|error| bad_key(path, &error))?;
        Ok(Self {
            values,
            figment,
            file: path.to_owned(),
        })
    }

    pub(super) fn get(&self, setting: Setting) -> &str {
        let values = &self.values;
        match setting {
            Setting::Aggregator => &values.aggregator,
            Setting::NodeName => &values.node_name,
            Setting::CgroupRoot => &values.cgroup_root,
            Setting::Interval => &values.interval,
            Setting::Listen => &values.listen,
            Setting::MaxFlows => &values.max_flows.0,
            Setting::FlowIdle => &values.flow_idle,
            Setting::PrefixV4 => &values.prefix_v4.0,
            Setting::PrefixV6 => &values.prefix_v6.0,
            Setting::Udp => &values.udp,
            Setting::PinDir => &values.pin_dir,
            Setting::Sched => &values.sched.0,
            Setting::Dialed => &values.dialed,
            Setting::Log => &values.log,
        }
    }

    /// The typed value, or an error that says where the text came from.
    pub(super) fn check<T>(
        &self,
        setting: Setting,
        check: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, ConfigError> {
        let value = self.get(setting);
        check(value).map_err(|why| {
            let source = self.source(setting);
            ConfigError::new(format!("{source} cannot be {value:?}: {why}"))
        })
    }

    fn source(&self, setting: Setting) -> String {
        let metadata = self.figment.find_metadata(setting.key());
        match metadata.map(|m| &*m.name) {
            Some(ENVIRONMENT) => setting.env(),
            Some(FILE) => format!("{} in {}", setting.key(), self.file.display()),
            _ => setting.flag(),
        }
    }
}

/// The file's values, named so that an error can tell.
struct Named<P>(P);

impl<P: Provider> Provider for Named<P> {
    fn metadata(&self) -> Metadata {
        Metadata::named(FILE)
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        self.0.data()
    }
}

fn not_toml(path: &Path, error: &figment::Error) -> ConfigError {
    let why = error.kind.to_string();
    ConfigError::new(format!(
        "{} is not TOML: {}",
        path.display(),
        why.trim_end()
    ))
}

fn bad_key(path: &Path, error: &figment::Error) -> ConfigError {
    let known = Setting::ALL.map(Setting::key).join(", ");
    let file = path.display();
    ConfigError::new(match &error.kind {
        Kind::UnknownField(key, _) => {
            format!("unknown key `{key}` in {file}; the known keys are {known}")
        }
        kind => {
            let key = error.path.last().map_or("a key", String::as_str);
            format!("`{key}` in {file} has a wrong value: {kind}")
        }
    })
}
