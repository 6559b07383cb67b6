//! How the API server is spoken to.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::source::Source;

/// A connection must be there by then.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection on which nothing arrives for so long is dead: longer than a watch lasts ([`super::follow`]).
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(25);
/// A request must be taken by then.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// An API server that may be watched. Nothing has been sent yet.
#[derive(Clone)]
pub struct Connection {
    pub(super) client: Client,
    pub(super) secrets: bool,
    server: String,
}

impl Connection {
    /// Reads how the API server is reached, and by whom; none without one. `secrets`: the names of Secrets are watched, too.
    ///
    /// Errors: files that are not there or say nothing of use.
    pub async fn new(source: &Source, secrets: bool) -> Result<Option<Self>> {
        let mut config = match source {
            Source::Off => return Ok(None),
            Source::InCluster => {
                Config::incluster().context("reading the service account of this container")?
            }
            Source::Kubeconfig(files) => {
                let merged = merged(files)?;
                let current = KubeConfigOptions::default();
                let config = Config::from_custom_kubeconfig(merged, &current).await;
                config.with_context(|| format!("using {files:?}"))?
            }
        };
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        config.read_timeout = Some(READ_TIMEOUT);
        config.write_timeout = Some(WRITE_TIMEOUT);
        config.reset_reader_on_write = true;
        // Each watch has its own back-off, and is to say when it is behind.
        config.default_retry = false;
        let server = config.cluster_url.to_string();
        // kube takes the process's own, and where several are built in there is none. An error says that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::try_from(config)
            .with_context(|| format!("preparing to speak to the API server {server}"))?;
        Ok(Some(Self {
            client,
            secrets,
            server,
        }))
    }

    /// The API server's URL.
    pub fn server(&self) -> &str {
        &self.server
    }
}

/// Files as kubectl merges them: what is said first counts.
fn merged(files: &[PathBuf]) -> Result<Kubeconfig> {
    let mut all = Kubeconfig::default();
    for file in files {
        let read = Kubeconfig::read_from(file)
            .with_context(|| format!("reading the kubeconfig {}", file.display()))?;
        all = all
            .merge(read)
            .with_context(|| format!("merging {} with the others", file.display()))?;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_api_server_over_tls_can_be_spoken_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubeconfig");
        let text = "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: https://127.0.0.1:1}}]\n\
                    users: [{name: u, user: {token: t}}]\ncontexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\n";
        std::fs::write(&path, text).unwrap();
        for _ in 0..2 {
            let source = Source::Kubeconfig(vec![path.clone()]);
            let connection = Connection::new(&source, false).await.unwrap().unwrap();
            assert_eq!(connection.server(), "https://127.0.0.1:1/");
        }
    }
}
