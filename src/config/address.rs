//! How the CLI finds its server: flags, `HENCE_URL`, or what the server left in its data folder.

use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::data_folder;
use super::environment::Environment;
use crate::domain::secret::Secret;

const TOKEN_FILE: &str = "admin-token";
const APPROVAL_KEY_FILE: &str = "approval-key";
const ADDRESS_FILE: &str = "address";
const CERTIFICATE_FILE: &str = "certificate.pem";
/// A line of PEM (RFC 7468, section 2).
const PEM_LINE_CHARS: usize = 64;

/// Where a server is, and what opens it.
#[derive(Debug, Clone)]
pub struct ServerAddress {
    /// Without a slash at the end.
    pub url: String,
    /// The admin token.
    pub token: Secret,
    /// The flag or the environment says where it is; else it is the server that uses the data folder.
    pub is_named: bool,
    /// Where the server that uses the data folder writes the certificates that it shows.
    pub certificates: PathBuf,
    /// From `HENCE_CA`.
    pub ca: Option<PathBuf>,
}

/// Finds the server to ask.
///
/// # Errors
/// When there is no trace of one; the text says what to do.
pub fn server_address(project: &Path, data: Option<&Path>, url: Option<&str>) -> Result<ServerAddress, String> {
    let environment = Environment::read();
    let data = data.map_or_else(|| configured_data(project), Path::to_owned);
    let named = url.map(str::to_owned).or(environment.url);
    let is_named = named.is_some();
    let url = named.or_else(|| read(&data.join(ADDRESS_FILE)));
    let url = url.ok_or_else(|| {
        format!("no hence server has used {}; start one with `hence serve`, or name it with --url (or --project, --data)", data.display())
    })?;
    let token = environment.admin_token.or_else(|| read(&data.join(TOKEN_FILE)).map(Secret::new));
    let token = token.ok_or_else(|| {
        format!("there is no admin token: set HENCE_ADMIN_TOKEN, or name the data folder with --data ({} has none)", data.display())
    })?;
    let url = url.trim_end_matches('/').to_owned();
    Ok(ServerAddress { url, token, is_named, certificates: data.join(CERTIFICATE_FILE), ca: environment.ca })
}

fn configured_data(project: &Path) -> PathBuf {
    let (file, _) = super::file::read(project);
    file.data.map_or_else(|| data_folder(project), |data| project.join(data))
}

fn read(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The admin token kept in the data folder, made from `random` the first time. Says whether it is new.
///
/// # Errors
/// When the folder cannot be written.
pub fn admin_token(data: &Path, random: &[u8]) -> std::io::Result<(Secret, bool)> {
    let path = data.join(TOKEN_FILE);
    if let Some(token) = read(&path) {
        return Ok((Secret::new(token), false));
    }
    let token = URL_SAFE_NO_PAD.encode(random);
    write_private(&path, &token)?;
    Ok((Secret::new(token), true))
}

/// The key that signs the links of `approve`, kept in the data folder and made from `random` the first time.
///
/// # Errors
/// When the folder cannot be written, or the file holds no key.
pub fn approval_key(data: &Path, random: &[u8]) -> std::io::Result<Vec<u8>> {
    let path = data.join(APPROVAL_KEY_FILE);
    if let Some(text) = read(&path) {
        let key = URL_SAFE_NO_PAD.decode(text).ok().filter(|key| key.len() == random.len());
        return key.ok_or_else(|| {
            std::io::Error::other(format!(
                "{APPROVAL_KEY_FILE} holds no key of {} bytes: put the file back, or remove it, and links sent so far end",
                random.len()
            ))
        });
    }
    write_private(&path, &URL_SAFE_NO_PAD.encode(random))?;
    // The links of a key that a power cut took away would be good for nothing.
    std::fs::File::open(data)?.sync_all()?;
    Ok(random.to_vec())
}

/// Tells the CLI where this server listens.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_address(data: &Path, url: &str) -> std::io::Result<()> {
    write_private(&data.join(ADDRESS_FILE), url)
}

/// Tells the CLI by which certificates (DER) this server is known, whatever becomes of the files that they came from; without any
/// it speaks no TLS.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_certificates(data: &Path, certificates: &[&[u8]]) -> std::io::Result<()> {
    let path = data.join(CERTIFICATE_FILE);
    if certificates.is_empty() {
        return match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        };
    }
    // Whoever reads it has the one before or this one, whole.
    let part = data.join(format!("{CERTIFICATE_FILE}.part"));
    write_private(&part, &certificates.iter().map(|der| to_pem(der)).collect::<Vec<_>>().join("\n"))?;
    std::fs::rename(part, path)
}

fn to_pem(der: &[u8]) -> String {
    let text: Vec<char> = STANDARD.encode(der).chars().collect();
    let lines: Vec<String> = text.chunks(PEM_LINE_CHARS).map(|line| line.iter().collect()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----", lines.join("\n"))
}

/// The server has stopped.
pub fn forget_address(data: &Path) {
    for file in [ADDRESS_FILE, CERTIFICATE_FILE] {
        if let Err(error) = std::fs::remove_file(data.join(file)) {
            tracing::debug!(error = %error, file, "what tells commands of this server was gone already");
        }
    }
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    // `mode` is for new files alone.
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    writeln!(file, "{text}")?;
    file.sync_all()
}
