//! The pages of forms: plain HTML, one style, no script. Everything that comes from outside is escaped.
//!
//! Each field has its label; help and mistakes are named by `aria-describedby`, mistakes are listed above the form with a link to
//! their field. The browser checks what it can; the server checks it all again.

use std::fmt::Write;

use axum::response::Html;
use http::StatusCode;

use crate::domain::door::Origins;
use crate::domain::workflow::{Choice, Field, FieldKind, Form, Length};
use crate::intake::form::{Again, STAMP_FIELD, Why};
use crate::web::html::{document, escaped, sentence, style_source};
use crate::workflow::filled::Wrong;

const STYLE: &str = include_str!("style.css");
const TITLE: &str = "Form";
const BUTTON: &str = "Send";
const THANKS: &str = "Thank you. We have received what you sent.";

/// Only this style, and a form that goes back to where the page came from, and from there to where the workflow says.
pub(super) fn content_security_policy(form: Option<&Form>) -> String {
    let elsewhere = form.and_then(|form| form.redirect.as_deref()).filter(|redirect| !redirect.starts_with('/'));
    let target = elsewhere.map(|redirect| format!(" {}", origin(redirect))).unwrap_or_default();
    let frames = match form.and_then(|form| form.door.cors.as_ref()).map(|cors| &cors.origins) {
        None => "'none'".to_owned(),
        Some(Origins::Any) => "*".to_owned(),
        Some(Origins::These(origins)) => origins.join(" "),
    };
    let style = style_source(STYLE);
    format!("default-src 'none'; style-src {style}; form-action 'self'{target}; frame-ancestors {frames}; base-uri 'none'")
}

/// `https://www.example.com` of a whole address.
fn origin(address: &str) -> String {
    address.splitn(4, '/').take(3).collect::<Vec<_>>().join("/").split(['?', '#']).next().unwrap_or_default().to_owned()
}

fn title(form: &Form) -> &str {
    form.words.title.as_deref().unwrap_or(TITLE)
}

/// The form was taken.
pub(super) fn thanks(form: &Form) -> Html<String> {
    let text = form.words.thanks.as_deref().unwrap_or(THANKS);
    document(title(form), STYLE, &format!("<h1>{}</h1>\n<p class=\"said\" role=\"status\">{}</p>\n", escaped(title(form)), escaped(text)))
}

/// A form of another page was not taken.
pub(super) fn not_taken(form: &Form, again: &Again) -> Html<String> {
    let items: String = again.wrong.iter().map(item).collect();
    let body = format!(
        "<h1>This was not sent</h1>\n<div class=\"mistakes\" role=\"alert\"><ul>\n{items}</ul></div>\n<p class=\"said\">Go back to mend it. Nothing was sent.</p>\n"
    );
    document(title(form), STYLE, &body)
}

/// Why nothing was taken.
pub(super) fn problem(status: StatusCode, detail: &str) -> Html<String> {
    let title = match status {
        StatusCode::NOT_FOUND => "There is no form here",
        _ if status.is_client_error() => "This was not sent",
        _ => "This could not be sent now",
    };
    let help = match status {
        StatusCode::NOT_FOUND => "Look whether you have the whole address.",
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => "Go back and try again in a moment. Nothing was sent.",
        _ if status.is_client_error() => "Go back to mend it. Nothing was sent.",
        _ => "Nothing was sent. Please try again in a moment.",
    };
    document(
        title,
        STYLE,
        &format!("<h1>{title}</h1>\n<p class=\"said\">{}</p>\n<p class=\"said\">{help}</p>\n", escaped(&sentence(detail))),
    )
}

/// The form, with what was filled in and what is wrong with it.
pub(super) fn form(form: &Form, again: &Again) -> Html<String> {
    let fields = form.fields.as_deref().unwrap_or_default();
    let has_file = fields.iter().any(|field| matches!(field.kind, FieldKind::File { .. }));
    let mut body = format!("<h1>{}</h1>\n", escaped(title(form)));
    if let Some(text) = &form.words.description {
        body.push_str(&format!("<p class=\"said\">{}</p>\n", escaped(text)));
    }
    body.push_str(&mistakes(fields, again));
    let enctype = if has_file { " enctype=\"multipart/form-data\"" } else { "" };
    body.push_str(&format!("<form method=\"post\"{enctype} accept-charset=\"utf-8\">\n"));
    // These two before any file: nothing of a form is stored that no person sent.
    body.push_str(&format!("<input type=\"hidden\" name=\"{STAMP_FIELD}\" value=\"{}\">\n", escaped(&again.stamp)));
    if let Some(honeypot) = &form.honeypot {
        body.push_str(&format!(
            "<div class=\"aside\" aria-hidden=\"true\"><label for=\"f-{honeypot}\">Leave this empty</label>\
             <input id=\"f-{honeypot}\" name=\"{honeypot}\" tabindex=\"-1\" autocomplete=\"off\"></div>\n"
        ));
    }
    if fields.iter().any(|field| field.required) {
        body.push_str("<p class=\"hint\">What is marked with <span class=\"must\">*</span> has to be filled in.</p>\n");
    }
    let is_again = again.why.is_some() || !again.wrong.is_empty();
    for field in fields {
        let wrong: Vec<&str> = again.wrong.iter().filter(|wrong| *wrong.field == *field.name).map(|wrong| wrong.message.as_str()).collect();
        let sent: Vec<&str> = if is_again {
            again.values.iter().filter(|(name, _)| **name == *field.name).map(|(_, value)| value.as_str()).collect()
        } else {
            field.value.iter().map(|value| &**value).collect()
        };
        body.push_str(&Shown { form, field, sent, wrong, is_again }.html());
    }
    let button = form.words.button.as_deref().unwrap_or(BUTTON);
    body.push_str(&format!("<button type=\"submit\">{}</button>\n</form>\n", escaped(button)));
    let mark = if is_again { "Not sent yet: " } else { "" };
    document(&format!("{mark}{}", title(form)), STYLE, &body)
}

