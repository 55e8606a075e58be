//! One end of a connection.

use super::message::{self, Content, Message};
use super::verify::{verify_chain, verify_name};
use super::{Alert, TlsError, VerifyError, matches_name};
use crate::{Certificate, ExtendedUsage, PkiError, PrivateKey};
use naru_sim::{Rng, Time};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::sync::Arc;

/// A certificate to show, with the chain above it, and its key.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate, then who signed it, and so on.
    pub chain: Vec<Certificate>,
    /// The key of the first.
    pub key: PrivateKey,
}

/// Whom a client trusts.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Who can show a certificate that these vouch for.
    Roots(Arc<[Certificate]>),
    /// Everybody.
    Anyone,
}

/// How a client connects.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// The host that it wants, by name or by address.
    pub host: String,
    /// The protocols that it speaks, the best first: `http/1.1`.
    pub protocols: Vec<String>,
    /// Whom it trusts.
    pub trust: Trust,
    /// What it shows when it is asked.
    pub identity: Option<Identity>,
}

/// How a server answers.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// What it shows: the first whose names fit what the client wants, or the very first.
    pub identities: Vec<Identity>,
    /// The protocols that it speaks.
    pub protocols: Vec<String>,
    /// Whether clients are asked for a certificate, and by whom it may be signed: names in DER. Who did
    /// sign it is for the application to judge.
    pub asks_clients: Option<Vec<Vec<u8>>>,
}

/// How far a connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The two ends are getting to know each other.
    Handshake,
    /// Applications can speak.
    Open,
    /// The other end has said that it says no more.
    Closed,
    /// It cannot go on.
    Failed(TlsError),
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    ClientHello,
    ServerHello,
    EncryptedExtensions,
    Certificate,
    CertificateVerify,
    Finished,
    Nothing,
}

#[derive(Clone, Debug)]
enum Role {
    Client(ClientConfig),
    Server(Arc<ServerConfig>),
}

/// One end: bytes of the wire in and out, bytes of the application in and out.
#[derive(Clone, Debug)]
pub struct Connection {
    role: Role,
    state: State,
    expect: Expect,
    transcript: Sha256,
    /// From the wire, not yet whole records.
    wire: Vec<u8>,
    /// From records, not yet whole messages.
    messages: Vec<u8>,
    /// To the wire.
    output: Vec<u8>,
    /// From the other application.
    plain: Vec<u8>,
    /// What the application said before it could be sent.
    early: Vec<u8>,
    peer: Vec<Certificate>,
    /// By whom the certificate may be signed that the server asked for.
    asked: Option<Vec<Vec<u8>>>,
    /// Bytes of the handshake that came, and that were said.
    handshake_bytes: (usize, usize),
    server_name: String,
    protocol: Option<String>,
    verified: Result<(), VerifyError>,
    random: [u8; 32],
}

impl Connection {
    /// A client's end; its first words are ready to be sent.
    pub fn client(config: ClientConfig, rng: &mut Rng) -> Self {
        let is_address = config.host.parse::<IpAddr>().is_ok();
        let server_name = if is_address { String::new() } else { config.host.clone() };
        let protocols = config.protocols.clone();
        let mut connection = Connection::new(Role::Client(config), Expect::ServerHello, rng);
        let random = connection.random;
        connection.server_name.clone_from(&server_name);
        connection.say(&Message::ClientHello { random, server_name, protocols });
        connection
    }

    /// A server's end.
    pub fn server(config: Arc<ServerConfig>, rng: &mut Rng) -> Self {
        Connection::new(Role::Server(config), Expect::ClientHello, rng)
    }

    fn new(role: Role, expect: Expect, rng: &mut Rng) -> Self {
        let mut random = [0; 32];
        rng.fill(&mut random);
        Connection {
            role,
            state: State::Handshake,
            expect,
            transcript: Sha256::new(),
            wire: Vec::new(),
            messages: Vec::new(),
            output: Vec::new(),
            plain: Vec::new(),
            early: Vec::new(),
            peer: Vec::new(),
            asked: None,
            handshake_bytes: (0, 0),
            server_name: String::new(),
            protocol: None,
            verified: Ok(()),
            random,
        }
    }

