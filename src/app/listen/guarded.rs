//! A connection's bytes on their way: what comes and goes is told to its place, and where the HTTP library answers by itself what it
//! cannot read as a request (a bare status), the client gets a problem in its place.

use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connections::Connection;
use crate::web::{Door, Unread};

/// Bytes of a connection.
pub(super) struct Guarded<T> {
    io: T,
    connection: Arc<Connection>,
    door: Arc<Door>,
    peer: IpAddr,
    /// What is still to be written in place of a bare answer.
    instead: Option<Bytes>,
}

impl<T> Guarded<T> {
    pub(super) fn new(io: T, connection: Arc<Connection>, door: Arc<Door>, peer: IpAddr) -> Self {
        Self { io, connection, door, peer, instead: None }
    }

    /// The connection itself.
    pub(super) fn into_inner(self) -> T {
        self.io
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Guarded<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
        if before < buffer.filled().len() {
            self.connection.heard();
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> Guarded<T> {
    fn write_instead(&mut self, cx: &mut Context<'_>, length: usize) -> Poll<io::Result<usize>> {
        while let Some(rest) = self.instead.as_mut().filter(|rest| !rest.is_empty()) {
            match Pin::new(&mut self.io).poll_write(cx, rest) {
                Poll::Ready(Ok(written)) => {
                    self.connection.takes(true);
                    if written == 0 {
                        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                    }
                    rest.advance(written);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.connection.takes(false);
                    return Poll::Pending;
                }
            }
        }
        self.instead = None;
        Poll::Ready(Ok(length))
    }

    fn takes<R>(&self, written: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        match &written {
            Poll::Pending => self.connection.takes(false),
            Poll::Ready(_) => self.connection.takes(true),
        }
        written
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Guarded<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.instead.is_none()
            && let Some(why) = bare(bytes)
        {
            self.instead = Some(self.door.unread(why, self.peer));
        }
        if self.instead.is_some() {
            return self.write_instead(cx, bytes.len());
        }
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.takes(written)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if let [only] = slices {
            return self.poll_write(cx, only);
        }
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.takes(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.takes(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// What the HTTP library says by itself when it gives up on a connection: a status, and nothing that an answer of ours ever lacks.
fn bare(bytes: &[u8]) -> Option<Unread> {
    let rest = bytes.strip_prefix(b"HTTP/1.1 4")?;
    // The longest of them, with its date; whatever is longer is an answer.
    if 200 < rest.len() {
        return None;
    }
    let (line, head) = std::str::from_utf8(rest).ok()?.split_once("\r\n")?;
    let why = match line {
        "00 Bad Request" => Unread::Malformed,
        "14 URI Too Long" => Unread::LongUri,
        "31 Request Header Fields Too Large" => Unread::LargeHead,
        _ => return None,
    };
    let lines = head.strip_suffix("\r\n\r\n")?.split("\r\n");
    let known = |line: &str| line == "connection: close" || line == "content-length: 0" || line.starts_with("date: ");
    lines.clone().all(known).then_some(why).filter(|_| lines.clone().any(|line| line == "connection: close"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_of_the_library_itself_is_bare() {
        let check = |text: &str, expected: Option<Unread>| assert_eq!(bare(text.as_bytes()), expected, "{text}");
        let rest = "connection: close\r\ncontent-length: 0\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";
        check(&format!("HTTP/1.1 400 Bad Request\r\n{rest}"), Some(Unread::Malformed));
        check(&format!("HTTP/1.1 431 Request Header Fields Too Large\r\n{rest}"), Some(Unread::LargeHead));
        check(&format!("HTTP/1.1 414 URI Too Long\r\n{rest}"), Some(Unread::LongUri));
        check(&format!("HTTP/1.1 404 Not Found\r\n{rest}"), None);
        check(&format!("HTTP/1.1 400 Bad Request\r\nx-content-type-options: nosniff\r\n{rest}"), None);
        check(&format!("HTTP/1.1 400 Bad Request\r\n{rest}body"), None);
        check("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", None);
        check("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n", None);
        check("", None);
    }
}
