//! A project in a temporary folder.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

/// What links begin with: the address of the server is another one after each start.
pub const PUBLIC_URL: &str = "https://hence.example.com";

/// A folder with workflows, gone when neither this nor a server of it is left.
pub struct Project(Arc<TempDir>);

/// The repository, which is a project itself.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Project {
    /// Keeps the folder: a server looks at it as long as it runs.
    pub fn keep(&self) -> Arc<TempDir> {
        Arc::clone(&self.0)
    }

    /// These files, and a `hence.yaml` with the connections that the shipped workflows use.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let project = Self(Arc::new(tempfile::tempdir().unwrap()));
        let connection = |name: &str| format!("  {name}: {{connector: http, base_url: \"http://{name}.test\"}}\n");
        project.write("hence.yaml", &format!("connections:\n{}{}", connection("crm"), connection("chat")));
        project.write("secrets.env", "GITHUB_SECRET=s3cret-of-github\nTOKEN=t0ken-of-tests\n");
        project.protect("secrets.env");
        for (path, text) in files {
            project.write(path, text);
        }
        project
    }

    /// One workflow, called `main`.
    pub fn of(workflow: &str) -> Self {
        Self::new(&[("workflows/main.yaml", workflow)])
    }

    /// The shipped workflows and scripts.
    pub fn shipped() -> Self {
        Self::shipped_but(|_| true)
    }

    /// One shipped workflow with the scripts.
    pub fn shipped_only(workflows: &[&str]) -> Self {
        Self::shipped_but(|name| name.ends_with(".rhai") || name.strip_suffix(".yaml").is_some_and(|stem| workflows.contains(&stem)))
    }

    fn shipped_but(wanted: impl Fn(&str) -> bool) -> Self {
        let project = Self::new(&[]);
        let settings = fs::read_to_string(project.dir().join("hence.yaml")).unwrap();
        project.write("hence.yaml", &format!("public_url: {PUBLIC_URL}\n{settings}"));
        for folder in ["workflows", "scripts"] {
            for entry in fs::read_dir(repository().join(folder)).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                if wanted(&name) {
                    project.write(&format!("{folder}/{name}"), &fs::read_to_string(&path).unwrap());
                }
            }
        }
        project
    }

    pub fn dir(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, path: &str, text: &str) {
        let target = self.0.path().join(path);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, text).unwrap();
    }

    fn protect(&self, path: &str) {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(self.0.path().join(path), fs::Permissions::from_mode(0o600)).unwrap();
    }
}
