//! Sends one request again and again over kept-alive connections, one at a time on each.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// What came of it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Sent {
    pub(crate) seconds: f64,
    /// Microseconds each, sorted.
    micros: Vec<u32>,
    /// Answers that were not 2xx.
    pub(crate) refused: usize,
}

impl Sent {
    pub(crate) fn per_second(&self) -> f64 {
        as_f64(self.micros.len()) / self.seconds
    }

    /// One more.
    pub(crate) fn note(&mut self, is_fine: bool, time: Duration) {
        if is_fine {
            self.micros.push(u32::try_from(time.as_micros()).unwrap_or(u32::MAX));
        } else {
            self.refused += 1;
        }
    }

    /// All of it was sent in so many seconds.
    pub(crate) fn over(mut self, seconds: f64) -> Self {
        self.seconds = seconds;
        self.micros.sort_unstable();
        self
    }

    pub(crate) fn count(&self) -> usize {
        self.micros.len()
    }

    /// The time within which so many of a thousand were answered, in milliseconds.
    pub(crate) fn per_mille(&self, rank: usize) -> f64 {
        let at = (self.micros.len() * rank / 1000).min(self.micros.len().saturating_sub(1));
        f64::from(self.micros.get(at).copied().unwrap_or(0)) / 1000.0
    }
}

pub(crate) fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// A POST of this body, signed as GitHub signs, with an id that is another one each time.
pub(crate) fn request(path: &str, body: &str) -> Arc<[u8]> {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature: String = ring::hmac::sign(&key, body.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\nx-hub-signature-256: sha256={signature}\r\n\
         x-github-delivery: {:016}\r\ncontent-length: {}\r\n\r\n{body}",
        0,
        body.len()
    );
    head.into_bytes().into()
}

/// What requests are signed with.
pub(crate) const SECRET: &str = "the secret of the bench";

const ID: &[u8] = b"x-github-delivery: ";

/// The same request with the next id.
fn next(request: &mut [u8]) {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let id = format!("{:016}", LAST.fetch_add(1, Ordering::Relaxed) + 1);
    let begin = find(request, ID).unwrap() + ID.len();
    request.iter_mut().skip(begin).zip(id.bytes()).for_each(|(old, new)| *old = new);
}

/// Sends for so long over so many connections.
pub(crate) fn send(address: SocketAddr, request: &Arc<[u8]>, connections: usize, time: Duration) -> Sent {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let begun = Instant::now();
        let mut senders = JoinSet::new();
        for _ in 0..connections {
            senders.spawn(connection(address, Arc::clone(request), begun + time));
        }
        let mut all = Sent::default();
        while let Some(sent) = senders.join_next().await {
            let sent = sent.unwrap();
            all.micros.extend(sent.micros);
            all.refused += sent.refused;
        }
        all.over(begun.elapsed().as_secs_f64())
    })
}

async fn connection(address: SocketAddr, request: Arc<[u8]>, until: Instant) -> Sent {
    let mut request = request.to_vec();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut sent = Sent::default();
    let mut buffer = Vec::with_capacity(16 << 10);
    while Instant::now() < until {
        next(&mut request);
        let begun = Instant::now();
        let is_fine = answered(&mut stream, &request, &mut buffer).await;
        sent.note(is_fine, begun.elapsed());
    }
    sent
}

/// Sends one request and reads its answer; whether it was 2xx.
pub(crate) async fn answered(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> bool {
    stream.write_all(request).await.unwrap();
    answer(stream, buffer).await
}

/// Reads one answer whole; whether it was 2xx.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> bool {
    buffer.clear();
    loop {
        assert_ne!(stream.read_buf(buffer).await.unwrap(), 0, "the server closed the connection");
        let Some(end) = find(buffer, b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(buffer.get(..end).unwrap_or_default()).unwrap().to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).map_or(0, |text| text.trim().parse().unwrap());
        while buffer.len() < end + 4 + length {
            assert_ne!(stream.read_buf(buffer).await.unwrap(), 0, "the server closed the connection");
        }
        return head.get(9..10) == Some("2");
    }
}

fn find(buffer: &[u8], end: &[u8]) -> Option<usize> {
    buffer.windows(end.len()).position(|window| window == end)
}
