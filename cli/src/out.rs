//! Writing to the two streams of a command. Owns the rule that a closed pipe is not an error
//! (`ringbolt status | head`); knows nothing of what is written.

use std::io::{self, Write};

/// Writes one block of text to standard output, with a newline at its end.
///
/// A reader that has gone away ends the program quietly, as every Unix tool does.
pub(crate) fn text(text: &str) {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| {
        if text.ends_with('\n') {
            Ok(())
        } else {
            stdout.write_all(b"\n")
        }
    });
    if written.and_then(|()| stdout.flush()).is_err() {
        std::process::exit(0);
    }
}

/// Writes one line to standard error. A closed standard error has nobody left to tell.
pub(crate) fn complain(line: &str) {
    let _nobody_reads = writeln!(io::stderr().lock(), "{line}");
}
