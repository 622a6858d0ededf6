use std::io;

/// A bus could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BusError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {}", why(address, source))]
    Listen {
        /// The address as it was given.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The largest payload is none that it can have.
    #[error("a max_payload of {bytes} bytes is not within 1 and {most}")]
    MaxPayload {
        /// What was asked for.
        bytes: usize,
        /// What can be had.
        most: usize,
    },
    /// A message could not wait for its receiver.
    #[error("a max_pending of {bytes} bytes is under {least}, which two messages of the largest size need")]
    MaxPending {
        /// What was asked for.
        bytes: usize,
        /// What is needed.
        least: usize,
    },
}

fn why(address: &str, source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::AddrInUse => {
            let port = address.rsplit_once(':').map_or("", |(_, port)| port);
            format!("port {port} is taken; stop what listens there, name another port, or 0 for any that is free")
        }
        io::ErrorKind::InvalidInput => "write it as HOST:PORT, such as 127.0.0.1:4222".to_owned(),
        _ => source.to_string(),
    }
}
