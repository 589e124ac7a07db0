//! A project folder to serve, gone with the test.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A project in a temporary folder, with a data folder beside it.
pub(crate) struct Project {
    root: TempDir,
}

impl Project {
    /// An empty one.
    pub(crate) fn new() -> Self {
        let project = Self { root: TempDir::new().unwrap() };
        fs::create_dir(project.dir()).unwrap();
        project
    }

    /// One whose connection `there` leads to `receiver`, with one workflow.
    pub(crate) fn calling(receiver: SocketAddr, workflow: &str, text: &str) -> Self {
        let config =
            format!("connections:\n  there: {{connector: http, base_url: \"http://{receiver}\"}}\negress:\n  allow: [\"{receiver}\"]\n");
        Self::new().file("hence.yaml", &config).file(&format!("workflows/{workflow}.yaml"), text)
    }

    /// The workflows and scripts that hence ships, their CRM and chat at `receiver`.
    pub(crate) fn shipped(receiver: SocketAddr) -> Self {
        let mut project = Self::new();
        for folder in ["workflows", "scripts"] {
            let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            for entry in fs::read_dir(shipped).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap();
                project = project.file(&format!("{folder}/{name}"), &fs::read_to_string(&path).unwrap());
            }
        }
        let connection = |name: &str| format!("  {name}: {{connector: http, base_url: \"http://{receiver}/{name}\"}}\n");
        let config = format!("connections:\n{}{}egress:\n  allow: [\"{receiver}\"]\n", connection("crm"), connection("chat"));
        project.file("hence.yaml", &config)
    }

    /// With a file more, or with more at the end of one that is there.
    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        let path = self.dir().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let before = fs::read_to_string(&path).unwrap_or_default();
        fs::write(path, before + text).unwrap();
        self
    }

    /// The project folder.
    pub(crate) fn dir(&self) -> PathBuf {
        self.root.path().join("project")
    }

    /// The data folder; the server makes it.
    pub(crate) fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }
}
