//! The server with a clock that runs fast: what it does by the hour comes many times a second. It is this very
//! program, started again; all but the clock is what `hence serve` starts.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hence::app::{App, Parts};
use hence::clock::{Clock, SystemClock, Wait};
use hence::config::{self, Flags, LogFormat};
use hence::domain::time::Timestamp;
use hence::workflow::problem::Problem;
use tokio::net::TcpListener;

/// How much faster: 10 minutes, the time between two passes of retention, are 30 ms.
const RATE: u32 = 20_000;
/// The argument that says when its time begins, in milliseconds.
const FROM: &str = "hurried-from=";
/// The test below, as this program knows it.
const TEST: &str = "hurried::server";

/// What `Serve::under` takes for a server whose time begins then. To the test harness all that comes behind are names of
/// tests that it does not have.
pub(crate) fn under(from: Timestamp) -> Vec<String> {
    let this = std::env::current_exe().unwrap().to_str().unwrap().to_owned();
    [&*this, TEST, "--exact", "--nocapture", "--", &format!("{FROM}{}", from.0)].map(str::to_owned).into()
}

#[derive(Debug, Clone, Copy)]
struct Hurried {
    from: Timestamp,
    started: Timestamp,
}

impl Clock for Hurried {
    fn now(&self) -> Timestamp {
        self.from.after(SystemClock.now().since(self.started) * RATE)
    }

    fn sleep_until(&self, time: Timestamp) -> Wait {
        let clock = *self;
        Box::pin(async move {
            while clock.now() < time {
                let rest = time.since(clock.now()) / RATE;
                SystemClock.pause(rest).await;
            }
        })
    }

    fn uptime(&self) -> Duration {
        SystemClock.uptime() * RATE
    }

    /// Only what is done by the minute comes faster: connections and the disk take their own time.
    fn pause(&self, span: Duration) -> Wait {
        const BY_THE_MINUTE: Duration = Duration::from_secs(60);
        SystemClock.pause(if span < BY_THE_MINUTE { span } else { span / RATE })
    }
}

/// No test: what `under` starts.
#[test]
fn server() {
    let arguments: Vec<String> = std::env::args().collect();
    let Some(from) = arguments.iter().find_map(|argument| argument.strip_prefix(FROM)) else { return };
    let behind = |word: &str| {
        let place = arguments.iter().position(|argument| argument == word).unwrap();
        arguments[place + 1].clone()
    };
    let data = PathBuf::from(behind("--data"));
    let flags =
        Flags { listen: Some(behind("--listen")), data: Some(data), store: Some(behind("--store")), log_format: Some(LogFormat::Json) };
    let (config, problems) = config::load(Path::new(&behind("serve")), flags);
    assert!(!problems.iter().any(Problem::is_error), "{problems:?}");
    hence::telemetry::start(config.log_format, &config.log_filter).unwrap();
    let clock = Hurried { from: Timestamp(from.parse().unwrap()), started: SystemClock.now() };
    hence::app::runtime().unwrap().block_on(async {
        let listener = TcpListener::bind(&config.listen).await.unwrap();
        let app = App::start(config, listener, Parts { clock: Some(Arc::new(clock)), ..Parts::default() }).await.unwrap();
        tracing::info!(url = %format!("http://{}", app.address), "hence is ready");
        // Until it is killed.
        std::future::pending::<()>().await;
    });
}
