//! A word for the configuration in force: two speakers that show the same one serve the same configuration.
//!
//! It is made of what the configuration says of itself in `Debug`, which leaves secrets out, so it tells programs of
//! one version apart and is no protection against people.

use std::fmt::Write;

use ringbolt_config::Checksum;
use ringbolt_config::model::Config;

#[cfg(test)]
mod tests;

/// Sixteen hexadecimal digits.
pub(crate) fn fingerprint(config: &Config) -> String {
    let mut sum = Checksum::new();
    // Neither side can fail.
    let _ = write!(sum, "{config:?}");
    format!("{:016x}", sum.value())
}
