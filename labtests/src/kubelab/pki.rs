//! Certificates and keys of one control plane: an authority, the API server's certificate, the key that signs
//! service accounts' tokens. They are made for each plane and go with it.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pem::Pem;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PublicKeyData, SanType,
};

/// The files.
#[derive(Debug, Clone)]
pub(super) struct Pki {
    pub(super) authority: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    pub(super) accounts_key: PathBuf,
    pub(super) accounts_public: PathBuf,
}

/// Names the API server answers to, beside its addresses.
const NAMES: &[&str] = &[
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
];

impl Pki {
    /// Makes everything for a server at `addresses`.
    pub(super) fn create(folder: &Path, addresses: &[IpAddr]) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let pki = Self {
            authority: folder.join("authority.crt"),
            certificate: folder.join("server.crt"),
            key: folder.join("server.key"),
            accounts_key: folder.join("accounts.key"),
            accounts_public: folder.join("accounts.pub"),
        };
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "lab authority");
        let authority_key = KeyPair::generate().context("a key")?;
        let authority = params.self_signed(&authority_key).context("authority")?;
        let issuer = Issuer::from_params(&params, &authority_key);

        let names: Vec<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).context("names")?;
        let addresses = addresses.iter().copied().map(SanType::IpAddress);
        params.subject_alt_names.extend(addresses);
        let key = KeyPair::generate().context("a key")?;
        let certificate = params.signed_by(&key, &issuer).context("certificate")?;

        let accounts = KeyPair::generate().context("a key")?;
        write(&pki.authority, "CERTIFICATE", authority.der())?;
        write(&pki.certificate, "CERTIFICATE", certificate.der())?;
        write(&pki.key, "PRIVATE KEY", &key.serialize_der())?;
        write(&pki.accounts_key, "PRIVATE KEY", &accounts.serialize_der())?;
        write(
            &pki.accounts_public,
            "PUBLIC KEY",
            &accounts.subject_public_key_info(),
        )?;
        Ok(pki)
    }
}

fn write(path: &Path, tag: &str, der: &[u8]) -> Result<()> {
    let text = pem::encode(&Pem::new(tag, der));
    fs::write(path, text).with_context(|| path.display().to_string())
}
