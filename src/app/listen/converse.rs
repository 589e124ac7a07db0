//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::connections::{Leave, Place};
use super::guarded::Guarded;
use crate::web::{Door, Unread};

/// How long, and how much, a client may still send after its last answer. A socket that is closed with bytes unread takes the answer
/// with it.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: u64 = 1 << 20;

/// Serves requests until the client goes, or must.
pub(super) async fn converse<T>(io: T, place: Place, door: Arc<Door>, peer: IpAddr, builder: Arc<Builder>)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = Arc::clone(&place.0);
    let guarded = Guarded::new(io, Arc::clone(&connection), Arc::clone(&door), peer);
    let service = service_fn({
        let (connection, door) = (Arc::clone(&connection), Arc::clone(&door));
        move |request: http::Request<Incoming>| {
            connection.asked();
            let (connection, door) = (Arc::clone(&connection), Arc::clone(&door));
            Box::pin(async move {
                let response = door.answer(request, peer).await;
                connection.rests();
                Ok::<_, Infallible>(response)
            })
        }
    });
    let mut http = builder.serve_connection(TokioIo::new(guarded), service);
    let mut told = None;
    loop {
        let ended = poll_fn(|cx| http.poll_without_shutdown(cx));
        tokio::select! {
            biased;
            // An error was answered where there was something to answer.
            _ended = ended => break,
            leave = connection.must_leave(told) => match leave {
                Leave::Dropped => return,
                Leave::Drained => {
                    Pin::new(&mut http).graceful_shutdown();
                    told = Some(leave);
                }
                Leave::Slow if told.is_some() => return,
                Leave::Slow => {
                    let io = http.into_parts().io.into_inner().into_inner();
                    return refuse(io, &door.unread(Unread::SlowHead, peer)).await;
                }
            },
        }
    }
    // Who was sent away has its answer, and is not waited for: the place is another's.
    if told.is_none() {
        let io = http.into_parts().io.into_inner().into_inner();
        tokio::select! {
            () = end(io) => {}
            _leave = connection.must_leave(told) => {}
        }
    }
}

/// A last word to a client that is not listened to any further.
pub(super) async fn refuse<T: AsyncRead + AsyncWrite + Unpin>(mut io: T, answer: &[u8]) {
    if let Ok(Ok(())) = tokio::time::timeout(LINGER, io.write_all(answer)).await {
        end(io).await;
    }
}

/// The same to one that has not been listened to at all: many clients take an answer before their question for nonsense.
pub(super) async fn hear_and_refuse<T: AsyncRead + AsyncWrite + Unpin>(mut io: T, answer: &[u8]) {
    let mut first = [0; 4_096];
    if let Ok(Ok(1..)) = tokio::time::timeout(LINGER, io.read(&mut first)).await {
        refuse(io, answer).await;
    }
}

/// The same in an instant, where nobody can be waited for. What has come already is read, so that it does not take the answer with it.
pub(super) fn refuse_at_once(stream: TcpStream, answer: &[u8]) -> io::Result<()> {
    let mut stream = stream.into_std()?;
    let mut first = [0; 16 << 10];
    let heard = stream.read(&mut first)?;
    if 0 < heard {
        stream.write_all(answer)?;
        stream.shutdown(Shutdown::Write)?;
    }
    Ok(())
}

/// Says that nothing more comes, and lets the client end.
async fn end<T: AsyncRead + AsyncWrite + Unpin>(mut io: T) {
    let lingering = pin!(async {
        if io.shutdown().await.is_ok() {
            let mut rest = [0; 4_096];
            let mut io = (&mut io).take(LINGER_BYTES);
            while matches!(io.read(&mut rest).await, Ok(read) if 0 < read) {}
        }
    });
    // Whoever takes longer loses the rest.
    drop(tokio::time::timeout(LINGER, lingering).await);
}
