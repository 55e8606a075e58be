//! One end of a TCP connection: a state machine that takes segments and gives segments.
//!
//! Real: the handshake, numbers, windows, retransmission with growing pauses, FIN in both
//! directions, RST. Left out: congestion control, options, TIME_WAIT.

use crate::error::NetError;
use crate::limits;
use crate::packet::{Flags, Segment};
use crate::socket::SockId;
use naru_sim::Time;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

/// Retransmissions of SYN. Linux: `net.ipv4.tcp_syn_retries`; gives up after 127 s.
const SYN_RETRIES: u32 = 6;
/// Retransmissions of SYN and ACK. Linux: `net.ipv4.tcp_synack_retries`.
const SYN_ACK_RETRIES: u32 = 5;
/// Retransmissions of data. Linux: `net.ipv4.tcp_retries2`; gives up after about 15 minutes.
const DATA_RETRIES: u32 = 15;
/// The first pause before SYN is sent again.
const SYN_PAUSE: Duration = Duration::from_secs(1);
/// The first pause before data is sent again.
const DATA_PAUSE: Duration = Duration::from_millis(200);
/// Retransmissions after which the pause between probes of a closed window grows no more.
const PROBES_MAX: u32 = 8;
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(120);
/// How long a closed end waits for the other side's goodbye. Linux: `net.ipv4.tcp_fin_timeout`.
const FIN_TIMEOUT: Duration = Duration::from_secs(60);

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    SynSent,
    SynReceived,
    Open,
    /// Over: by goodbyes in both directions, or by an error.
    Closed,
}

/// One end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Tcp {
    pub local: SocketAddr,
    pub remote: SocketAddr,
    pub state: State,
    /// The listener that this connection came to, until it is accepted.
    pub listener: Option<SockId>,
    /// Why it is over, until the program was told.
    pub error: Option<NetError>,
    /// The program has closed it.
    pub orphan: bool,
    /// When something must be done if nothing comes.
    pub deadline: Option<Time>,
    /// Bytes that were not acknowledged, or not sent, yet.
    outgoing: VecDeque<u8>,
    /// The first number not acknowledged.
    una: u64,
    /// The next number to send.
    next: u64,
    /// The highest number sent so far; greater than `next` after a loss.
    highest: u64,
    /// The number of FIN, once the program has closed.
    fin: Option<u64>,
    /// How much the other side can take in.
    window: u32,
    incoming: VecDeque<u8>,
    /// The next number expected.
    expected: u64,
    /// The other side has said goodbye.
    peer_closed: bool,
    retries: u32,
}

impl Tcp {
    /// A client's end; gives SYN.
    pub fn connect(
        local: SocketAddr,
        remote: SocketAddr,
        now: Time,
        out: &mut Vec<Segment>,
    ) -> Tcp {
        let mut tcp = Tcp::new(local, remote, State::SynSent);
        tcp.send_syn(now, out);
        tcp
    }

    /// A server's end, made by SYN; gives SYN and ACK.
    pub fn accept(
        local: SocketAddr,
        remote: SocketAddr,
        syn: &Segment,
        now: Time,
        out: &mut Vec<Segment>,
    ) -> Tcp {
        let mut tcp = Tcp::new(local, remote, State::SynReceived);
        tcp.expected = syn.seq + 1;
        tcp.window = syn.window;
        tcp.send_syn(now, out);
        tcp
    }

    fn new(local: SocketAddr, remote: SocketAddr, state: State) -> Tcp {
        Tcp {
            local,
            remote,
            state,
            listener: None,
            error: None,
            orphan: false,
            deadline: None,
            outgoing: VecDeque::new(),
            una: 0,
            next: 0,
            highest: 0,
            fin: None,
            window: 0,
            incoming: VecDeque::new(),
            expected: 0,
            peer_closed: false,
            retries: 0,
        }
    }

    /// Whether nothing is left to be done, so that the socket can be forgotten once its program
    /// has closed it.
    pub fn is_over(&self) -> bool {
        self.state == State::Closed
    }

    /// Whether something was sent again.
    pub fn has_retried(&self) -> bool {
        self.retries > 0
    }