    /// How far it is.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The certificates that the other end showed, its own first.
    pub fn peer_certificates(&self) -> &[Certificate] {
        &self.peer
    }

    /// What is wrong with the other end's certificate: a client that trusts anyone goes on.
    pub fn verified(&self) -> &Result<(), VerifyError> {
        &self.verified
    }

    /// The protocol that both ends speak.
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// Whether the server asked for a certificate.
    pub fn asked_for_certificate(&self) -> bool {
        self.asked.is_some()
    }

    /// By whom the certificate may be signed that the server asked for: names in DER; any, where there are
    /// none.
    pub fn acceptable_authorities(&self) -> &[Vec<u8>] {
        self.asked.as_deref().unwrap_or_default()
    }

    /// Bytes of the handshake: those that came, and those that were said.
    pub fn handshake_bytes(&self) -> (usize, usize) {
        self.handshake_bytes
    }

    /// The host that the client wants; "" when it gave an address.
    pub fn server_name(&self) -> &str {
        &self.server_name
    }

    /// Takes bytes of the wire.
    pub fn receive(&mut self, bytes: &[u8], now: Time) {
        if matches!(self.state, State::Failed(_)) {
            return;
        }
        if self.state == State::Handshake {
            self.handshake_bytes.0 += bytes.len();
        }
        self.wire.extend_from_slice(bytes);
        if let Err(error) = self.read_records(now) {
            self.fail(error);
        }
    }

