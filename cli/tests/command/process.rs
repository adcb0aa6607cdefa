//! Processes of the command under test: those that answer and leave, and those that run until told
//! to end. Waiting is for a line of output, with a bound; nothing sleeps.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take on a machine that is busy with other tests.
const LIMIT: Duration = Duration::from_secs(40);

/// The command, without what the environment of this process would tell it.
pub(crate) fn ringbolt(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringbolt"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RINGBOLT_") {
            command.env_remove(name);
        }
    }
    // Nor a cluster that the person at this machine works with.
    command
        .env_remove("KUBECONFIG")
        .env_remove("KUBERNETES_SERVICE_HOST")
        .env("HOME", "/nonexistent");
    command
        .args(arguments)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    command
}

/// What a command says that answers and leaves.
pub(crate) struct Answer {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs a command to its end.
pub(crate) fn answer(arguments: &[&str]) -> Answer {
    let Output {
        status,
        stdout,
        stderr,
    } = ringbolt(arguments).output().expect("the command starts");
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    Answer {
        code: status.code(),
        out: text(stdout),
        err: text(stderr),
    }
}

/// Lines as they come, and whether more may come.
#[derive(Default)]
struct Heard {
    lines: Vec<String>,
    ended: bool,
}

/// A process that runs until it is told to end; killed when a test drops it.
pub(crate) struct Running {
    child: Child,
    heard: Arc<(Mutex<Heard>, Condvar)>,
}

impl Running {
    /// A daemon; what it logs is heard, one JSON object per line.
    pub(crate) fn daemon(arguments: &[&str]) -> Self {
        let mut command = ringbolt(arguments);
        command
            .args(["--log-format", "json"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the daemon starts");
        let log = child.stderr.take().expect("it is piped");
        Self {
            heard: hear(log),
            child,
        }
    }

    /// A command that goes on printing; what it prints is heard.
    pub(crate) fn printing(arguments: &[&str]) -> Self {
        let mut command = ringbolt(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().expect("the command starts");
        let output = child.stdout.take().expect("it is piped");
        Self {
            heard: hear(output),
            child,
        }
    }

    /// Waits until `found` finds something in the lines so far.
    pub(crate) fn wait<T>(&self, what: &str, found: impl Fn(&[String]) -> Option<T>) -> T {
        let (heard, changed) = &*self.heard;
        let mut answer = None;
        let guard = heard.lock().expect("the reader does not panic");
        let (guard, _) = changed
            .wait_timeout_while(guard, LIMIT, |heard| {
                answer = found(&heard.lines);
                answer.is_none() && !heard.ended
            })
            .expect("the reader does not panic");
        let lines = guard.lines.join("\n");
        drop(guard);
        answer.unwrap_or_else(|| panic!("no {what} in:\n{lines}"))
    }

    /// Waits for a log line with this message; its fields.
    pub(crate) fn wait_for_message(&self, message: &str) -> Value {
        self.wait(message, |lines| {
            let mut records = lines
                .iter()
                .filter_map(|line| serde_json::from_str(line).ok());
            records.find(|record: &Value| record["message"] == message)
        })
    }

    /// Waits until it serves HTTP; where.
    pub(crate) fn http(&self) -> SocketAddr {
        let record = self.wait_for_message("serving HTTP");
        record["address"]
            .as_str()
            .and_then(|text| text.parse().ok())
            .expect("an address and a port")
    }

    /// Waits for the last lines it printed to be exactly these.
    pub(crate) fn wait_for_tail(
        &self,
        expected: &[Vec<String>],
        cells: impl Fn(&str) -> Vec<String>,
    ) {
        self.wait(&format!("{expected:?}"), |lines| {
            let from = lines.len().checked_sub(expected.len())?;
            let tail = lines.get(from..)?;
            tail.iter()
                .map(|line| cells(line))
                .eq(expected.iter().cloned())
                .then_some(())
        });
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    /// SIGTERM, and how it ended.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        let told = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        assert!(
            told.is_ok_and(|status| status.success()),
            "it cannot be told to end"
        );
        let (heard, changed) = &*self.heard;
        let guard = heard.lock().expect("the reader does not panic");
        let (guard, _) = changed
            .wait_timeout_while(guard, LIMIT, |heard| !heard.ended)
            .expect("the reader does not panic");
        assert!(guard.ended, "it does not end:\n{}", guard.lines.join("\n"));
        drop(guard);
        self.child.wait().expect("it is our child")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already, which is as well.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn hear(stream: impl Read + Send + 'static) -> Arc<(Mutex<Heard>, Condvar)> {
    let heard: Arc<(Mutex<Heard>, Condvar)> = Arc::default();
    let shared = Arc::clone(&heard);
    thread::spawn(move || {
        let (heard, changed) = &*shared;
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            heard.lock().expect("waiters do not panic").lines.push(line);
            changed.notify_all();
        }
        heard.lock().expect("waiters do not panic").ended = true;
        changed.notify_all();
    });
    heard
}

/// Asks until the answer to `path` is this status code.
pub(crate) fn wait_for_code(address: SocketAddr, path: &str, code: u16) {
    let begin = Instant::now();
    while get(address, path).0 != code {
        assert!(
            begin.elapsed() < LIMIT,
            "{path} does not become {code}: {:?}",
            get(address, path)
        );
    }
}

/// Waits until the page says so: it follows what happens within a moment, not at once.
pub(crate) fn wait_for_page(address: SocketAddr, path: &str, part: &str) {
    let begin = Instant::now();
    loop {
        let (_, page) = get(address, path);
        if page.contains(part) {
            return;
        }
        assert!(begin.elapsed() < LIMIT, "{path} has no {part:?}: {page}");
    }
}

/// The status code and body of an HTTP answer.
pub(crate) fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect_timeout(&address, LIMIT).expect("somebody listens");
    stream
        .set_read_timeout(Some(LIMIT))
        .expect("the limit is not zero");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: ringbolt\r\nConnection: close\r\n\r\n"
    )
    .expect("it reads");
    let mut text = String::new();
    stream
        .read_to_string(&mut text)
        .expect("the answer is UTF-8 and ends");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let code = head
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .expect("a status code");
    (code, body.to_owned())
}
