//! The pages of `approve`: plain HTML, one style, no script. Everything that comes from outside is escaped.

use axum::response::Html;
use http::StatusCode;

use crate::domain::time::Timestamp;
use crate::intake::approve::{COMMENT_CHARS, Question, Standing, WHO_CHARS, minutes};
use crate::web::html::{document, escaped, sentence, style_source};

const STYLE: &str = include_str!("style.css");

/// Only this style, and a form that goes back to where the page came from.
pub(super) fn content_security_policy() -> String {
    let style = style_source(STYLE);
    format!("default-src 'none'; style-src {style}; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
}

/// What is asked, or what came of it.
pub(super) fn question(question: &Question) -> Html<String> {
    let of = format!("<p class=\"of\">Workflow {}</p>\n", escaped(&question.workflow));
    let message = format!("<div class=\"message\">{}</div>\n", escaped(&question.message));
    let mut rows = vec![("To", escaped(&question.to))];
    let run = ("Run", escaped(&question.run.to_string()));
    let (title, body) = match &question.standing {
        Standing::Open => {
            rows.extend([("Answer until", time(question.until)), run]);
            let title = "Your decision is needed";
            (title, format!("{of}<h1>{title}</h1>\n{message}{}{}", list(&rows), form(&question.to)))
        }
        Standing::Decided { who, what, comment, when } => {
            let (title, class) = if what == "approved" { ("Approved", "yes") } else { ("Denied", "no") };
            rows.extend([("Decided by", escaped(who)), ("At", time(*when))]);
            if !comment.is_empty() {
                rows.push(("Comment", escaped(comment)));
            }
            rows.push(run);
            let note = "<p class=\"note\">This is decided and cannot be changed here. You can close the page.</p>\n";
            (title, format!("{of}<h1 class=\"{class}\">{title}</h1>\n{message}{note}{}", list(&rows)))
        }
        Standing::Over(why) => {
            rows.push(run);
            let title = "This can no longer be answered";
            (title, format!("{of}<h1>{title}</h1>\n<p class=\"note\">{}</p>\n{message}{}", escaped(why), list(&rows)))
        }
    };
    document(title, STYLE, &body)
}

/// Why there is nothing to show.
pub(super) fn problem(status: StatusCode, detail: &str) -> Html<String> {
    let title = match status {
        StatusCode::NOT_FOUND => "There is nothing to answer here",
        _ if status.is_client_error() => "The answer was not taken",
        _ => "The answer could not be taken now",
    };
    let help = match status {
        StatusCode::NOT_FOUND => "Look whether you have the whole link, as it was sent to you.",
        _ if status.is_client_error() => "Go back to change it. Nothing was decided.",
        _ => "Nothing was decided. Please try again in a moment.",
    };
    document(
        title,
        STYLE,
        &format!("<h1>{title}</h1>\n<p class=\"note\">{}</p>\n<p class=\"note\">{help}</p>\n", escaped(&sentence(detail))),
    )
}

fn form(to: &str) -> String {
    // Enter in the name must not decide: the form's default button is the first one, and a disabled one does nothing
    // (HTML, "Implicit submission").
    format!(
        "<form method=\"post\">
<button type=\"submit\" disabled hidden></button>
<label for=\"comment\">Comment <span class=\"hint\">(optional)</span></label>
<textarea id=\"comment\" name=\"comment\" maxlength=\"{COMMENT_CHARS}\" rows=\"3\"></textarea>
<label for=\"who\">Your name <span class=\"hint\">(optional)</span></label>
<input id=\"who\" name=\"who\" maxlength=\"{WHO_CHARS}\" autocomplete=\"name\" placeholder=\"{}\">
<div class=\"choice\">
<button class=\"approve\" type=\"submit\" name=\"decision\" value=\"approve\">Approve</button>
<button class=\"deny\" type=\"submit\" name=\"decision\" value=\"deny\">Deny</button>
</div>
</form>
",
        escaped(to)
    )
}

fn list(rows: &[(&str, String)]) -> String {
    let rows: String = rows.iter().map(|(name, value)| format!("<dt>{name}</dt><dd>{value}</dd>\n")).collect();
    format!("<dl>\n{rows}</dl>\n")
}

fn time(time: Timestamp) -> String {
    format!("<time datetime=\"{time}\">{}</time>", minutes(time))
}