    /// The bytes to put on the wire.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// What the other application said.
    pub fn take_plain(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.plain)
    }

    /// Says something to the other application; before the handshake is over it waits.
    pub fn send(&mut self, bytes: &[u8]) {
        if self.state == State::Handshake {
            self.early.extend_from_slice(bytes);
        } else {
            message::put_records(&mut self.output, Content::Application, bytes);
        }
    }

    /// Says that nothing more will be said.
    pub fn close(&mut self) {
        self.alert(Alert::CLOSE_NOTIFY);
    }

    fn alert(&mut self, alert: Alert) {
        let level = if alert == Alert::CLOSE_NOTIFY { 1 } else { 2 };
        message::put_records(&mut self.output, Content::Alert, &[level, alert.0]);
    }

    fn fail(&mut self, error: TlsError) {
        match &error {
            TlsError::NotTls(_) | TlsError::Alert(_) => {}
            TlsError::Protocol(_) => self.alert(Alert::UNEXPECTED_MESSAGE),
            TlsError::Certificate(error) => self.alert(match error {
                VerifyError::Other(PkiError::Expired(_)) => Alert::CERTIFICATE_EXPIRED,
                VerifyError::Name { .. } | VerifyError::Other(_) => Alert::BAD_CERTIFICATE,
                _ => Alert::UNKNOWN_CA,
            }),
        }
        self.state = State::Failed(error);
    }

    fn read_records(&mut self, now: Time) -> Result<(), TlsError> {
        while let Some((content, body)) = message::take_record(&mut self.wire)? {
            match content {
                Content::Alert => match body.get(1) {
                    Some(0) => self.state = State::Closed,
                    Some(code) => return Err(TlsError::Alert(Alert(*code))),
                    None => return Err(TlsError::Protocol("malformed alert")),
                },
                Content::Handshake => {
                    self.messages.extend_from_slice(&body);
                    self.read_messages(now)?;
                }
                Content::Application if self.state == State::Handshake => {
                    return Err(TlsError::Protocol("application data before the handshake"));
                }
                Content::Application => self.plain.extend_from_slice(&body),
            }
        }
        Ok(())
    }

    fn read_messages(&mut self, now: Time) -> Result<(), TlsError> {
        while let Some((message, bytes)) = Message::take(&mut self.messages)? {
            let before = self.digest();
            self.transcript.update(&bytes);
            self.take(message, before, now)?;
        }
        Ok(())
    }

    /// Everything said up to now, in 32 bytes.
    fn digest(&self) -> [u8; 32] {
        self.transcript.clone().finalize().into()
    }

    fn say(&mut self, message: &Message) {
        let bytes = message.encode();
        self.transcript.update(&bytes);
        let before = self.output.len();
        message::put_records(&mut self.output, Content::Handshake, &bytes);
        self.handshake_bytes.1 += self.output.len() - before;
    }

    /// `before` is the digest of what was said before this message.
    fn take(&mut self, message: Message, before: [u8; 32], now: Time) -> Result<(), TlsError> {
        match (self.expect, message) {
            (Expect::ClientHello, Message::ClientHello { server_name, protocols, .. }) => {
                self.server_name = server_name;
                self.answer_hello(&protocols)?;
            }
            (Expect::ServerHello, Message::ServerHello { .. }) => {
                self.expect = Expect::EncryptedExtensions;
            }
            (Expect::EncryptedExtensions, Message::EncryptedExtensions { protocol }) => {
                self.protocol = protocol;
                self.expect = Expect::Certificate;
            }
            (Expect::Certificate, Message::CertificateRequest { authorities }) => {
                self.asked = Some(authorities);
            }
            (Expect::Certificate, Message::Certificate(chain)) => self.take_chain(&chain, now)?,
            (Expect::CertificateVerify, Message::CertificateVerify(signature)) => {
                self.check_signature(&signature, before)?;
                self.expect = Expect::Finished;
            }
            (Expect::Finished, Message::Finished(digest)) => {
                if digest != before {
                    return Err(TlsError::Protocol("the two ends heard different things"));
                }
                self.finish();
            }
            _ => return Err(TlsError::Protocol("handshake message out of order")),
        }
        Ok(())
    }

    /// A server's side of the conversation, in one go.
    fn answer_hello(&mut self, protocols: &[String]) -> Result<(), TlsError> {
        let Role::Server(config) = &self.role else {
            return Err(TlsError::Protocol("client hello to a client"));
        };
        let config = Arc::clone(config);
        let fits = |identity: &&Identity| {
            let names = identity.chain.first().map(Certificate::dns_names).unwrap_or_default();
            names.iter().any(|name| matches_name(name, &self.server_name))
        };
        let identity = config.identities.iter().find(fits).or(config.identities.first());
        let identity = identity.ok_or(TlsError::Protocol("no certificate to show"))?;
        let spoken = protocols.iter().find(|wanted| config.protocols.contains(wanted));
        self.protocol = spoken.cloned();
        let (random, protocol) = (self.random, self.protocol.clone());
        self.say(&Message::ServerHello { random });
        self.say(&Message::EncryptedExtensions { protocol });
        if let Some(authorities) = config.asks_clients.clone() {
            self.say(&Message::CertificateRequest { authorities });
        }
        self.show(Some(identity));
        self.say_finished();
        self.expect =
            if config.asks_clients.is_some() { Expect::Certificate } else { Expect::Finished };
        Ok(())
    }

    /// Shows a certificate and proves that its key is here.
    fn show(&mut self, identity: Option<&Identity>) {
        let chain = identity.map(|identity| identity.chain.as_slice()).unwrap_or_default();
        self.say(&Message::Certificate(chain.iter().map(Certificate::to_der).collect()));
        if let Some(identity) = identity {
            let is_server = matches!(self.role, Role::Server(_));
            let signature = identity.key.sign_der(&signed(is_server, self.digest()));
            self.say(&Message::CertificateVerify(signature));
        }
    }

    fn say_finished(&mut self) {
        let digest = self.digest();
        self.say(&Message::Finished(digest));
    }

    fn take_chain(&mut self, chain: &[Vec<u8>], now: Time) -> Result<(), TlsError> {
        let malformed = TlsError::Protocol("malformed certificate");
        self.peer = message::certificates(chain).ok_or(malformed)?;
        self.expect = Expect::CertificateVerify;
        if let Role::Client(config) = &self.role {
            self.verified = judge(config, &self.peer, now);
            if let (Trust::Roots(_), Err(error)) = (&config.trust, &self.verified) {
                return Err(TlsError::Certificate(error.clone()));
            }
        } else if self.peer.is_empty() {
            self.expect = Expect::Finished;
        }
        Ok(())
    }

    fn check_signature(&self, signature: &[u8], before: [u8; 32]) -> Result<(), TlsError> {
        let by_server = matches!(self.role, Role::Client(_));
        let key = self.peer.first().map(Certificate::public_key);
        let good =
            matches!(key, Some(Ok(key)) if key.verify_der(&signed(by_server, before), signature));
        match good {
            true => Ok(()),
            false => Err(TlsError::Certificate(VerifyError::Other(PkiError::Signature))),
        }
    }

    /// The other end is done; a client has the last word.
    fn finish(&mut self) {
        self.expect = Expect::Nothing;
        if let Role::Client(config) = &self.role {
            let identity = config.identity.clone();
            if self.asked.is_some() {
                self.show(identity.as_ref());
            }
            self.say_finished();
        }
        self.state = State::Open;
        let early = std::mem::take(&mut self.early);
        self.send(&early);
    }
}

