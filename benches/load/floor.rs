//! What everything is compared with: an axum handler that parses the JSON and answers 202. And the
//! sink: the other side of calls, as quick as axum is.

use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use http::StatusCode;

/// Serves on a free port and says which, until its standard input ends.
pub(crate) fn serve<H, T>(handler: H)
where
    H: axum::handler::Handler<T, ()>,
    T: 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        let router: Router = Router::new().route("/{*path}", post(handler));
        let parent = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
        tokio::select! {
            served = axum::serve(listener, router) => served.unwrap(),
            _ended = parent => {}
        }
    });
}

/// Reads the body as JSON and answers 202.
pub(crate) async fn parse(body: Bytes) -> StatusCode {
    match serde_json::from_slice::<serde_json::Value>(&body) {
        Ok(_) => StatusCode::ACCEPTED,
        Err(_) => StatusCode::BAD_REQUEST,
    }
}

/// Answers a call.
pub(crate) async fn answer(_body: Bytes) -> ([(&'static str, &'static str); 1], &'static str) {
    ([("content-type", "application/json")], r#"{"id":"42","ok":true}"#)
}