    /// As `ss` and `netstat` name the state.
    pub fn state_name(&self) -> &'static str {
        let fin_acknowledged = self.fin.is_some_and(|fin| self.una > fin);
        match (self.state, self.fin.is_some(), self.peer_closed) {
            (State::SynSent, ..) => "SYN-SENT",
            (State::SynReceived, ..) => "SYN-RECV",
            (State::Closed, ..) => "CLOSED",
            (State::Open, false, false) => "ESTAB",
            (State::Open, false, true) => "CLOSE-WAIT",
            (State::Open, true, true) => "LAST-ACK",
            (State::Open, true, false) if fin_acknowledged => "FIN-WAIT-2",
            (State::Open, true, false) => "FIN-WAIT-1",
        }
    }

    /// Bytes that wait to be read, and bytes that wait to be acknowledged.
    pub fn queues(&self) -> (usize, usize) {
        (self.incoming.len(), self.outgoing.len())
    }

    /// Takes bytes from the program.
    pub fn send(
        &mut self,
        bytes: &[u8],
        now: Time,
        out: &mut Vec<Segment>,
    ) -> Result<usize, NetError> {
        match self.state {
            State::SynSent | State::SynReceived => return Err(NetError::Again),
            State::Closed => return Err(self.error.take().unwrap_or(NetError::Pipe)),
            State::Open if self.fin.is_some() => return Err(NetError::Pipe),
            State::Open => {}
        }
        let room = limits::TCP_BUFFER_MAX.saturating_sub(self.outgoing.len());
        let taken = bytes.len().min(room);
        if taken == 0 && !bytes.is_empty() {
            return Err(NetError::Again);
        }
        self.outgoing.extend(bytes.get(..taken).unwrap_or_default());
        self.transmit(usize::MAX, now, out);
        Ok(taken)
    }

    /// Gives bytes to the program; empty after the other side's goodbye.
    pub fn recv(&mut self, max: usize, out: &mut Vec<Segment>) -> Result<Vec<u8>, NetError> {
        if self.incoming.is_empty() {
            return match self.state {
                _ if self.peer_closed => Ok(Vec::new()),
                State::Closed => self.error.take().map_or(Ok(Vec::new()), Err),
                _ => Err(NetError::Again),
            };
        }
        let before = self.room();
        let taken = self.incoming.len().min(max);
        let bytes = match taken == self.incoming.len() {
            true => Vec::from(std::mem::take(&mut self.incoming)),
            false => self.incoming.drain(..taken).collect(),
        };
        let small = limits::TCP_SEGMENT_MAX as u32;
        if self.state == State::Open && before < small && self.room() >= small {
            out.push(self.ack());
        }
        Ok(bytes)
    }

    /// The program has no more to send and will not read.
    pub fn close(&mut self, now: Time, out: &mut Vec<Segment>) {
        self.orphan = true;
        match self.state {
            State::SynSent | State::Closed => self.end(None),
            State::SynReceived => self.abort(out),
            State::Open => self.shutdown(now, out),
        }
    }

    /// The program has no more to send, but may go on reading.
    pub fn shutdown(&mut self, now: Time, out: &mut Vec<Segment>) {
        if self.state == State::Open {
            self.fin.get_or_insert(self.una.max(1) + self.outgoing.len() as u64);
            self.transmit(usize::MAX, now, out);
        }
    }

    /// Ends the connection at once and tells the other side.
    pub fn abort(&mut self, out: &mut Vec<Segment>) {
        if matches!(self.state, State::Open | State::SynReceived) {
            let flags = Flags { rst: true, ack: true, ..Flags::default() };
            out.push(Segment { flags, seq: self.next, ack: self.expected, ..Segment::default() });
        }
        self.end(None);
    }

    /// An ICMP error came about this connection. Only an attempt to connect fails by it; a
    /// standing connection tries again.
    pub fn unreachable(&mut self, error: NetError) {
        if matches!(self.state, State::SynSent | State::SynReceived) {
            self.end(Some(error));
        }
    }

    fn end(&mut self, error: Option<NetError>) {
        self.state = State::Closed;
        self.deadline = None;
        self.error = self.error.or(error);
    }

    /// A segment came.
    pub fn segment(&mut self, segment: Segment, now: Time, out: &mut Vec<Segment>) {
        match self.state {
            State::Closed => {}
            _ if segment.flags.rst => self.reset(&segment),
            State::SynSent => self.answered(&segment, now, out),
            State::SynReceived if segment.flags.syn => self.send_syn_again(out),
            State::SynReceived if segment.flags.ack && segment.ack == 1 => {
                self.open(&segment);
                self.talk(segment, now, out);
            }
            State::SynReceived => {}
            State::Open if segment.flags.syn => out.push(self.ack()),
            State::Open => self.talk(segment, now, out),
        }
    }

    fn reset(&mut self, segment: &Segment) {
        let error = match self.state {
            State::SynSent if segment.ack == self.next => NetError::Refused,
            State::SynSent => return,
            _ => NetError::Reset,
        };
        self.incoming.clear();
        self.end(Some(error));
    }

    /// The answer to SYN came.
    fn answered(&mut self, segment: &Segment, now: Time, out: &mut Vec<Segment>) {
        if segment.flags.syn && segment.flags.ack && segment.ack == 1 {
            self.expected = segment.seq + 1;
            self.open(segment);
            out.push(self.ack());
            self.transmit(usize::MAX, now, out);
        }
    }

    fn open(&mut self, segment: &Segment) {
        self.state = State::Open;
        self.una = 1;
        self.window = segment.window;
        self.retries = 0;
        self.deadline = None;
    }

    fn talk(&mut self, segment: Segment, now: Time, out: &mut Vec<Segment>) {
        if segment.flags.ack {
            self.acknowledged(&segment);
        }
        let length = segment.length();
        if self.orphan && !segment.data.is_empty() && segment.seq + length > self.expected {
            // Nobody will read it.
            return self.abort(out);
        }
        if length > 0 {
            self.take_in(&segment);
        }
        let sent_before = out.len();
        self.transmit(usize::MAX, now, out);
        if length > 0 && out.len() == sent_before {
            out.push(self.ack());
        }
        let fin_acknowledged = self.fin.is_some_and(|fin| self.una > fin);
        if fin_acknowledged && self.peer_closed {
            self.end(None);
        }
    }

    fn acknowledged(&mut self, segment: &Segment) {
        if segment.ack > self.highest || segment.ack < self.una {
            return;
        }
        self.window = segment.window;
        if segment.ack == self.una {
            if self.window == 0 {
                // It lives and cannot take in more: go on asking, but never give up.
                self.retries = self.retries.min(PROBES_MAX);
            }
            return;
        }
        let data = usize::try_from(segment.ack - self.una).unwrap_or(usize::MAX);
        self.outgoing.drain(..data.min(self.outgoing.len()));
        self.una = segment.ack;
        self.next = self.next.max(self.una);
        self.retries = 0;
        self.deadline = None;
    }

    /// Takes in what is next in order. What comes out of order is sent again by the other side.
    fn take_in(&mut self, segment: &Segment) {
        let Some(known) = self.expected.checked_sub(segment.seq) else { return };
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        let fresh = segment.data.get(known.min(segment.data.len())..).unwrap_or_default();
        let room = self.room() as usize;
        self.incoming.extend(fresh.get(..room).unwrap_or(fresh));
        self.expected += fresh.len().min(room) as u64;
        let all = segment.seq + segment.data.len() as u64;
        if segment.flags.fin && self.expected == all && !self.peer_closed {
            self.peer_closed = true;
            self.expected += 1;
        }
    }

    /// Room for data that comes.
    fn room(&self) -> u32 {
        limits::TCP_BUFFER_MAX.saturating_sub(self.incoming.len()) as u32
    }

    /// Where the program's data ends.
    fn data_end(&self) -> u64 {
        match self.fin {
            Some(fin) => fin,
            None => self.una.max(1) + self.outgoing.len() as u64,
        }
    }

    /// Sends what the other side can take in, at most so many segments, and sets the timer.
    fn transmit(&mut self, segments_max: usize, now: Time, out: &mut Vec<Segment>) {
        if self.state != State::Open {
            return;
        }
        for _ in 0..segments_max {
            let Some(segment) = self.next_segment(0) else { break };
            self.next += segment.length();
            self.highest = self.highest.max(self.next);
            out.push(segment);
        }
        let waiting = self.next < self.data_end() || self.una < self.next;
        let half_closed = self.fin.is_some_and(|fin| self.una > fin) && !self.peer_closed;
        if waiting {
            self.deadline.get_or_insert(now + pause(DATA_PAUSE, self.retries));
        } else if half_closed {
            self.deadline.get_or_insert(now + FIN_TIMEOUT);
        } else {
            self.deadline = None;
        }
    }

    /// The next segment with data or FIN, if the window (or `force` bytes more) has room for it.
    fn next_segment(&self, force: u64) -> Option<Segment> {
        let end = self.data_end();
        let flags = Flags { ack: true, ..Flags::default() };
        let segment = Segment { flags, seq: self.next, ..self.ack() };
        if self.next < end {
            let room = (self.una + u64::from(self.window)).saturating_sub(self.next).max(force);
            let length = (end - self.next).min(room).min(limits::TCP_SEGMENT_MAX as u64);
            let from = usize::try_from(self.next - self.una.max(1)).ok()?;
            let upto = from + usize::try_from(length).ok()?;
            let data = copied(&self.outgoing, from..upto.min(self.outgoing.len()));
            let flags = Flags { psh: self.next + length == end, ..flags };
            return (length > 0).then_some(Segment { flags, data, ..segment });
        }
        let fin = self.fin.filter(|fin| self.next == *fin)?;
        Some(Segment { flags: Flags { fin: true, ..flags }, seq: fin, ..segment })
    }

    fn ack(&self) -> Segment {
        Segment {
            flags: Flags { ack: true, ..Flags::default() },
            seq: self.next,
            ack: self.expected,
            window: self.room(),
            data: Vec::new(),
        }
    }

    fn send_syn(&mut self, now: Time, out: &mut Vec<Segment>) {
        self.next = 1;
        self.highest = 1;
        self.deadline = Some(now + pause(SYN_PAUSE, self.retries));
        self.send_syn_again(out);
    }

    fn send_syn_again(&self, out: &mut Vec<Segment>) {
        let ack = self.state == State::SynReceived;
        let flags = Flags { syn: true, ack, ..Flags::default() };
        out.push(Segment { flags, seq: 0, ..self.ack() });
    }

    /// The deadline has come.
    pub fn timer(&mut self, now: Time, out: &mut Vec<Segment>) {
        self.deadline = None;
        let retries_max = match self.state {
            State::SynSent => SYN_RETRIES,
            State::SynReceived => SYN_ACK_RETRIES,
            State::Open => DATA_RETRIES,
            State::Closed => return,
        };
        let outstanding = self.una < self.next || self.next < self.data_end();
        if self.state == State::Open && !outstanding {
            // The other side did not say goodbye in time.
            return self.end(None);
        }
        if self.retries >= retries_max {
            return self.end(Some(NetError::TimedOut));
        }
        self.retries += 1;
        if self.state == State::Open {
            self.send_again(now, out);
        } else {
            self.send_syn(now, out);
        }
    }

    /// Sends the first segment that was not acknowledged; with a closed window, one byte as a
    /// probe.
    fn send_again(&mut self, now: Time, out: &mut Vec<Segment>) {
        self.next = self.una;
        if let Some(segment) = self.next_segment(1) {
            self.next += segment.length();
            self.highest = self.highest.max(self.next);
            out.push(segment);
        }
        self.deadline = Some(now + pause(DATA_PAUSE, self.retries));
    }
}

/// A stretch of the bytes, by its two halves: one after the other would take much longer.
fn copied(bytes: &VecDeque<u8>, stretch: Range<usize>) -> Vec<u8> {
    let (first, second) = bytes.as_slices();
    let of_first = first.get(stretch.start..stretch.end.min(first.len())).unwrap_or_default();
    let past = |at: usize| at.saturating_sub(first.len());
    let of_second = second.get(past(stretch.start)..past(stretch.end)).unwrap_or_default();
    [of_first, of_second].concat()
}

/// The pause after so many retransmissions.
fn pause(first: Duration, retries: u32) -> Duration {
    first.saturating_mul(1 << retries.min(16)).min(PAUSE_MAX)
}

/// The answer to a segment that belongs to no connection; none to RST.
pub(crate) fn refusal(segment: &Segment) -> Option<Segment> {
    if segment.flags.rst {
        return None;
    }
    let (seq, ack) = match segment.flags.ack {
        true => (segment.ack, 0),
        false => (0, segment.seq + segment.length()),
    };
    let flags = Flags { rst: true, ack: !segment.flags.ack, ..Flags::default() };
    Some(Segment { flags, seq, ack, ..Segment::default() })
}
