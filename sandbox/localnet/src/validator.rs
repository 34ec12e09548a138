//! The validator: surfpool's, in this process, without its terminal, its remote accounts and its storage. It runs on
//! threads of its own until it is stopped, and what it reports goes to standard error.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use crossbeam_channel::{Receiver, Sender, unbounded};
use solana_pubkey::Pubkey;
use surfpool_core::runloops::start_local_surfnet_runloop;
use surfpool_core::surfnet::{
    locker::SurfnetSvmLocker,
    svm::{SurfnetSvm, SurfnetSvmConfig},
};
use surfpool_types::{BlockProductionMode, RpcConfig, SimnetCommand, SimnetConfig, SimnetEvent, SurfpoolConfig};
use tokio::sync::{oneshot, watch};

use crate::options::Ports;

const HOST: &str = "127.0.0.1";
/// How long both servers may take to close when the validator is stopped.
const CLOSING: Duration = Duration::from_secs(5);
/// The servers of JSON-RPC and of subscriptions each say that they have closed.
const SERVERS: usize = 2;

/// A running validator.
pub(crate) struct Validator {
    ports: Ports,
    svm: SurfnetSvmLocker,
    commands: Sender<SimnetCommand>,
    started: watch::Receiver<bool>,
    closed: Receiver<()>,
}

impl Validator {
    /// Starts it. The receiver says why, should it end without having been stopped.
    ///
    /// # Errors
    /// Where it cannot be made; a port that is taken is found out later, see [`Validator::ready`].
    pub(crate) fn start(ports: Ports, slot_time: u64) -> Result<(Self, oneshot::Receiver<String>)> {
        let simnet = SimnetConfig {
            offline_mode: true,
            remote_rpc_url: None,
            slot_time,
            block_production_mode: BlockProductionMode::Clock,
            // What a tool that shows each instruction's accounts would want; it costs a copy of them each time.
            instruction_profiling_enabled: false,
            ..SimnetConfig::default()
        };
        let svm = SurfnetSvmConfig {
            slot_time,
            instruction_profiling_enabled: simnet.instruction_profiling_enabled,
            max_profiles: simnet.max_profiles,
            log_bytes_limit: simnet.log_bytes_limit,
            ..SurfnetSvmConfig::default()
        };
        let config = SurfpoolConfig {
            simnets: vec![simnet],
            rpc: RpcConfig {
                bind_host: HOST.to_owned(),
                bind_port: ports.rpc,
                ws_port: ports.ws,
                ..RpcConfig::default()
            },
            ..SurfpoolConfig::default()
        };
        let (svm, events, geyser) = SurfnetSvm::new(svm).map_err(|e| anyhow!("cannot make the ledger: {e}"))?;
        let svm = SurfnetSvmLocker::new(svm);
        let (commands, commanded) = unbounded();
        let (is_started, started) = watch::channel(false);
        let (has_closed, closed) = unbounded();
        let (says_why, why) = oneshot::channel();
        thread("events", move || report(&events, &is_started, &has_closed))?;
        let (ledger, to_itself) = (svm.clone(), commands.clone());
        thread("validator", move || {
            // Its loop blocks the thread, so it gets a runtime that nobody else waits on.
            let ended = tokio::runtime::Runtime::new()
                .map_err(|e| e.to_string())
                .and_then(|runtime| {
                    runtime
                        .block_on(start_local_surfnet_runloop(
                            ledger, config, to_itself, commanded, geyser,
                        ))
                        .map_err(|e| e.to_string())
                });
            // Nobody listens any more where it was told to stop.
            let _ = says_why.send(ended.err().unwrap_or_else(|| "it was told to by a client".to_owned()));
        })?;
        let validator = Self {
            ports,
            svm,
            commands,
            started,
            closed,
        };
        Ok((validator, why))
    }

    /// Waits until it answers. Never returns where it ended instead.
    pub(crate) async fn ready(&self) -> Result<()> {
        let mut started = self.started.clone();
        started
            .wait_for(|started| *started)
            .await
            .context("the validator ended while it was starting")?;
        Ok(())
    }

    /// Deploys a program as the upgradeable loader would have. Without an authority it is the system program, for which
    /// nobody can sign: surfpool runs no program that has none.
    ///
    /// # Errors
    /// Where it is no program that this validator runs.
    pub(crate) async fn deploy(&self, program: Pubkey, authority: Option<Pubkey>, elf: &[u8]) -> Result<()> {
        self.svm
            .write_program(program, authority, 0, elf, &None)
            .await
            .map_err(|e| anyhow!("{e}"))?;
        // A file that is no program was taken all the same; this loads what was written.
        self.svm
            .with_svm_writer(|svm| match svm.get_account(&program)? {
                Some(account) => svm.set_account(&program, account),
                None => Ok(()),
            })
            .map_err(|e| anyhow!("it is no program that this validator runs: {e}"))?;
        Ok(())
    }

    /// Gives a wallet money.
    ///
    /// # Errors
    /// Where the faucet has no more, or refuses.
    pub(crate) fn fund(&self, wallet: Pubkey, lamports: u64) -> Result<()> {
        let outcome = self
            .svm
            .airdrop(&wallet, lamports)
            .map_err(|e| anyhow!("cannot fund {wallet}: {e}"))?;
        ensure!(outcome.is_ok(), "cannot fund {wallet}: the faucet's transfer failed");
        Ok(())
    }

    pub(crate) fn rpc_url(&self) -> String {
        format!("http://{HOST}:{}", self.ports.rpc)
    }

    pub(crate) fn ws_url(&self) -> String {
        format!("ws://{HOST}:{}", self.ports.ws)
    }

    /// Stops it, and waits until both ports are free again.
    pub(crate) fn stop(self) {
        if self.commands.send(SimnetCommand::Terminate(None)).is_err() {
            return;
        }
        for _ in 0..SERVERS {
            if self.closed.recv_timeout(CLOSING).is_err() {
                // The process ends now, and with it whatever still listens.
                eprintln!("warning: a server did not close in time");
                return;
            }
        }
    }
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .context("cannot start a thread")?;
    Ok(())
}

/// Writes down what the validator says, until it says nothing more.
fn report(events: &Receiver<SimnetEvent>, started: &watch::Sender<bool>, closed: &Sender<()>) {
    for event in events {
        match event {
            SimnetEvent::CoreStarted(_) => {
                started.send_replace(true);
            }
            // Nobody counts them any more where the validator is being dropped.
            SimnetEvent::Shutdown => drop(closed.send(())),
            SimnetEvent::Aborted(why) => eprintln!("error: {why}"),
            SimnetEvent::ErrorLog(_, text) => eprintln!("error: {text}"),
            SimnetEvent::WarnLog(_, text) => eprintln!("warning: {text}"),
            SimnetEvent::InfoLog(_, text) => eprintln!("{text}"),
            SimnetEvent::TransactionProcessed(_, transaction, error) => match error {
                Some(error) => eprintln!("{} failed: {error}", transaction.signature),
                None => eprintln!("{} succeeded", transaction.signature),
            },
            _ => {}
        }
    }
}
