//! A receiver that keeps what it was sent, byte for byte, and answers as told.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// What the receiver does once it has read a request.
#[derive(Clone)]
pub(super) enum Reply {
    /// Writes these bytes and closes.
    Bytes(Vec<u8>),
    /// Writes these bytes and waits for the next request.
    Kept(Vec<u8>),
    /// Writes nothing and keeps the connection.
    Never,
}

/// A request as it arrived.
#[derive(Debug)]
pub(super) struct Seen {
    /// `POST /path?query`.
    pub(super) line: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }
}

pub(super) struct Server {
    pub(super) address: SocketAddr,
    seen: mpsc::UnboundedReceiver<Seen>,
    _tasks: JoinSet<()>,
}

impl Server {
    /// Gives one reply a connection, in this order; the last one again and again.
    pub(super) async fn replying(replies: Vec<Reply>) -> Self {
        Self::on("127.0.0.1:0", replies, None).await
    }

    pub(super) async fn answering(status: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Self {
        Self::replying(vec![answer(status, headers, body)]).await
    }

    pub(super) async fn ok() -> Self {
        Self::answering("200 OK", &[], "").await
    }

    pub(super) async fn on(bind: &str, replies: Vec<Reply>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(bind).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, seen) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, replies, tls, sender));
        Self { address, seen, _tasks: tasks }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next request that arrived; there has to be one.
    pub(super) async fn seen(&mut self) -> Seen {
        self.seen.recv().await.unwrap()
    }

    pub(super) fn saw_nothing(&mut self) -> bool {
        self.seen.try_recv().is_err()
    }
}

/// An answer with a length and no keep-alive.
pub(super) fn answer(status: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Reply {
    let body = body.as_ref();
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    Reply::Bytes([head.as_bytes(), body].concat())
}

async fn accept(listener: TcpListener, replies: Vec<Reply>, tls: Option<TlsAcceptor>, seen: mpsc::UnboundedSender<Seen>) {
    let replies = Arc::new(replies);
    let mut connections = JoinSet::new();
    let mut count = 0;
    while let Ok((stream, _)) = listener.accept().await {
        let reply = replies[count.min(replies.len() - 1)].clone();
        count += 1;
        let (seen, tls) = (seen.clone(), tls.clone());
        connections.spawn(async move {
            match tls {
                None => serve(stream, reply, seen).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, reply, seen).await;
                    }
                }
            }
        });
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, reply: Reply, seen: mpsc::UnboundedSender<Seen>) {
    while let Some(request) = read(&mut stream).await {
        let _test_is_over = seen.send(request);
        match &reply {
            Reply::Kept(bytes) => {
                let _client_is_gone = stream.write_all(bytes).await;
            }
            Reply::Bytes(bytes) => {
                let _client_is_gone = stream.write_all(bytes).await;
                let _client_is_gone = stream.shutdown().await;
                return;
            }
            Reply::Never => std::future::pending().await,
        }
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
    let headers: Vec<_> = lines.filter_map(|line| line.split_once(": ")).map(|(k, v)| (k.to_lowercase(), v.to_owned())).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, length)| length.parse().unwrap());
    let mut body = bytes[end + 4..].to_vec();
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Seen { line, headers, body })
}
