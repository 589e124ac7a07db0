//! Half load for an hour: does anything grow? Requests come at a fixed rate, whether the server keeps up or not, and each
//! is timed from the moment at which it was due. Memory, disk, descriptors and time to the answer are noted as time goes on.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::client::{Sent, answered, request};
use super::plot;
use super::project::{self, Work};
use super::server::{Server, disk_bytes};

/// How long, how fast.
pub(crate) struct Soak {
    pub(crate) time: Duration,
    pub(crate) per_second: u32,
    pub(crate) binary: String,
}

/// The store is kept at this.
const RETENTION: &str = "retention: {bytes: 2GiB}\n";
const CONNECTIONS: u32 = 64;
const EVERY: Duration = Duration::from_secs(10);

/// One line of the table.
struct Sample {
    seconds: f64,
    sent: Sent,
    resident_mib: f64,
    disk_mib: f64,
    descriptors: usize,
}

/// Runs it, prints a line for each moment, and draws the four pictures into `docs/benchmarks/`.
pub(crate) fn run(soak: &Soak) {
    let sink = Server::own("--serve-sink");
    let folder = tempfile::tempdir().unwrap();
    let (dir, data) = (folder.path().join("project"), folder.path().join("data"));
    let path = project::write(&dir, Work::CallsAnswered(1), 10, sink.address);
    let settings = std::fs::read_to_string(dir.join("hence.yaml")).unwrap();
    std::fs::write(dir.join("hence.yaml"), settings + RETENTION).unwrap();
    let server = Server::hence(&soak.binary, &dir, &data, "redb");
    let request = request(path, &project::body(1000));
    let samples = sampled(&server, &data, &request, soak);
    let refused: usize = samples.iter().map(|sample| sample.sent.refused).sum();
    let all: usize = samples.iter().map(|sample| sample.sent.count()).sum();
    println!("{all} runs answered, {refused} refused, in {} s", soak.time.as_secs());
    draw(&samples, soak);
}

fn sampled(server: &Server, data: &Path, request: &Arc<[u8]>, soak: &Soak) -> Vec<Sample> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let window = Arc::new(Mutex::new(Sent::default()));
    runtime.block_on(async {
        let begun = Instant::now();
        let mut senders = JoinSet::new();
        let period = Duration::from_secs(1) * CONNECTIONS / soak.per_second;
        for nth in 0..CONNECTIONS {
            let first = begun + period * nth / CONNECTIONS;
            senders.spawn(connection(server.address, Arc::clone(request), (first, period), begun + soak.time, Arc::clone(&window)));
        }
        println!("seconds,per_second,p50_ms,p99_ms,p999_ms,rss_mib,disk_mib,descriptors,refused");
        let mut samples = Vec::new();
        let mut last = begun;
        while last < begun + soak.time {
            tokio::time::sleep_until((last + EVERY).into()).await;
            let now = Instant::now();
            let sent = std::mem::take(&mut *window.lock().unwrap()).over((now - last).as_secs_f64());
            last = now;
            let disk_mib = f64::from(u32::try_from(disk_bytes(data) >> 10).unwrap_or(u32::MAX)) / 1024.0;
            let (resident_mib, descriptors) = (server.resident_mib(), server.descriptors());
            let seconds = (now - begun).as_secs_f64();
            let [p50, p99, p999] = [500, 990, 999].map(|rank| sent.per_mille(rank));
            println!(
                "{seconds:.0},{:.0},{p50:.2},{p99:.2},{p999:.2},{resident_mib:.1},{disk_mib:.0},{descriptors},{}",
                sent.per_second(),
                sent.refused
            );
            samples.push(Sample { seconds, sent, resident_mib, disk_mib, descriptors });
        }
        while let Some(sender) = senders.join_next().await {
            sender.unwrap();
        }
        samples
    })
}

async fn connection(
    address: SocketAddr,
    request: Arc<[u8]>,
    (first, period): (Instant, Duration),
    until: Instant,
    window: Arc<Mutex<Sent>>,
) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut buffer = Vec::with_capacity(16 << 10);
    let mut due = first;
    while due < until {
        tokio::time::sleep_until(due.into()).await;
        let is_fine = answered(&mut stream, &request, &mut buffer).await;
        window.lock().unwrap().note(is_fine, due.elapsed());
        due += period;
    }
}

fn draw(samples: &[Sample], soak: &Soak) {
    let line = |name: &'static str, value: &dyn Fn(&Sample) -> f64| plot::Line {
        name,
        points: samples.iter().map(|sample| (sample.seconds / 60.0, value(sample))).collect(),
    };
    let under = format!("{} runs a second for {} minutes", soak.per_second, soak.time.as_secs() / 60);
    let pictures = [
        ("soak-memory", "Resident memory, MiB", vec![line("memory", &|sample| sample.resident_mib)]),
        ("soak-disk", "Size of the data folder, MiB", vec![line("disk", &|sample| sample.disk_mib)]),
        ("soak-descriptors", "Open descriptors", vec![line("descriptors", &|sample| super::client::as_f64(sample.descriptors))]),
        (
            "soak-latency",
            "Time to the answer with the result, ms",
            vec![line("p50", &|sample| sample.sent.per_mille(500)), line("p99", &|sample| sample.sent.per_mille(990))],
        ),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/benchmarks");
    std::fs::create_dir_all(&folder).unwrap();
    let mut list = String::new();
    for (file, title, lines) in pictures {
        let path = folder.join(format!("{file}.svg"));
        std::fs::write(&path, plot::svg(title, &under, &lines)).unwrap();
        writeln!(list, "{}", path.display()).unwrap();
    }
    print!("{list}");
}
