//! Who we are to Cassandra, and how the way to it is protected.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::store::Access;

/// TLS as the settings ask for it: with a CA; a client's certificate only with its key.
pub(super) fn tls(access: &Access) -> Result<Option<Arc<ClientConfig>>> {
    let Some(ca) = &access.ca else {
        ensure!(
            access.cert.is_none() && access.key.is_none(),
            "--store-cert and --store-key are of use with --store-ca only, which turns TLS on"
        );
        return Ok(None);
    };
    let read = |path| -> Result<Vec<CertificateDer<'static>>> {
        let certificates =
            CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let certificates = certificates.map_err(|error| {
            anyhow::anyhow!(
                "cannot read certificates from {}: {error}",
                std::path::Path::display(path)
            )
        })?;
        ensure!(
            !certificates.is_empty(),
            "{} holds no certificate in PEM form",
            path.display()
        );
        Ok(certificates)
    };
    let mut roots = RootCertStore::empty();
    for certificate in read(ca.as_path())? {
        roots
            .add(certificate)
            .with_context(|| format!("{} holds a certificate that cannot be used", ca.display()))?;
    }
    // Named, since several are built in and none is the process's own.
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let config = match (&access.cert, &access.key) {
        (None, None) => config.with_no_client_auth(),
        (Some(cert), Some(key)) => {
            let private = PrivateKeyDer::from_pem_file(key).map_err(|error| {
                anyhow::anyhow!("cannot read the key {}: {error}", key.display())
            })?;
            config
                .with_client_auth_cert(read(cert.as_path())?, private)
                .with_context(|| {
                    format!(
                        "{} and {} do not belong together",
                        cert.display(),
                        key.display()
                    )
                })?
        }
        _ => anyhow::bail!("--store-cert and --store-key belong together: give both, or none"),
    };
    Ok(Some(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_tls_is_refused_with_what_is_missing() {
        let refusal = |access: Access| format!("{:#}", tls(&access).map(drop).unwrap_err());
        let error = refusal(Access {
            cert: Some("/c".into()),
            ..Access::default()
        });
        assert!(error.contains("--store-ca"), "{error}");
        let error = refusal(Access {
            ca: Some("/nowhere".into()),
            ..Access::default()
        });
        assert!(error.contains("/nowhere"), "{error}");
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = refusal(Access {
            ca: Some(file.path().into()),
            ..Access::default()
        });
        assert!(error.contains("no certificate"), "{error}");
        assert!(tls(&Access::default()).unwrap().is_none());
    }
}
