//! Forms with the program itself: a browser, and a file that is larger than the memory it may take.

use std::path::Path;
use std::process::Command;

use futures_util::stream;
use serde_json::{Value, json};

use crate::process::{Engine, Project, Serve, Served, must, note, skip};

const PLAIN: &str = "
when:
  - form:
      path: 'join/{list}'
      redirect: /healthz
      honeypot: website
      uploads: {max: 128MiB, types: [image/png, application/pdf]}
steps:
  - stop: event.files.len()
";

const OPEN: &str = "
when:
  - form: {path: ask, cors: {origins: '*'}}
steps:
  - stop: event.body.question
";

fn contact() -> String {
    let shipped = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("workflows/contact-form.yaml")).unwrap();
    let (form, _) = shipped.split_once("steps:").unwrap();
    format!("{form}steps:\n  - stop: event.body\n")
}

/// What `tests/tools/forms.mjs` saw; or why it could not look.
fn browse(url: &str) -> Result<Value, String> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools");
    if !Path::new("/usr/bin/chromium").exists() {
        return Err("there is no Chromium: `apt-get install chromium`".to_owned());
    }
    if !tools.join("node_modules/playwright-core").is_dir() {
        return Err("the packages are not there: run `npm ci` in tests/tools".to_owned());
    }
    let printed = Command::new("node").args(["forms.mjs", url]).args(pictures()).current_dir(tools).output();
    let printed = printed.map_err(|error| format!("node cannot be started: {error}"))?;
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    Ok(serde_json::from_slice(&printed.stdout).unwrap())
}

/// Where to keep pictures of the pages, if somebody wants to look at them.
#[expect(clippy::disallowed_methods, reason = "the tests' own switch is no setting of hence")]
fn pictures() -> Option<String> {
    std::env::var("HENCE_TEST_PICTURES").ok()
}

