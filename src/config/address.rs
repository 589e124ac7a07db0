//! How the CLI finds its server: flags, `HENCE_URL`, or what the server left in its data folder.

use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::data_folder;
use super::environment::Environment;
use crate::domain::secret::Secret;

const TOKEN_FILE: &str = "admin-token";
const APPROVAL_KEY_FILE: &str = "approval-key";
const ADDRESS_FILE: &str = "address";

/// Where a server is, and what opens it.
#[derive(Debug, Clone)]
pub struct ServerAddress {
    /// Without a slash at the end.
    pub url: String,
    /// The admin token.
    pub token: Secret,
    /// The certificate file by which a server on this machine is known, where it speaks TLS.
    pub certificate: Option<PathBuf>,
}

/// Finds the server to ask.
///
/// # Errors
/// When there is no trace of one; the text says what to do.
pub fn server_address(project: &Path, data: Option<&Path>, url: Option<&str>) -> Result<ServerAddress, String> {
    let environment = Environment::read();
    let data = data.map_or_else(|| configured_data(project), Path::to_owned);
    // What the server left: its address, and its certificate on a line of its own.
    let left = read(&data.join(ADDRESS_FILE));
    let (own, certificate) = left.as_deref().map_or((None, None), |left| match left.split_once('\n') {
        Some((own, certificate)) => (Some(own), Some(PathBuf::from(certificate))),
        None => (Some(left), None),
    });
    let named = url.map(str::to_owned).or(environment.url);
    let certificate = certificate.filter(|_| named.is_none());
    let url = named.or_else(|| own.map(str::to_owned));
    let url = url.ok_or_else(|| {
        format!("no hence server has used {}; start one with `hence serve`, or name it with --url (or --project, --data)", data.display())
    })?;
    let token = environment.admin_token.or_else(|| read(&data.join(TOKEN_FILE)).map(Secret::new));
    let token = token.ok_or_else(|| {
        format!("there is no admin token: set HENCE_ADMIN_TOKEN, or name the data folder with --data ({} has none)", data.display())
    })?;
    Ok(ServerAddress { url: url.trim_end_matches('/').to_owned(), token, certificate })
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

/// Tells the CLI where this server listens, and by which certificate it is known.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_address(data: &Path, url: &str, certificate: Option<&Path>) -> std::io::Result<()> {
    let certificate = certificate.map(|path| std::path::absolute(path).map(|path| format!("\n{}", path.display()))).transpose()?;
    write_private(&data.join(ADDRESS_FILE), &format!("{url}{}", certificate.unwrap_or_default()))
}

/// The server has stopped.
pub fn forget_address(data: &Path) {
    if let Err(error) = std::fs::remove_file(data.join(ADDRESS_FILE)) {
        tracing::debug!(error = %error, "the address file was gone already");
    }
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    // `mode` is for new files alone.
    file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    writeln!(file, "{text}")?;
    file.sync_all()
}
