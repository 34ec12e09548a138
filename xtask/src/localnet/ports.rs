//! Ports that nobody listens on. They are found by listening for a moment, so whoever is given one has to be quick; should
//! somebody else be quicker, the part that was given it says so.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Context, Result};

/// How often a port may be free and the one after it not.
const ATTEMPTS: usize = 64;

/// A free port.
///
/// # Errors
/// When the system gives none.
pub(super) fn free() -> Result<u16> {
    let any = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("the system gives no port")?;
    Ok(any.local_addr().context("the system gives no port")?.port())
}

/// A free port, and the one after it free too.
///
/// # Errors
/// When the system gives none.
pub(super) fn free_pair() -> Result<u16> {
    for _ in 0..ATTEMPTS {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("the system gives no port")?;
        let port = first.local_addr().context("the system gives no port")?.port();
        let Some(next) = port.checked_add(1) else { continue };
        if TcpListener::bind((Ipv4Addr::LOCALHOST, next)).is_ok() {
            return Ok(port);
        }
    }
    anyhow::bail!("there are no two free ports in a row; name one with --port")
}

/// Finds nobody listening on a port, whom its part would be taken for.
///
/// # Errors
/// When somebody does; with the `option` by which another is chosen.
pub(super) fn require_free(port: u16, option: &str) -> Result<()> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).with_context(|| {
        format!("port {port} is taken: choose another with {option}, or let one be found with {option} 0")
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_can_be_listened_on() {
        TcpListener::bind((Ipv4Addr::LOCALHOST, free().unwrap())).unwrap();
    }

    #[test]
    fn both_ports_of_a_pair_can_be_listened_on() {
        let port = free_pair().unwrap();
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let second = TcpListener::bind((Ipv4Addr::LOCALHOST, port + 1)).unwrap();
        assert_ne!(first.local_addr().unwrap(), second.local_addr().unwrap());
        let error = require_free(port + 1, "--port").unwrap_err().to_string();
        assert!(error.contains(&format!("port {} is taken", port + 1)), "{error}");
    }
}