/// The events of a form, newest first, with their bodies.
async fn events(served: &Served, path: &str) -> Vec<Value> {
    let mut found = Vec::new();
    for event in served.api().all("events").await.iter().filter(|event| event["path"] == path) {
        found.push(served.api().get(&format!("events/{}", event["id"].as_str().unwrap())).await);
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_fills_forms_in() {
    let project = Project::new().file("workflows/contact.yaml", &contact()).file("workflows/join.yaml", PLAIN);
    let project = project.file("workflows/ask.yaml", OPEN);
    let served = Serve::new(&project, Engine::Redb).start().await;
    let elsewhere = format!("{}/healthz", served.url.replace("127.0.0.1", "localhost"));
    let away = format!(
        "when:\n  - form: {{path: away, title: Away, button: Go, redirect: '{elsewhere}', fields: {{wish: text}}}}\nsteps: [{{stop: '1'}}]\n"
    );
    let _project = project.file("workflows/away.yaml", &away);
    served.hang_up();
    // By one connection: a new one each time soon is one too many.
    let api = served.api();
    must("the new form is served", async { while api.status("/forms/away").await != 200 {} }).await;

    let url = served.url.clone();
    let seen = match tokio::task::spawn_blocking(move || browse(&url)).await.unwrap() {
        Ok(seen) => seen,
        Err(why) => return skip("forms in a browser", &why),
    };
    assert_eq!(seen["title"], "Write to us");
    let tabs = ["f-name", "f-email", "f-topic", "f-message", "f-photo", "f-newsletter", "BUTTON", "BODY"];
    assert_eq!(seen["tabs"], json!(tabs), "{seen}");
    assert_eq!(seen["held_back"], json!(["", "f-name"]), "the browser shows what is missing");
    let mistakes = seen["mistakes"].as_str().unwrap();
    for words in ["Name: Fill this in.", "E-mail: Write an address such as ada@example.com.", "Topic: Choose one of these."] {
        assert!(mistakes.contains(words), "{mistakes}");
    }
    assert_eq!((&seen["led_to"], &seen["kept"]), (&json!("f-email"), &json!(["nowhere", "First\n\nlast & <b>"])));
    assert_eq!(seen["thanks"], json!(["?sent", "Thank you. We have your message and will answer soon."]));
    assert_eq!((&seen["away"], &seen["joined"]), (&json!(elsewhere), &json!("/healthz")));
    assert_eq!(seen["fetched"], json!([202, ["event"], 415, "unsupported-type", "not to be read"]), "{seen}");
    assert_eq!(seen["elsewhere"], json!([elsewhere]), "nothing else is loaded");
    let complaints = seen["complaints"].as_array().unwrap();
    assert!(complaints.iter().all(|said| said.as_str().unwrap().contains("status of 422")), "{complaints:?}");
    for (place, over) in seen["widths"].as_object().unwrap() {
        assert!(over.as_i64().unwrap() <= 0, "{place} is {over} pixels too wide");
    }
    for (place, lowest) in seen["lowest_contrast"].as_object().unwrap() {
        assert!(4.5 <= lowest[1].as_f64().unwrap(), "{place}: {lowest}");
    }
    for (place, fields) in seen["unnamed"].as_object().unwrap() {
        assert_eq!(*fields, json!([]), "{place}");
    }

    let written = events(&served, "contact").await;
    assert_eq!(written.len(), 1, "what had to be mended is not stored");
    let body = json!({"name": "Ada", "email": "ada@example.com", "topic": "bill", "message": "First\n\nlast & <b>", "newsletter": true});
    assert_eq!(written[0]["body"], body);
    let file = &written[0]["files"][0];
    assert_eq!((&file["name"], &file["type"], &file["size"]), (&json!("parcel ä.png"), &json!("image/png"), &json!(300_000)));
    let joined = events(&served, "join/news").await;
    let names: Vec<&str> = joined[1]["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect();
    assert_eq!((joined.len(), names), (2, vec!["a.pdf", "parcel ä.png"]), "what may not be read is sent all the same");
    assert_eq!(served.stop().await, Some(0));
}

/// A line of `/proc/PID/status`, in KiB.
fn memory_kib(served: &Served, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", served.pid())).unwrap();
    let found = status.lines().find_map(|found| found.strip_prefix(line)).unwrap();
    found.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}

/// Sends one file of so many MiB, as fast as it goes.
async fn upload(served: &Served, name: &str, kind: &str, mebibytes: usize) -> reqwest::Response {
    let head = format!("--x\r\nContent-Disposition: form-data; name=\"cv\"; filename=\"{name}\"\r\nContent-Type: {kind}\r\n\r\n");
    let piece = bytes::Bytes::from(vec![7u8; 1 << 20]);
    let pieces = std::iter::once(bytes::Bytes::from(head)).chain(std::iter::repeat_n(piece, mebibytes)).chain(["\r\n--x--\r\n".into()]);
    let body = reqwest::Body::wrap_stream(stream::iter(pieces.map(Ok::<_, std::io::Error>).collect::<Vec<_>>()));
    let http = hence::connector::http::api_client(std::time::Duration::from_secs(120)).unwrap();
    let request = http.post(format!("{}/forms/join/news", served.url)).header("accept", "application/json");
    request.header("content-type", "multipart/form-data; boundary=x").body(body).send().await.unwrap()
}

#[tokio::test]
async fn a_large_file_is_never_in_memory_as_a_whole() {
    let project = Project::new().file("workflows/join.yaml", PLAIN);
    let served = Serve::new(&project, Engine::Redb).start().await;
    // Caches and threads take their memory whatever the size, and the allocator keeps some for itself.
    assert_eq!(upload(&served, "a.png", "image/png", 40).await.status(), 202);
    let before = memory_kib(&served, "VmHWM:");
    // Thrown away as it comes, since it is of a sort that is not taken.
    assert_eq!(upload(&served, "a.exe", "image/png", 120).await.status(), 422);
    // The kernel counts by processor, and what it sums up may be some pages less than before.
    let refused = memory_kib(&served, "VmHWM:").saturating_sub(before);
    let taken = upload(&served, "a.png", "image/png", 120).await;
    assert_eq!(taken.status(), 202);
    let stored = memory_kib(&served, "VmHWM:").saturating_sub(before);
    note(&format!("a file of 120 MiB after one of 40 MiB: {stored} KiB more memory at most; one that is not taken {refused} KiB"));
    assert!(refused < 8 * 1024, "{refused} KiB for a file that is not taken");
    // Pieces are freed on another thread than they were made on: on a busy machine the allocator has them back late.
    assert!(stored < 100 * 1024, "{stored} KiB for a file of 120 MiB");
    let event = taken.json::<Value>().await.unwrap()["event"].as_str().unwrap().to_owned();
    let shown = served.api().get(&format!("events/{event}")).await;
    assert_eq!((&shown["files"][0]["size"], &shown["files"][0]["name"]), (&json!(120 << 20), &json!("a.png")));
    assert_eq!(served.stop().await, Some(0));
}
