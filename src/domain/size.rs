//! Sizes for people.

/// `5 MiB`; `1234 bytes` where no unit fits.
#[must_use]
pub fn format_size(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let whole = units.into_iter().find(|(unit, _)| *unit <= bytes && bytes.is_multiple_of(*unit));
    whole.map_or_else(|| format!("{bytes} bytes"), |(unit, name)| format!("{} {name}", bytes / unit))
}

#[cfg(test)]
mod tests {
    use super::format_size;

    #[test]
    fn a_size_has_the_largest_unit_that_fits() {
        for (bytes, words) in
            [(0, "0 bytes"), (1_000, "1000 bytes"), (2_048, "2 KiB"), (10 << 30, "10 GiB"), ((1 << 30) + 1, "1073741825 bytes")]
        {
            assert_eq!(format_size(bytes), words);
        }
    }
}
