//! The listener: takes connections within their bounds, and ends them in order.

mod connections;
mod converse;
mod descriptors;
mod guarded;
mod signals;
mod tls;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use hyper::server::conn::http1::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config::{Config, FrontLimits};
use crate::web::{self, Door, Unread, Web};
use connections::{Connections, Leave, Place, TICK, overshoot};
use converse::{converse, hear_and_refuse, refuse, refuse_at_once};

pub(super) use descriptors::raise as raise_descriptors;
pub(super) use signals::Signals;
pub(super) use tls::Tls;

/// How long to wait when the system gives no connection.
const ACCEPT_AGAIN: Duration = Duration::from_secs(1);

/// What a listener serves with.
pub(super) struct Listen {
    door: Arc<Door>,
    limits: FrontLimits,
    tls: Option<Arc<Tls>>,
    clock: Arc<dyn Clock>,
    /// How many connections there are, for others to see.
    count: Arc<AtomicUsize>,
}

impl Listen {
    /// Everything comes through the front door to the routes of `web`.
    pub(super) fn new(web: Arc<Web>, limits: FrontLimits, tls: Option<Tls>, clock: Arc<dyn Clock>) -> Self {
        let count = Arc::clone(&web.intake.door.connections);
        let door = Arc::new(Door::new(web::router(Arc::clone(&web)), web, limits.uri_bytes));
        Self { door, limits, tls: tls.map(Arc::new), clock, count }
    }

    /// Reads a changed certificate again, until `stopping`.
    pub(super) fn watch_tls(&self, tasks: &TaskTracker, stopping: &CancellationToken) {
        if let Some(tls) = &self.tls {
            tasks.spawn(Arc::clone(tls).watch(Arc::clone(&self.clock), stopping.clone()));
        }
    }
}

struct Accepting {
    listen: Listen,
    connections: Arc<Connections>,
    builder: Arc<Builder>,
    tasks: TaskTracker,
    /// Those of too many whose end is waited for.
    told: Arc<Semaphore>,
}

/// Serves until `stopping`; requests in hand are answered first, until `hard` drops them.
pub(super) async fn serve(listener: TcpListener, listen: Listen, stopping: CancellationToken, hard: CancellationToken) {
    let limits = FrontLimits { connections: descriptors::connections(listen.limits.connections), ..listen.limits };
    let connections = Connections::new(limits, Arc::clone(&listen.count));
    let mut builder = Builder::new();
    // Time is kept by `connections`: a timer for each request would cost more than the rest of its reading.
    builder.header_read_timeout(None).max_buf_size(limits.headers_bytes);
    let clock = Arc::clone(&listen.clock);
    let ticking = async {
        loop {
            clock.pause(TICK).await;
            connections.tick();
        }
    };
    let serving = async {
        let accepting = Accepting {
            listen,
            connections: Arc::clone(&connections),
            builder: Arc::new(builder),
            tasks: TaskTracker::new(),
            told: Arc::new(Semaphore::new(overshoot(limits.connections))),
        };
        tokio::select! {
            () = stopping.cancelled() => {}
            () = accepting.accept(&listener) => {}
        }
        drop(listener);
        connections.send_all_away(Leave::Drained);
        accepting.tasks.close();
        tokio::select! {
            () = accepting.tasks.wait() => return,
            () = hard.cancelled() => {}
        }
        connections.send_all_away(Leave::Dropped);
        accepting.tasks.wait().await;
    };
    tokio::select! {
        () = ticking => {}
        () = serving => {}
    }
}

impl Accepting {
    /// Takes connections for ever.
    async fn accept(&self, listener: &TcpListener) {
        let mut told = false;
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    told = false;
                    self.take(stream, peer.ip());
                }
                Err(error) if is_of_the_client(&error) => {}
                Err(error) => {
                    if !told {
                        tracing::error!(error = %error, "no connection can be taken; tried again as others end");
                    }
                    told = true;
                    self.connections.send_idle_away();
                    tokio::select! {
                        () = self.connections.freed() => {}
                        () = self.listen.clock.pause(ACCEPT_AGAIN) => {}
                    }
                }
            }
        }
    }

    fn take(&self, stream: TcpStream, peer: IpAddr) {
        let (door, builder) = (Arc::clone(&self.listen.door), Arc::clone(&self.builder));
        match (self.connections.admit(), &self.listen.tls) {
            (Some(place), None) => drop(self.tasks.spawn(converse(stream, place, door, peer, builder))),
            (Some(place), Some(tls)) => drop(self.tasks.spawn(greet(stream, place, door, peer, builder, Arc::clone(tls)))),
            (None, tls) => {
                let answer = door.unread(Unread::Crowded, peer);
                // Who waits for a handshake can be told nothing before it.
                if tls.is_some() {
                    return;
                }
                match Arc::clone(&self.told).try_acquire_owned() {
                    Ok(permit) => drop(self.tasks.spawn(async move {
                        hear_and_refuse(stream, &answer).await;
                        drop(permit);
                    })),
                    Err(_none) => {
                        if let Err(error) = refuse_at_once(stream, &answer) {
                            tracing::debug!(error = %error, "a connection too many went away untold");
                        }
                    }
                }
            }
        }
    }
}

/// The handshake, and what comes after it.
async fn greet(stream: TcpStream, place: Place, door: Arc<Door>, peer: IpAddr, builder: Arc<Builder>, tls: Arc<Tls>) {
    let connection = Arc::clone(&place.0);
    connection.greets();
    let greeting = async {
        // A handshake begins with the byte 22, a request in clear text with a letter.
        let mut first = [0];
        stream.peek(&mut first).await?;
        if first.first().is_some_and(u8::is_ascii_alphabetic) {
            return Ok(Err(stream));
        }
        tls.acceptor().accept(stream).await.map(Ok)
    };
    let greeted: io::Result<_> = tokio::select! {
        greeted = greeting => greeted,
        _leave = connection.must_leave(None) => return,
    };
    match greeted {
        Ok(Ok(stream)) => {
            connection.rests();
            converse(stream, place, door, peer, builder).await;
        }
        Ok(Err(stream)) => refuse(stream, &door.unread(Unread::Plain, peer)).await,
        Err(error) => tracing::debug!(error = %error, sender = %peer, "a TLS handshake failed"),
    }
}

/// Whether one client went away, which says nothing about the next.
fn is_of_the_client(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}

/// The listener's URL as a client on this machine would write it.
pub(super) fn url(config: &Config, mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    format!("{scheme}://{address}")
}
