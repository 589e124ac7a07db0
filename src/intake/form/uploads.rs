//! Which files a form takes: by their declared type and the ending of their name. Nobody looks into them: what is in a file is
//! for whoever opens it.

use crate::domain::workflow::{FileType, Uploads};

/// The longest name of a file, in bytes.
const NAME_BYTES: usize = 255;
/// What stands around each file.
const AROUND_BYTES: usize = 64 * 1024;
/// So much of what is too much is read and thrown away: a browser shows an answer only after it could send everything.
const SPARE_BYTES: usize = 32 << 20;

/// The endings of well-known types. Of others every ending is taken.
const ENDINGS: [(&str, &[&str]); 35] = [
    ("application/gzip", &["gz", "tgz"]),
    ("application/json", &["json"]),
    ("application/msword", &["doc"]),
    ("application/pdf", &["pdf"]),
    ("application/rtf", &["rtf"]),
    ("application/vnd.ms-excel", &["xls", "csv"]),
    ("application/vnd.ms-powerpoint", &["ppt"]),
    ("application/vnd.oasis.opendocument.spreadsheet", &["ods"]),
    ("application/vnd.oasis.opendocument.text", &["odt"]),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation", &["pptx"]),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", &["xlsx"]),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", &["docx"]),
    ("application/xml", &["xml"]),
    ("application/zip", &["zip"]),
    ("audio/mp4", &["m4a", "mp4"]),
    ("audio/mpeg", &["mp3"]),
    ("audio/ogg", &["ogg", "oga", "opus"]),
    ("audio/wav", &["wav"]),
    ("audio/webm", &["webm", "weba"]),
    ("image/avif", &["avif"]),
    ("image/bmp", &["bmp"]),
    ("image/gif", &["gif"]),
    ("image/heic", &["heic"]),
    ("image/heif", &["heif"]),
    ("image/jpeg", &["jpg", "jpeg", "jpe", "jfif"]),
    ("image/png", &["png"]),
    ("image/svg+xml", &["svg"]),
    ("image/tiff", &["tif", "tiff"]),
    ("image/webp", &["webp"]),
    ("text/calendar", &["ics"]),
    ("text/csv", &["csv"]),
    ("text/html", &["html", "htm"]),
    ("video/mp4", &["mp4", "m4v"]),
    ("video/quicktime", &["mov"]),
    ("video/webm", &["webm"]),
];

/// The most that is read because of files.
pub(super) fn whole_bytes(uploads: &Uploads) -> usize {
    uploads.max_bytes.saturating_add(AROUND_BYTES).saturating_mul(uploads.count).saturating_add(SPARE_BYTES)
}

/// Whether a file is one of the sorts that are taken.
pub(super) fn allows(uploads: &Uploads, kind: &str, name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    let known = ENDINGS.iter().find(|(known, _)| *known == kind).map(|(_, endings)| *endings);
    let fits = known.is_none_or(|endings| endings.contains(&ending.as_str()));
    uploads.types.is_empty()
        || uploads.types.iter().any(|taken| match taken {
            FileType::Exact(taken) => fits && **taken == *kind,
            FileType::Family(family) => fits && kind.split_once('/').is_some_and(|(of, _)| of == &**family),
            // Browsers do not agree on the types of rarer endings, so here the ending alone counts.
            FileType::Ending(taken) => **taken == *ending,
        })
}

/// A content type without its parameters, in lower case; what cannot be one says nothing.
pub(super) fn essence(content_type: Option<&str>) -> String {
    let kind = content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase();
    let is_token = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "!#$&^_.+-".contains(c));
    let is_one = kind.len() <= NAME_BYTES && kind.split_once('/').is_some_and(|(family, kind)| is_token(family) && is_token(kind));
    if is_one { kind } else { "application/octet-stream".to_owned() }
}

/// The name alone: no folders, nothing that cannot be seen, and not too long.
pub(super) fn plain_name(sent: &str) -> String {
    let last = unescaped(sent);
    let last = last.rsplit(['/', '\\']).next().unwrap_or_default();
    let hidden = |c: char| c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut name: String = last.chars().filter(|c| !hidden(*c)).collect();
    if NAME_BYTES < name.len() {
        // The ending says what it is.
        let ending = name.rsplit_once('.').map(|(_, ending)| format!(".{ending}")).filter(|ending| ending.len() < 20).unwrap_or_default();
        name.truncate(name.floor_char_boundary(NAME_BYTES - ending.len()));
        name.push_str(&ending);
    }
    if matches!(name.as_str(), "." | "..") { "file".to_owned() } else { name }
}

/// As browsers escape names (WHATWG HTML, "multipart/form-data").
pub(super) fn unescaped(sent: &str) -> String {
    sent.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_of_a_sort_by_its_type_and_its_ending() {
        let taken = [FileType::Exact("image/png".into()), FileType::Family("audio".into()), FileType::Ending("csv".into())];
        let uploads = Uploads { max_bytes: 1, count: 1, types: taken.to_vec() };
        for (kind, name, expected) in [
            ("image/png", "a.png", true),
            ("image/png", "A.PNG", true),
            ("image/png", "a.exe", false),
            ("image/png", "png", false),
            ("image/jpeg", "a.png", false),
            ("application/octet-stream", "a.png", false),
            ("audio/mpeg", "a.mp3", true),
            ("audio/mpeg", "a.exe", false),
            ("audio/x-own", "a.own", true),
            ("audiophile/x", "a", false),
            ("application/vnd.ms-excel", "a.csv", true),
            ("text/html", "a.csv.html", false),
            ("", "csv", false),
        ] {
            assert_eq!(allows(&uploads, kind, name), expected, "{kind} {name}");
        }
        assert!(allows(&Uploads { types: Vec::new(), ..uploads }, "application/x-anything", "a.exe"));
    }

    #[test]
    fn names_are_plain() {
        for (sent, plain) in [
            ("ada.png", "ada.png"),
            ("C:\\Users\\ada\\a b.png", "a b.png"),
            ("../../etc/passwd", "passwd"),
            ("..", "file"),
            ("a%22b%0D%0A.png", "a\"b.png"),
            ("a\u{202e}gnp.exe", "agnp.exe"),
            ("", ""),
            ("日本.png", "日本.png"),
        ] {
            assert_eq!(plain_name(sent), plain, "{sent}");
        }
        let long = plain_name(&format!("{}.png", "ä".repeat(400)));
        assert!(long.len() <= NAME_BYTES && long.ends_with(".png"), "{long}");
    }

    #[test]
    fn types_are_told_apart_from_nonsense() {
        assert_eq!(essence(Some("Image/PNG; charset=x")), "image/png");
        for nonsense in [None, Some(""), Some("png"), Some("a/b/c"), Some("a/\u{7f}"), Some("image/*")] {
            assert_eq!(essence(nonsense), "application/octet-stream", "{nonsense:?}");
        }
    }
}