fn judge(config: &ClientConfig, chain: &[Certificate], now: Time) -> Result<(), VerifyError> {
    let roots = match &config.trust {
        Trust::Roots(roots) => roots.as_ref(),
        Trust::Anyone => &[],
    };
    let now = u64::try_from(now.unix_micros() / 1_000_000).unwrap_or(0);
    verify_chain(chain, roots, now, ExtendedUsage::ServerAuth)?;
    chain.first().map_or(Err(VerifyError::Missing), |leaf| verify_name(leaf, &config.host))
}

/// What a CertificateVerify signs (RFC 8446, section 4.4.3).
fn signed(by_server: bool, digest: [u8; 32]) -> Vec<u8> {
    let who = if by_server { "server" } else { "client" };
    let mut content = vec![b' '; 64];
    content.extend_from_slice(format!("TLS 1.3, {who} CertificateVerify").as_bytes());
    content.push(0);
    content.extend_from_slice(&digest);
    content
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Authority, Subject, Template, Validity};
    use std::time::Duration;

    const NOW: Time = Time::ZERO;
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

    fn authority(name: &str, rng: &mut Rng) -> Authority {
        let key = PrivateKey::generate(rng);
        Authority::new(name, key, Validity::starting(NOW, YEAR), rng).unwrap()
    }

    fn identity(
        authority: &Authority,
        names: &[&str],
        usage: ExtendedUsage,
        rng: &mut Rng,
    ) -> Identity {
        let key = PrivateKey::generate(rng);
        let template = Template {
            subject: Subject::new("naru", &[]),
            dns_names: names,
            ip_addresses: &[[10, 96, 0, 1].into()],
            usages: &[usage],
        };
        let validity = Validity::starting(NOW, YEAR);
        let certificate = authority.issue(&template, &key, validity, rng).unwrap();
        Identity { chain: vec![certificate], key }
    }

    fn client(host: &str, trust: Trust, identity: Option<Identity>) -> ClientConfig {
        ClientConfig {
            host: host.to_owned(),
            protocols: vec!["h2".to_owned(), "http/1.1".to_owned()],
            trust,
            identity,
        }
    }

    /// Lets two ends talk until both are silent.
    fn talk(client: &mut Connection, server: &mut Connection, now: Time) {
        loop {
            let (up, down) = (client.take_output(), server.take_output());
            if up.is_empty() && down.is_empty() {
                return;
            }
            server.receive(&up, now);
            client.receive(&down, now);
        }
    }

    struct Ends {
        rng: Rng,
        server: Arc<ServerConfig>,
        roots: Arc<[Certificate]>,
        client_identity: Identity,
    }

    fn ends() -> Ends {
        let mut rng = Rng::new(3);
        let ca = authority("kubernetes", &mut rng);
        let names = ["kubernetes", "*.naru.example"];
        let server = ServerConfig {
            identities: vec![identity(&ca, &names, ExtendedUsage::ServerAuth, &mut rng)],
            protocols: vec!["http/1.1".to_owned()],
            asks_clients: Some(Vec::new()),
        };
        let client_identity = identity(&ca, &[], ExtendedUsage::ClientAuth, &mut rng);
        let roots = Arc::from([ca.certificate().clone()]);
        Ends { server: Arc::new(server), roots, client_identity, rng }
    }

    #[test]
    fn two_ends_get_to_know_each_other() {
        let Ends { mut rng, server, roots, client_identity } = ends();
        for (host, shows) in [("kubernetes", true), ("a.naru.example", false), ("10.96.0.1", false)]
        {
            let shown = shows.then(|| client_identity.clone());
            let config = client(host, Trust::Roots(Arc::clone(&roots)), shown.clone());
            let mut client = Connection::client(config, &mut rng);
            let mut server = Connection::server(Arc::clone(&server), &mut rng);
            client.send(b"GET /");
            talk(&mut client, &mut server, NOW);
            assert_eq!((client.state(), server.state()), (&State::Open, &State::Open), "{host}");
            assert_eq!(server.take_plain(), b"GET /");
            server.send(b"200");
            server.close();
            talk(&mut client, &mut server, NOW);
            assert_eq!(client.take_plain(), b"200");
            assert_eq!(client.state(), &State::Closed);
            assert_eq!(client.protocol(), Some("http/1.1"));
            let seen = server.peer_certificates().first();
            assert_eq!(seen, shown.as_ref().and_then(|identity| identity.chain.first()));
        }
    }

    #[test]
    fn who_is_not_trusted_is_refused() {
        let Ends { mut rng, server, roots, .. } = ends();
        let other: Arc<[Certificate]> =
            Arc::from([authority("etcd-ca", &mut rng).certificate().clone()]);
        let name = |host: &str| {
            Some(format!("x509: certificate is valid for kubernetes, *.naru.example, not {host}"))
        };
        let unknown = Some("x509: certificate signed by unknown authority".to_owned());
        let later = NOW + 2 * YEAR;
        for (host, trust, now, expected) in [
            ("kubernetes", Trust::Roots(other), NOW, unknown),
            ("elsewhere", Trust::Roots(Arc::clone(&roots)), NOW, name("elsewhere")),
            ("elsewhere", Trust::Anyone, NOW, None),
        ] {
            let mut client = Connection::client(client(host, trust, None), &mut rng);
            let mut server = Connection::server(Arc::clone(&server), &mut rng);
            talk(&mut client, &mut server, now);
            let failed = match client.state() {
                State::Failed(TlsError::Certificate(error)) => Some(error.to_string()),
                _ => None,
            };
            assert_eq!(failed, expected);
            assert_eq!(
                matches!(server.state(), State::Failed(TlsError::Alert(_))),
                failed.is_some()
            );
        }
        let mut client =
            Connection::client(client("kubernetes", Trust::Roots(roots), None), &mut rng);
        let mut server = Connection::server(server, &mut rng);
        talk(&mut client, &mut server, later);
        let State::Failed(TlsError::Certificate(VerifyError::Other(error))) = client.state() else {
            unreachable!("{:?}", client.state())
        };
        assert!(matches!(error, PkiError::Expired(_)));
    }

    #[test]
    fn a_stolen_certificate_is_of_no_use() {
        let Ends { mut rng, server, roots, .. } = ends();
        let mut config = (*server).clone();
        config
            .identities
            .iter_mut()
            .for_each(|identity| identity.key = PrivateKey::generate(&mut rng));
        let mut client =
            Connection::client(client("kubernetes", Trust::Roots(roots), None), &mut rng);
        let mut server = Connection::server(Arc::new(config), &mut rng);
        talk(&mut client, &mut server, NOW);
        let error = TlsError::Certificate(VerifyError::Other(PkiError::Signature));
        assert_eq!(client.state(), &State::Failed(error));
    }
}