/// What is wrong, above the form, each with a link to its field.
fn mistakes(fields: &[Field], again: &Again) -> String {
    if again.wrong.is_empty() {
        let why = again.why.map(Why::said);
        return why.map(|why| format!("<div class=\"mistakes\" role=\"alert\"><p>{}</p></div>\n", escaped(why))).unwrap_or_default();
    }
    let linked = |wrong: &Wrong| match fields.iter().find(|field| *field.name == *wrong.field) {
        Some(field) => format!("<li><a href=\"#{}\">{}</a>: {}</li>\n", first_id(field), escaped(&field.label), escaped(&wrong.message)),
        None => item(wrong),
    };
    let items: String = again.wrong.iter().map(linked).collect();
    format!("<div class=\"mistakes\" role=\"alert\"><p>This was not sent yet. Please mend:</p>\n<ul>\n{items}</ul></div>\n")
}

/// Something wrong that no field of the page is about.
fn item(wrong: &Wrong) -> String {
    let message = escaped(&wrong.message);
    if wrong.field.is_empty() { format!("<li>{message}</li>\n") } else { format!("<li>{}: {message}</li>\n", escaped(&wrong.field)) }
}

/// The element that a link to a field leads to.
fn first_id(field: &Field) -> String {
    match field.kind {
        FieldKind::Radio(_) | FieldKind::Checkboxes(_) => format!("f-{}-0", field.name),
        _ => format!("f-{}", field.name),
    }
}

/// A field with what was filled in.
struct Shown<'s> {
    form: &'s Form,
    field: &'s Field,
    sent: Vec<&'s str>,
    wrong: Vec<&'s str>,
    /// It was sent before.
    is_again: bool,
}

