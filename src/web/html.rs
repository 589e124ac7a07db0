//! What the pages for people share: one frame, and text that stays text.

use std::fmt::Write;

use axum::response::Html;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A page with one style and no script. `title` is text; `body` is HTML.
pub(super) fn document(title: &str, style: &str, body: &str) -> Html<String> {
    Html(format!(
        "<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta name=\"color-scheme\" content=\"light dark\">
<title>{}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}</main>
</body>
</html>
",
        escaped(title)
    ))
}

/// The source of this style alone, for a content security policy.
pub(super) fn style_source(style: &str) -> String {
    let hash = STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, style.as_bytes()));
    format!("'sha256-{hash}'")
}

/// Text in a page or an attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // These turn the order of letters round, and with it what seems to be asked.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => drop(write!(out, "&#xfffd;")),
            other => out.push(other),
        }
    }
    out
}

/// A message as a sentence.
pub(super) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    let end = if text.ends_with('.') { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_is_escaped() {
        assert_eq!(escaped("<b a='1' c=\"2\">&\n</b>"), "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;\n&lt;/b&gt;");
        assert_eq!(escaped("pay \u{202e}001 \u{2066}x"), "pay &#xfffd;001 &#xfffd;x");
    }

    #[test]
    fn a_problem_is_a_sentence() {
        assert_eq!(sentence("there is no question"), "There is no question.");
        assert_eq!(sentence(""), ".");
    }
}
