use anyhow::Context;

/// What tells a program to end: SIGTERM and SIGINT; elsewhere Ctrl-C.
#[derive(Debug)]
pub(crate) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    /// Listens from now on, so that none is lost that comes before somebody waits.
    pub(crate) fn new() -> anyhow::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be listened for")?;
            let interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be listened for")?;
            Ok(Self { terminate, interrupt })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    /// Waits for the next one.
    pub(crate) async fn wait(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        // Without a console there is nobody to press it.
        #[cfg(not(unix))]
        if tokio::signal::ctrl_c().await.context("Ctrl-C cannot be listened for").is_err() {
            std::future::pending::<()>().await;
        }
    }
}
