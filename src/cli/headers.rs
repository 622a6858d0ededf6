use anyhow::Context;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::telemetry::pair;

/// Headers on requests that send spans on, such as the key of a backend.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct HeaderArguments {
    /// Send this header along with the spans, as in api-key=secret; may be given several times. A server of ours takes its
    /// token from WILCO_TOKEN, too
    #[arg(
        long = "header",
        value_name = "NAME=VALUE",
        env = "OTEL_EXPORTER_OTLP_HEADERS",
        value_delimiter = ',',
        hide_env_values = true
    )]
    headers: Vec<String>,
}

impl HeaderArguments {
    pub(crate) fn read(&self) -> anyhow::Result<HeaderMap> {
        self.headers
            .iter()
            .map(|text| {
                // The value may be a secret, so that it is not repeated.
                let (name, value) = pair(text).context("--header: write it as in NAME=VALUE")?;
                let name: HeaderName =
                    name.parse().with_context(|| format!("--header: {name:?} is no name of a header"))?;
                let value = HeaderValue::from_bytes(value.as_bytes())
                    .with_context(|| format!("--header {name}: the value has bytes that no header may have"))?;
                Ok((name, value))
            })
            .collect()
    }
}
