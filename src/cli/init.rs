//! `hence init`

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::{Exit, Trouble, say};

/// What a new project holds.
const FILES: [(&str, &str); 5] = [
    ("hence.yaml", include_str!("init/hence.yaml")),
    ("workflows/hello.yaml", include_str!("init/hello.yaml")),
    ("workflows/hello.test.yaml", include_str!("init/hello.test.yaml")),
    ("scripts/greet.rhai", include_str!("init/greet.rhai")),
    (".gitignore", include_str!("init/gitignore")),
];

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The folder to write into; made if it is not there. No file that is there is changed
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

pub(super) fn run(args: &InitArgs) -> Result<Exit, Trouble> {
    let dir = args.dir.display();
    let failed = |path: &str, error: std::io::Error| Trouble::new(Exit::Problems, format!("{path}: {error}"));
    for (path, _) in FILES {
        if args.dir.join(path).exists() {
            return Err(Trouble::new(Exit::Usage, format!("{dir}/{path} is there already: nothing was written")));
        }
    }
    for (path, text) in FILES {
        let target = args.dir.join(path);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent).map_err(|error| failed(path, error))?;
        }
        // `create_new`: what somebody put there meanwhile is not written over.
        let file = std::fs::OpenOptions::new().write(true).create_new(true).open(&target);
        file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| failed(path, error))?;
        say(&format!("wrote {}", target.display()));
    }
    say(&format!(
        "\nNext:\n  hence serve {dir}\n  curl -d '{{\"name\": \"Ada\"}}' -H 'content-type: application/json' http://127.0.0.1:8787/hooks/hello\n  hence runs --project {dir}"
    ));
    Ok(Exit::Fine)
}
