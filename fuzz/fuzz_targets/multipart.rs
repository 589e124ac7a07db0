//! A form with files says the same however it is cut into pieces, and nothing in it stops its reader.
//!
//! An input is a line with the content type, a line whose bytes are the lengths of the pieces, and the body.
#![no_main]

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use hence::app::{App, Parts};
use hence::clock::ManualClock;
use hence::config::{self, Flags};
use hence::domain::time::Timestamp;
use hence::intake::form::Sent;
use http::{HeaderMap, HeaderValue, header};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::Runtime;

/// Bodies up to here are always read whole: what comes before a part's content may be 64 KiB, counted by pieces.
const COMPARED_BYTES: usize = 48 * 1024;

const FORM: &str = "
when:
  - form:
      path: fuzz
      uploads: {max: 4KiB, count: 3, types: [text/plain, image/*, .csv]}
      limits: {body: 8KiB}
      fields:
        a: {label: A}
        b: {label: B, type: email}
        file: {label: File, type: file}
steps:
  - stop: event.body
";

/// A server without a clock that goes, in one thread.
struct World {
    runtime: Runtime,
    app: App,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let project = tempfile::tempdir().expect("a folder").keep();
        std::fs::create_dir(project.join("workflows")).expect("a folder");
        std::fs::write(project.join("workflows/fuzz.yaml"), FORM).expect("a file");
        let (config, problems) = config::load(&project, Flags { store: Some("memory:".to_owned()), ..Flags::default() });
        assert!(problems.is_empty(), "{problems:?}");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let app = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("an address");
            let clock = Arc::new(ManualClock::new(Timestamp(1_772_355_600_000)));
            App::start(config, listener, Parts { clock: Some(clock), ..Parts::default() }).await.expect("a server")
        });
        assert!(app.intake.form("fuzz").is_ok(), "the form is served");
        World { runtime, app }
    })
}

/// What is told of a form whose page was never served: it is always to be sent once more, and nothing is stored.
async fn told(app: &App, content_type: &HeaderValue, pieces: Vec<Bytes>) -> Result<String, String> {
    let intake = &app.intake;
    let door = intake.form("fuzz").expect("the form");
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, content_type.clone())]);
    let body = futures_util::stream::iter(pieces.into_iter().map(Ok::<Bytes, Infallible>));
    let draft = intake.read_form(&door, "", &headers, body).await.map_err(|refusal| refusal.to_string())?;
    match intake.take_form(&door, draft).await.map_err(|refusal| refusal.to_string())? {
        Sent::Again(again) => Ok(format!("{:?} {:?}", again.wrong, again.values)),
        Sent::Taken(event) => panic!("{event} was taken from a page that nobody served"),
    }
}

fn cut(body: &Bytes, lengths: &[u8]) -> Vec<Bytes> {
    let (mut rest, mut pieces) = (body.clone(), Vec::new());
    let mut lengths = lengths.iter().cycle();
    while !rest.is_empty() {
        let length = lengths.next().map_or(1, |length| usize::from(*length).max(1));
        pieces.push(rest.split_to(length.min(rest.len())));
    }
    pieces
}

fuzz_target!(|input: &[u8]| {
    let mut lines = input.splitn(3, |byte| *byte == b'\n');
    let (Some(content_type), Some(lengths), Some(body)) = (lines.next(), lines.next(), lines.next()) else { return };
    let Ok(content_type) = HeaderValue::from_bytes(content_type) else { return };
    let body = Bytes::copy_from_slice(body);
    let World { runtime, app } = world();
    let (whole, in_pieces) = runtime.block_on(async {
        let whole = told(app, &content_type, vec![body.clone()]).await;
        let in_pieces = told(app, &content_type, cut(&body, lengths)).await;
        // Files without an event are forgotten by a task of its own.
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
        (whole, in_pieces)
    });
    if body.len() <= COMPARED_BYTES {
        assert_eq!(whole.as_ref().ok(), in_pieces.as_ref().ok(), "{whole:?} {in_pieces:?}");
    }
});
