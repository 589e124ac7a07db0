//! What is measured, line by line. Every line of the server stands beside the floor at the same number
//! of connections and the same body, measured right before it.

use std::time::Duration;

use super::client::{Sent, as_f64, request, send};
use super::project::{self, Work};
use super::server::{Server, disk_bytes};

/// How much is measured.
pub(crate) struct Plan {
    pub(crate) time: Duration,
    pub(crate) quick: bool,
    /// Only lines that hold this text.
    pub(crate) only: Option<String>,
    /// The builds that are measured.
    pub(crate) binaries: Vec<String>,
}

/// One line.
#[derive(Clone, Copy)]
struct Scenario {
    work: Work,
    engine: &'static str,
    connections: usize,
    body_bytes: usize,
    workflows: usize,
    /// Runs that wait meanwhile.
    parked: u64,
}

const USUAL: Scenario = Scenario { work: Work::Call, engine: "redb", connections: 64, body_bytes: 1000, workflows: 10, parked: 0 };

/// A whole run, which the caller gets the result of.
const ANSWERED: Work = Work::CallsAnswered(1);

impl Scenario {
    fn name(&self) -> String {
        let work = match self.work {
            Work::NotMatched => "accept, no run".to_owned(),
            Work::Verified => "accept, verified and deduplicated".to_owned(),
            Work::Steps(count) => format!("run, {count} steps"),
            Work::Call => "run, one call".to_owned(),
            Work::CallsAnswered(1) => "run, one call, answered".to_owned(),
            Work::CallsAnswered(count) => format!("run, {count} calls, answered"),
        };
        let work = if self.parked == 0 { work } else { format!("{work}, beside {} parked runs", self.parked) };
        format!("{work} | {} | {} | {} B | {}", self.engine, self.connections, self.body_bytes, self.workflows)
    }
}

fn scenarios(quick: bool) -> Vec<Scenario> {
    let mut list = Vec::new();
    for engine in ["redb", "sled", "memory"] {
        for work in [Work::NotMatched, Work::Verified, Work::Steps(1), Work::Call, ANSWERED] {
            list.push(Scenario { work, engine, ..USUAL });
        }
    }
    if quick {
        return list;
    }
    for connections in [1, 16, 256] {
        list.push(Scenario { work: Work::NotMatched, connections, ..USUAL });
        list.push(Scenario { work: ANSWERED, connections, ..USUAL });
    }
    for body_bytes in [200, 64_000] {
        list.push(Scenario { work: Work::NotMatched, body_bytes, ..USUAL });
        list.push(Scenario { work: ANSWERED, body_bytes, ..USUAL });
    }
    for workflows in [1_000, 10_000] {
        list.push(Scenario { work: Work::NotMatched, workflows, ..USUAL });
        list.push(Scenario { work: ANSWERED, workflows, ..USUAL });
    }
    for work in [Work::NotMatched, ANSWERED] {
        list.push(Scenario { work, parked: 1_000_000, ..USUAL });
    }
    for steps in [5, 20] {
        list.push(Scenario { work: Work::Steps(steps), ..USUAL });
        list.push(Scenario { work: Work::CallsAnswered(steps), ..USUAL });
    }
    list
}

/// Measures and prints.
pub(crate) fn measure(plan: &Plan) {
    let (floor, sink) = (Server::own("--serve-floor"), Server::own("--serve-sink"));
    println!(
        "| work | engine | connections | body | workflows | per second | of the floor | p50 ms | p99 ms | p99.9 ms | CPU µs each | RSS MiB | disk B each | refused |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    for scenario in scenarios(plan.quick) {
        if plan.only.as_ref().is_some_and(|only| !scenario.name().contains(only.as_str())) {
            continue;
        }
        let body = project::body(scenario.body_bytes);
        let bare = send(floor.address, &request("/hooks/work", &body), scenario.connections, plan.time / 2);
        for (nth, binary) in plan.binaries.iter().enumerate() {
            let name = format!("{}{}", if nth == 0 { "" } else { "(beside) " }, scenario.name());
            line(&name, &measured(binary, &scenario, &body, sink.address, plan.time), &bare);
        }
    }
}

struct Measured {
    sent: Sent,
    cpu_micros: f64,
    resident_mib: f64,
    disk_bytes: f64,
}

fn measured(binary: &str, scenario: &Scenario, body: &str, sink: std::net::SocketAddr, time: Duration) -> Measured {
    let folder = tempfile::tempdir().unwrap();
    let (dir, data) = (folder.path().join("project"), folder.path().join("data"));
    let path = project::write(&dir, scenario.work, scenario.workflows, sink);
    if 0 < scenario.parked {
        project::park(&dir, &data, scenario.parked);
    }
    let server = Server::hence(binary, &dir, &data, scenario.engine);
    let request = request(path, body);
    // Connections are opened, caches filled, the file grown.
    send(server.address, &request, scenario.connections, time / 8);
    let (cpu, disk) = (server.cpu_seconds(), disk_bytes(&data));
    let sent = send(server.address, &request, scenario.connections, time);
    let each = |total: f64| total / as_f64(sent.count().max(1));
    let grown = disk_bytes(&data).saturating_sub(disk);
    Measured {
        cpu_micros: each((server.cpu_seconds() - cpu) * 1e6),
        resident_mib: server.resident_mib(),
        disk_bytes: each(f64::from(u32::try_from(grown / 1024).unwrap_or(u32::MAX)) * 1024.0),
        sent,
    }
}

fn line(name: &str, measured: &Measured, bare: &Sent) {
    let Measured { sent, cpu_micros, resident_mib, disk_bytes } = measured;
    println!(
        "| {} | {:.0} | {:.1} % of {:.0} | {:.2} | {:.2} | {:.2} | {cpu_micros:.0} | {resident_mib:.0} | {disk_bytes:.0} | {} |",
        name,
        sent.per_second(),
        100.0 * sent.per_second() / bare.per_second(),
        bare.per_second(),
        sent.per_mille(500),
        sent.per_mille(990),
        sent.per_mille(999),
        sent.refused
    );
}