impl Shown<'_> {
    fn html(&self) -> String {
        let name = &self.field.name;
        let first = self.sent.first().copied().unwrap_or_default();
        let value = || format!(" value=\"{}\"", escaped(first));
        match &self.field.kind {
            // The server knows its value.
            FieldKind::Hidden => String::new(),
            FieldKind::Text(length) => self.line("text", &format!("{}{}", value(), bounds(length))),
            FieldKind::Email(length) => self.line("email", &format!("{}{} autocomplete=\"email\"", value(), bounds(length))),
            FieldKind::Tel(length) => self.line("tel", &format!("{}{} autocomplete=\"tel\"", value(), bounds(length))),
            FieldKind::Number { min, max } => {
                self.line("number", &format!("{}{} step=\"any\"", value(), range(min.as_ref(), max.as_ref())))
            }
            FieldKind::Date { min, max } => self.line("date", &format!("{}{}", value(), range(min.as_ref(), max.as_ref()))),
            FieldKind::Textarea(length) => {
                // A line break right behind the tag is not part of the text.
                let area = format!(
                    "<textarea id=\"f-{name}\" name=\"{name}\" rows=\"5\"{}{}>\n{}</textarea>\n",
                    bounds(length),
                    self.common(),
                    escaped(first)
                );
                self.around(&area)
            }
            FieldKind::Select(choices) => {
                let chosen = |choice: &Choice| if self.sent.contains(&&*choice.value) { " selected" } else { "" };
                let options: String = choices
                    .iter()
                    .map(|choice| {
                        format!("<option value=\"{}\"{}>{}</option>\n", escaped(&choice.value), chosen(choice), escaped(&choice.label))
                    })
                    .collect();
                self.around(&format!(
                    "<select id=\"f-{name}\" name=\"{name}\"{}>\n<option value=\"\">Please choose</option>\n{options}</select>\n",
                    self.common()
                ))
            }
            FieldKind::Radio(choices) => self.group("radio", choices),
            FieldKind::Checkboxes(choices) => self.group("checkbox", choices),
            FieldKind::Checkbox => {
                let ticked = if first.is_empty() { "" } else { " checked" };
                format!(
                    "<div class=\"field\">{}<div class=\"tick\"><input type=\"checkbox\" id=\"f-{name}\" name=\"{name}\" value=\"yes\"{ticked}{}>\
                     <label for=\"f-{name}\">{}</label></div>\n{}</div>\n",
                    self.mistake(),
                    self.common(),
                    self.label(),
                    self.help()
                )
            }
            FieldKind::File { multiple } => self.file(*multiple),
        }
    }

    fn line(&self, kind: &str, own: &str) -> String {
        let name = &self.field.name;
        self.around(&format!("<input type=\"{kind}\" id=\"f-{name}\" name=\"{name}\"{own}{}>\n", self.common()))
    }

    fn file(&self, multiple: bool) -> String {
        let name = &self.field.name;
        let types = self.form.uploads.iter().flat_map(|uploads| &uploads.types).map(ToString::to_string).collect::<Vec<_>>().join(",");
        let accept = if types.is_empty() { String::new() } else { format!(" accept=\"{}\"", escaped(&types)) };
        let multiple = if multiple { " multiple" } else { "" };
        // Browsers do not fill a file in again.
        let again = if self.is_again { "<p class=\"hint\">If you had chosen a file, choose it again.</p>\n" } else { "" };
        self.around(&format!("{again}<input type=\"file\" id=\"f-{name}\" name=\"{name}\"{accept}{multiple}{}>\n", self.common()))
    }

    /// Several that belong together.
    fn group(&self, kind: &str, choices: &[Choice]) -> String {
        let name = &self.field.name;
        // Of several boxes none has to be ticked by itself.
        let required = if self.field.required && kind == "radio" { " required" } else { "" };
        let mut boxes = String::new();
        for (index, choice) in choices.iter().enumerate() {
            let checked = if self.sent.contains(&&*choice.value) { " checked" } else { "" };
            let (value, label) = (escaped(&choice.value), escaped(&choice.label));
            // Writing to a String cannot fail.
            let _written = writeln!(
                boxes,
                "<div class=\"tick\"><input type=\"{kind}\" id=\"f-{name}-{index}\" name=\"{name}\" value=\"{value}\"{checked}{required}>\
                 <label for=\"f-{name}-{index}\">{label}</label></div>"
            );
        }
        format!(
            "<fieldset class=\"field\"{}>\n<legend>{}</legend>\n{}{}{boxes}</fieldset>\n",
            self.described(),
            self.label(),
            self.help(),
            self.mistake()
        )
    }

    fn around(&self, input: &str) -> String {
        let label = format!("<label for=\"f-{}\">{}</label>\n", self.field.name, self.label());
        format!("<div class=\"field\">{label}{}{}{input}</div>\n", self.help(), self.mistake())
    }

    fn label(&self) -> String {
        let must = if self.field.required { " <span class=\"must\" aria-hidden=\"true\">*</span>" } else { "" };
        format!("{}{must}", escaped(&self.field.label))
    }

    fn help(&self) -> String {
        let help = self.field.help.as_ref();
        help.map(|help| format!("<p class=\"hint\" id=\"h-{}\">{}</p>\n", self.field.name, escaped(help))).unwrap_or_default()
    }

    fn mistake(&self) -> String {
        if self.wrong.is_empty() {
            return String::new();
        }
        format!("<p class=\"wrong\" id=\"w-{}\">{}</p>\n", self.field.name, escaped(&self.wrong.join(" ")))
    }

    /// What every input says of itself.
    fn common(&self) -> String {
        let required = if self.field.required { " required" } else { "" };
        let placeholder = self.field.placeholder.as_ref().map(|text| format!(" placeholder=\"{}\"", escaped(text))).unwrap_or_default();
        let invalid = if self.wrong.is_empty() { "" } else { " aria-invalid=\"true\"" };
        format!("{required}{placeholder}{invalid}{}", self.described())
    }

    fn described(&self) -> String {
        let name = &self.field.name;
        let help = self.field.help.as_ref().map(|_| format!("h-{name}"));
        let wrong = self.wrong.first().map(|_| format!("w-{name}"));
        let ids: Vec<String> = help.into_iter().chain(wrong).collect();
        if ids.is_empty() { String::new() } else { format!(" aria-describedby=\"{}\"", ids.join(" ")) }
    }
}

fn bounds(length: &Length) -> String {
    let Length { min, max, pattern } = length;
    let bound = |key: &str, bound: Option<usize>| bound.map(|bound| format!(" {key}=\"{bound}\"")).unwrap_or_default();
    let pattern = pattern.as_ref().map(|pattern| format!(" pattern=\"{}\"", escaped(&pattern.text))).unwrap_or_default();
    format!("{}{}{pattern}", bound("minlength", *min), bound("maxlength", *max))
}

fn range<T: ToString>(min: Option<&T>, max: Option<&T>) -> String {
    let bound = |key: &str, bound: Option<&T>| bound.map(|bound| format!(" {key}=\"{}\"", bound.to_string())).unwrap_or_default();
    format!("{}{}", bound("min", min), bound("max", max))
}

#[cfg(test)]
mod tests {
    use super::origin;

    #[test]
    fn an_origin_is_the_beginning_of_an_address() {
        for address in
            ["https://a.example", "https://a.example/", "https://a.example/b/c?d#e", "https://a.example?x", "https://a.example#x"]
        {
            assert_eq!(origin(address), "https://a.example", "{address}");
        }
        assert_eq!(origin("http://localhost:3000/x"), "http://localhost:3000");
    }
}
