//! A private Postgres: a cluster in a folder, a server on a Unix socket, a database called `chartseal`.
//!
//! Nothing listens on the network, and the socket's folder is closed to other users, so there is no password. Writes are
//! durable as Postgres makes them by default. The server ends with us, however we end, and a cluster that was cut off
//! recovers at the next start.

mod error;
mod folders;
mod install;
mod server;

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub use error::PostgresError;
use folders::SocketFolder;
use install::Install;
use server::Server;

/// The superuser and the database. The database's owner is the superuser, so that migrations may make extensions.
const NAME: &str = "chartseal";

/// What Postgres is started with.
#[derive(Debug, Clone)]
pub struct PostgresConfig {
    /// The folder for the cluster, the log and the record of the socket. It is made ours, and the cluster in it that of
    /// the user that Postgres runs as, who must be able to get there.
    pub folder: PathBuf,
}

/// A running Postgres. Dropping it stops it.
#[derive(Debug)]
pub struct Postgres {
    // Dropped in this order.
    server: Server,
    _socket: SocketFolder,
    url: String,
}

impl Postgres {
    /// Starts the server, after making the cluster if there is none, and returns once it answers.
    ///
    /// # Errors
    /// If Postgres is not installed, its user cannot reach the folder, or the server does not come up.
    pub async fn start(config: PostgresConfig) -> Result<Self, PostgresError> {
        let folder = std::path::absolute(&config.folder).map_err(PostgresError::at(&config.folder))?;
        let cluster = folder.join("cluster");
        let install = Install::find(&cluster)?;
        folders::prepare(&folder, install.user)?;
        server::stop_leftover(&cluster, install.user).await?;
        if !cluster.try_exists().map_err(PostgresError::at(&cluster))? {
            let (install, folder) = (install.clone(), folder.clone());
            let made = tokio::task::spawn_blocking(move || make_cluster(&install, &folder)).await;
            made.map_err(|e| PostgresError::at("initdb")(std::io::Error::other(e)))??;
        }
        let socket = folders::socket_folder(&folder.join("socket-folder"), install.user)?;
        let log = folder.join("server.log");
        let command = server_command(&install, &folder, &cluster, &socket.0, &log)?;
        let server = Server::start(command, &cluster, &log).await?;
        let url = format!("postgres://{NAME}@localhost/{NAME}?host={}", socket.0.display());
        Ok(Self {
            server,
            _socket: socket,
            url,
        })
    }

    /// Where it is reached, as sqlx and libpq read it: the host is the socket's folder. A later start on the same folder
    /// has the same URL, unless somebody took the socket's folder in between.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits until the server ends by itself, and says how.
    pub async fn ended(&mut self) -> PostgresError {
        self.server.ended().await
    }

    /// Stops the server: connections are cut, what was committed stays.
    ///
    /// # Errors
    /// If it has not ended after 40 seconds.
    pub async fn stop(self) -> Result<(), PostgresError> {
        self.server.stop().await
    }
}

/// Makes a cluster with its database under another name and renames it, so that a cluster that is there is complete.
fn make_cluster(install: &Install, folder: &Path) -> Result<(), PostgresError> {
    let draft = folder.join("cluster.new");
    if draft.exists() {
        std::fs::remove_dir_all(&draft).map_err(PostgresError::at(&draft))?;
    }
    folders::cluster(&draft, install.user)?;
    let mut initdb = install.command("initdb", folder);
    initdb.args([
        "--username",
        NAME,
        "--auth",
        "trust",
        "--encoding",
        "UTF8",
        "--locale",
        "C",
        "--data-checksums",
    ]);
    initdb.arg("--pgdata").arg(&draft);
    run("initdb", initdb, b"")?;

    // The single-user mode needs no socket and no port.
    let mut single = install.command("postgres", folder);
    single.arg("--single").arg("-D").arg(&draft).arg("template1");
    run(
        "postgres --single",
        single,
        format!("CREATE DATABASE {NAME};\n").as_bytes(),
    )?;

    let cluster = folder.join("cluster");
    std::fs::rename(&draft, &cluster).map_err(PostgresError::at(&cluster))?;
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(PostgresError::at(folder))
}

fn run(program: &'static str, mut command: Command, input: &[u8]) -> Result<(), PostgresError> {
    let mut run = || {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that failed before it read this says why in its output.
            let _ = stdin.write_all(input);
        }
        child.wait_with_output()
    };
    let Output { status, stdout, stderr } = run().map_err(PostgresError::at(program))?;
    if status.success() && !contains(&stderr, b"ERROR:") {
        return Ok(());
    }
    let output = [stdout, stderr].concat();
    let output = String::from_utf8_lossy(&output).trim().to_owned();
    Err(PostgresError::Failed {
        program,
        status: status.to_string(),
        output,
    })
}

/// The single-user mode reports a failed statement, but exits with success.
fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

fn server_command(
    install: &Install,
    folder: &Path,
    cluster: &Path,
    socket: &Path,
    log: &Path,
) -> Result<Command, PostgresError> {
    let open = || {
        let out = OpenOptions::new().create(true).append(true).open(log)?;
        Ok((out.try_clone()?, out))
    };
    let (out, err) = open().map_err(PostgresError::at(log))?;
    let mut command = install.command("postgres", folder);
    command.arg("-D").arg(cluster).arg("-k").arg(socket);
    for setting in [
        "listen_addresses=",
        "unix_socket_permissions=0700",
        "log_timezone=UTC",
        "timezone=UTC",
    ] {
        command.arg("-c").arg(setting);
    }
    command.stdin(Stdio::null()).stdout(out).stderr(err);
    Ok(command)
}
