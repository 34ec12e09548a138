//! A bad line for whatever is no question and answer, as a WebSocket: bytes are passed on until the line is cut or falls
//! silent. It listens on the loopback and ends when dropped.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context as _, Result};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    sync::watch,
};

/// What becomes of connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Line {
    /// They are passed on.
    #[default]
    Whole,
    /// They are closed, and so are new ones.
    Cut,
    /// They stay, and nothing that is said on them arrives.
    Silent,
}

/// The line.
#[derive(Debug)]
pub struct Tunnel {
    /// Where it listens, `host:port`.
    pub address: String,
    line: watch::Sender<Line>,
    begun: Arc<AtomicUsize>,
    runtime: Option<Runtime>,
}

impl Tunnel {
    /// A line to this `host:port`, which is whole.
    ///
    /// # Errors
    /// Where it cannot listen.
    pub fn to(upstream: &str) -> Result<Self> {
        Self::on(0, upstream)
    }

    /// As [`to`](Self::to), on this port of the loopback.
    ///
    /// # Errors
    /// Where the port is taken.
    pub fn on(port: u16, upstream: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .context("cannot start a tunnel")?;
        let listener = runtime
            .block_on(TcpListener::bind(("127.0.0.1", port)))
            .context("cannot listen")?;
        let address = listener.local_addr().context("cannot listen")?.to_string();
        let (line, _) = watch::channel(Line::Whole);
        let begun = Arc::new(AtomicUsize::new(0));
        // It serves until the runtime is dropped.
        runtime.spawn(serve(listener, upstream.to_owned(), line.clone(), Arc::clone(&begun)));
        Ok(Self {
            address,
            line,
            begun,
            runtime: Some(runtime),
        })
    }

    /// What becomes of connections from now on, and of those that are there.
    pub fn turn(&self, line: Line) {
        self.line.send_replace(line);
    }

    /// How many connections were begun.
    #[must_use]
    pub fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }
}

async fn serve(listener: TcpListener, upstream: String, line: watch::Sender<Line>, begun: Arc<AtomicUsize>) {
    while let Ok((client, _)) = listener.accept().await {
        begun.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(pass(client, upstream.clone(), line.subscribe()));
    }
}

async fn pass(mut client: TcpStream, upstream: String, mut line: watch::Receiver<Line>) {
    let mut server = None;
    loop {
        let now = *line.borrow_and_update();
        let passing = async {
            match now {
                Line::Whole => {
                    let server = match &mut server {
                        Some(server) => server,
                        None => server.insert(TcpStream::connect(&upstream).await?),
                    };
                    copy_bidirectional(&mut client, server).await.map(drop)
                }
                Line::Cut => Ok(()),
                Line::Silent => std::future::pending().await,
            }
        };
        // What it was at when the line turned may be lost: so are lines.
        tokio::select! {
            _ = passing => return,
            turned = line.changed() => if turned.is_err() { return },
        }
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
