//! How many connections the system lets this process have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files of the store, calls in hand, and whatever else is opened.
const RESERVED: u64 = 256;
/// Fewer than this is not worth serving with.
const LEAST: usize = 8;

/// Asks for as many descriptors as this process may have.
pub(in super::super) fn raise() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::debug!(error = %error, "the limit of open files stays as it is");
    }
}

/// So many of the connections wanted fit.
pub(super) fn connections(wanted: usize) -> usize {
    let Some(files) = getrlimit(Resource::Nofile).current else { return wanted };
    let fit = fitting(files);
    if fit < wanted {
        tracing::warn!(
            files,
            connections = fit,
            wanted,
            "there are too few open files for `limits.connections`; fewer connections are taken"
        );
    }
    fit.min(wanted)
}

fn fitting(files: u64) -> usize {
    let free = files.saturating_sub(RESERVED.min(files / 2));
    let free = usize::try_from(free).unwrap_or(usize::MAX);
    (free.saturating_sub(2 * LEAST) / 5).saturating_mul(4).max(LEAST)
}

#[cfg(test)]
mod tests {
    use super::super::connections::overshoot;
    use super::*;

    #[test]
    fn what_fits_leaves_room_for_the_rest() {
        for files in [64, 256, 1_024, 20_000, 1 << 30] {
            let fit = fitting(files);
            // Those sent away, and those told that there is no room, have one, too.
            let most = u64::try_from(fit + 2 * overshoot(fit)).unwrap();
            assert!(most + RESERVED.min(files / 2) <= files && LEAST <= fit, "{files}: {fit}");
        }
        assert_eq!(fitting(0), LEAST);
    }
}
