//! A relay between a client and its server that spoils chosen messages of the client, and keeps the framing legal:
//! what arrives is a message that NATS has no fault to find with.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What happens to the message that was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// One bit of its payload is another.
    FlipBit,
    /// The second half of its payload is missing.
    Shorten,
    /// It passes twice.
    Repeat,
    /// It passes after the next message on its subject.
    Delay,
}

/// A relay on a port of its own. It ends with the connections it carries.
#[derive(Debug)]
pub(crate) struct Relay {
    port: u16,
    plan: Arc<Mutex<Plan>>,
}

#[derive(Debug, Default)]
struct Plan {
    subject: String,
    /// How many messages on the subject pass before the fault.
    sound: u32,
    fault: Option<Fault>,
    done: u32,
}

impl Relay {
    /// Relays to the server on `port`, for now without any fault.
    #[track_caller]
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("port for a relay");
        let (own, plan) = (listener.local_addr().expect("address of a relay").port(), Arc::default());
        let shared = Arc::clone(&plan);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                carry(client, server, Arc::clone(&shared));
            }
        });
        Self { port: own, plan }
    }

    /// Where a client connects.
    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Of the messages on `subject` from now on, `sound` pass as they are, and the next has this fault.
    pub(crate) fn spoil(&self, subject: &str, sound: u32, fault: Fault) {
        *self.plan.lock().unwrap() = Plan { subject: subject.to_owned(), sound, fault: Some(fault), done: 0 };
    }

    /// How many messages were spoilt.
    pub(crate) fn spoilt(&self) -> u32 {
        self.plan.lock().unwrap().done
    }
}

/// Carries one connection, on two threads that end with it.
fn carry(client: TcpStream, server: TcpStream, plan: Arc<Mutex<Plan>>) {
    // Two small writes must not wait for each other.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (Ok(mut to_client), Ok(mut from_server)) = (client.try_clone(), server.try_clone()) else { return };
    thread::spawn(move || {
        let _ = std::io::copy(&mut from_server, &mut to_client);
        let _ = to_client.shutdown(std::net::Shutdown::Both);
    });
    thread::spawn(move || {
        let closing = server.try_clone();
        // Ends with an error when either side is gone, and then there is nobody to tell.
        let _ = pass(client, server, &plan);
        if let Ok(server) = closing {
            let _ = server.shutdown(std::net::Shutdown::Both);
        }
    });
}

/// Passes what the client says, one protocol message at a time.
fn pass(client: TcpStream, mut server: TcpStream, plan: &Mutex<Plan>) -> std::io::Result<()> {
    let mut client = BufReader::new(client);
    let mut held: Option<Vec<u8>> = None;
    loop {
        let mut line = Vec::new();
        if client.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let Some(mut message) = Publish::read(&line, &mut client)? else {
            server.write_all(&line)?;
            continue;
        };
        let (ours, fault) = plan.lock().unwrap().choose(&message.subject);
        match fault {
            Some(Fault::FlipBit) => {
                if let Some(byte) = message.payload.last_mut() {
                    *byte ^= 1;
                }
            }
            Some(Fault::Shorten) => message.payload.truncate(message.payload.len() / 2),
            Some(Fault::Repeat) => server.write_all(&message.encode())?,
            Some(Fault::Delay) => {
                held = Some(message.encode());
                continue;
            }
            None => {}
        }
        server.write_all(&message.encode())?;
        if ours && let Some(late) = held.take() {
            server.write_all(&late)?;
        }
    }
}

impl Plan {
    /// Whether a message is on the subject, and what is to happen to it.
    fn choose(&mut self, subject: &str) -> (bool, Option<Fault>) {
        if subject != self.subject {
            return (false, None);
        }
        if self.sound > 0 {
            self.sound -= 1;
            return (true, None);
        }
        let fault = self.fault.take();
        self.done += u32::from(fault.is_some());
        (true, fault)
    }
}

/// `PUB` or `HPUB`, with what follows its line.
struct Publish {
    subject: String,
    reply: Option<String>,
    /// `None`: a plain `PUB`.
    headers: Option<Vec<u8>>,
    payload: Vec<u8>,
}

impl Publish {
    /// `None` where the line is of another kind.
    fn read(line: &[u8], rest: &mut impl Read) -> std::io::Result<Option<Self>> {
        let text = String::from_utf8_lossy(line);
        let mut words = text.split_ascii_whitespace();
        let with_headers = match words.next() {
            Some("PUB") => false,
            Some("HPUB") => true,
            _ => return Ok(None),
        };
        let words: Vec<&str> = words.collect();
        let sizes = if with_headers { 2 } else { 1 };
        let size = |word: &str| word.parse::<usize>().map_err(std::io::Error::other);
        let (names, numbers) = words.split_at(words.len() - sizes);
        let total = size(numbers[sizes - 1])?;
        let header_size = if with_headers { size(numbers[0])? } else { 0 };
        let mut body = vec![0; total + 2];
        rest.read_exact(&mut body)?;
        body.truncate(total);
        let payload = body.split_off(header_size);
        Ok(Some(Self {
            subject: names[0].to_owned(),
            reply: names.get(1).map(ToString::to_string),
            headers: with_headers.then_some(body),
            payload,
        }))
    }

    fn encode(&self) -> Vec<u8> {
        let reply = self.reply.as_ref().map_or_else(String::new, |reply| format!("{reply} "));
        let headers = self.headers.as_deref().unwrap_or_default();
        let total = headers.len() + self.payload.len();
        let line = match &self.headers {
            Some(headers) => format!("HPUB {} {reply}{} {total}\r\n", self.subject, headers.len()),
            None => format!("PUB {} {reply}{total}\r\n", self.subject),
        };
        [line.as_bytes(), headers, &self.payload, b"\r\n"].concat()
    }
}
