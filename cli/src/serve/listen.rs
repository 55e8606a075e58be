//! Accepting connections: TLS or plain, HTTP/1.1 or HTTP/2, bounded in number and in time.

use super::http::{self, Front};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// Connections at once.
const CONNECTIONS_MAX: usize = 1_000;
/// How long a client may take to begin, and to write a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take to take anything.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Headers of a request.
const HEADERS_MAX: usize = 100;
/// Requests of one HTTP/2 connection at once: upstream's default.
const STREAMS_MAX: u32 = 100;
/// The first byte of a TLS connection.
const TLS_HANDSHAKE: u8 = 0x16;

/// Takes connections for ever.
pub async fn accept(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    tls_only: bool,
    front: Arc<Front>,
) {
    let acceptor = TlsAcceptor::from(tls);
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Too many open files: others have to end first.
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (acceptor, front) = (acceptor.clone(), Arc::clone(&front));
        tokio::spawn(async move {
            let _permit = permit;
            connection(stream, acceptor, tls_only, front).await;
        });
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, tls_only: bool, front: Arc<Front>) {
    // Small answers are not held back; what cannot be set is as it was.
    let _ = stream.set_nodelay(true);
    let mut first = [0];
    let Ok(Ok(1)) = timeout(HEAD_TIMEOUT, stream.peek(&mut first)).await else { return };
    if first == [TLS_HANDSHAKE] {
        if let Ok(Ok(stream)) = timeout(HEAD_TIMEOUT, acceptor.accept(stream)).await {
            let shown = stream.get_ref().1.peer_certificates().and_then(|all| all.first());
            let certificate = shown.map(|shown| shown.to_vec()).unwrap_or_default();
            exchange(stream, front, certificate.into()).await;
        }
    } else if !tls_only {
        exchange(stream, front, Arc::default()).await;
    }
}

async fn exchange<S>(stream: S, front: Arc<Front>, certificate: Arc<[u8]>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = service_fn(move |request| {
        http::serve(Arc::clone(&front), Arc::clone(&certificate), request)
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(15))
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX as u32);
    let io = TokioIo::new(Impatient { inner: stream, waits: None });
    // What breaks a connection is the client's to know.
    let _ = builder.serve_connection_with_upgrades(io, service).await;
}

/// A connection that breaks when its client takes nothing for too long.
struct Impatient<S> {
    inner: S,
    /// Runs while a write waits.
    waits: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncWrite + Unpin> Impatient<S> {
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waits = None;
            return written;
        }
        let waits = self.waits.get_or_insert_with(|| Box::pin(sleep(WRITE_TIMEOUT)));
        ready!(waits.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(context);
        self.watch(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.inner).poll_shutdown(context);
        self.watch(context, shut)
    }
}
