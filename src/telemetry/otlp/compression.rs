use crate::telemetry::TelemetryError;

/// Whether the environment asks for gzip: `OTEL_EXPORTER_OTLP_TRACES_COMPRESSION`, else that for all signals. Read
/// always, as the exporter of metrics does.
pub(super) fn wants_gzip() -> Result<bool, TelemetryError> {
    for name in ["OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"] {
        let value = std::env::var(name).unwrap_or_default();
        match value.trim() {
            "" => {}
            "none" => return Ok(false),
            "gzip" => return Ok(true),
            _ => return Err(TelemetryError::Setting { setting: name, value, expected: "gzip or none" }),
        }
    }
    Ok(false)
}
