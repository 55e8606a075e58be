//! `naru serve`: the cluster's API over HTTP, for real clients.

mod base64;
mod clock;
mod engine;
mod guard;
mod http;
mod kubeconfig;
mod listen;
mod protobuf;
mod spdy;
mod stream;
mod tls;
mod tunnel;

use clap::Args;
use clock::{Clock, Speed};
use engine::Engine;
use http::Front;
use naru_api::UserInfo;
use naru_apiserver::StaticToken;
use naru_cluster::{Cluster, Profile};
use naru_sim::Time;
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc as thread;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::oneshot;

/// To the thread that owns the cluster, and word of its end.
type Started = (thread::Sender<engine::Command>, oneshot::Receiver<()>);

/// Virtual time that a new cluster has behind it.
const BOOT_TIME: Duration = Duration::from_secs(60);

/// Arguments of `naru serve`.
#[derive(Args)]
pub struct Serve {
    /// The address to listen at.
    #[arg(long, default_value = "127.0.0.1:6443")]
    listen: SocketAddr,
    /// Take no connections but TLS; without it, plain HTTP is answered at the same port too.
    #[arg(long)]
    tls: bool,
    /// Listen at an address that other machines can reach; TLS only.
    #[arg(long, conflicts_with = "seed")]
    allow_remote: bool,
    /// Another name by which clients call this server.
    #[arg(long = "host-name", value_name = "NAME")]
    host_names: Vec<String>,
    /// The cluster to start with.
    #[arg(long, default_value = "kind")]
    profile: String,
    /// Virtual seconds that pass in a second.
    #[arg(long, default_value = "1", conflicts_with = "manual")]
    speed: Speed,
    /// Let time stand still, but for `POST /naru/advance?seconds=N`.
    #[arg(long)]
    manual: bool,
    /// Where to write the kubeconfig.
    #[arg(long, default_value = "naru.kubeconfig")]
    kubeconfig: PathBuf,
    /// Decides everything that is left to chance.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Serve {
    /// Serves until it is interrupted.
    pub fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        if !self.listen.ip().is_loopback() && !self.allow_remote {
            let why = "other machines can reach that address: say --allow-remote if they shall";
            return Err(why.into());
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(self.serve())?;
        Ok(ExitCode::SUCCESS)
    }

    async fn serve(self) -> Result<(), Box<dyn Error>> {
        let listener = tokio::net::TcpListener::bind(self.listen).await?;
        let address = listener.local_addr()?;
        let names = self.names(address.ip());
        let token = tls::random_token()?;
        let mut cluster = self.cluster()?;
        let tls = tls::config(cluster.pki(), &names, wall_time())?;
        let user = UserInfo::new("kubernetes-admin", &["kubeadm:cluster-admins"]);
        cluster.outside(|api| api.add_token(StaticToken { token: token.clone(), user }));
        cluster.carry_openapi(crate::openapi::schemas);
        let name = cluster.profile().context.clone();
        let server = format!("https://{}", reachable(address));
        let authority = cluster.pki().authority().certificate().to_pem();
        let text = kubeconfig::text(&name, &server, &authority, &token);
        kubeconfig::write(&self.kubeconfig, &text)?;
        let (engine, stopped) = self.start(cluster)?;
        let front = Arc::new(Front::new(engine, self.guard(), self.allow_remote));
        println!("Serving {name} at {server}");
        println!("kubectl --kubeconfig {} get nodes", self.kubeconfig.display());
        let tls_only = self.tls || self.allow_remote;
        tokio::select! {
            () = listen::accept(listener, tls, tls_only, front) => Ok(()),
            result = tokio::signal::ctrl_c() => Ok(result?),
            _ = stopped => Err("the cluster has stopped".into()),
        }
    }

    fn cluster(&self) -> Result<Cluster, Box<dyn Error>> {
        // Who can guess the seed can guess the cluster's keys.
        let seed = if self.allow_remote { random_seed()? } else { self.seed };
        // Clients tell ages by their own calendar; by hand, history shall be the same each time.
        let start = if self.manual { Time::ZERO } else { wall_time() - BOOT_TIME };
        Ok(Cluster::starting(&self.profile, seed, start)?)
    }

    /// Starts the thread that owns the cluster. The receiver tells when it has ended, which it
    /// does only by a fault.
    fn start(&self, cluster: Cluster) -> Result<Started, Box<dyn Error>> {
        let (sender, commands) = thread::channel();
        let speed = if self.manual { Speed::Manual } else { self.speed };
        let clock = Clock::new(speed, Instant::now(), cluster.now());
        let engine = Engine::new(cluster, clock, commands);
        let (alive, stopped) = oneshot::channel::<()>();
        std::thread::Builder::new().name("cluster".to_owned()).spawn(move || {
            let _alive = alive;
            engine.run();
        })?;
        Ok((sender, stopped))
    }

    fn guard(&self) -> guard::Names {
        guard::Names { extra: self.host_names.iter().map(|name| name.to_lowercase()).collect() }
    }

    /// What the certificate is for.
    fn names(&self, ip: IpAddr) -> Vec<String> {
        const KNOWN: [&str; 7] = [
            "localhost",
            "127.0.0.1",
            "::1",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
        ];
        let mut names: Vec<String> = KNOWN.map(str::to_owned).into();
        if let Some(profile) = Profile::by_name(&self.profile) {
            names.extend(profile.control_plane_ips().map(|ip| ip.to_string()));
        }
        names.push(ip.to_string());
        names.extend(self.host_names.iter().cloned());
        names.sort();
        names.dedup();
        names
    }
}

/// Where a client on this machine finds an address.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if !ip.is_unspecified() => address,
        IpAddr::V4(_) => SocketAddr::from(([127, 0, 0, 1], address.port())),
        IpAddr::V6(_) => SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, address.port())),
    }
}

/// Now, by the calendar of this machine.
fn wall_time() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let epoch = Duration::from_secs(Time::EPOCH_UNIX_SECONDS.unsigned_abs());
    Time::ZERO + since.saturating_sub(epoch)
}

fn random_seed() -> Result<u64, Box<dyn Error>> {
    let token = tls::random_token()?;
    let digits = token.get(..16).unwrap_or_default();
    Ok(u64::from_str_radix(digits, 16)?)
}
