//! A form: what a browser may send, and the page on which a person fills it in.

use std::fmt;
use std::sync::Arc;

use super::Dedupe;
use crate::domain::door::Door;

/// A form trigger.
#[derive(Debug, Clone, PartialEq)]
pub struct Form {
    /// The path below `/forms/`; may hold `{name}`.
    pub path: Arc<str>,
    /// Where the browser goes when the form was taken; a page of ours that says thanks when absent.
    pub redirect: Option<Arc<str>>,
    /// A field that people do not see: who fills it in is no person.
    pub honeypot: Option<Arc<str>>,
    /// The files it takes; none when absent.
    pub uploads: Option<Uploads>,
    /// How often it may be sent, and which other sites' scripts may read the answer and may show it in a frame.
    pub door: Door,
    /// The most that its texts may take together, in bytes; the server's limit when absent.
    pub body_limit_bytes: Option<usize>,
    /// When a repeat is recognised.
    pub dedupe: Option<Dedupe>,
    /// What its pages say.
    pub words: Words,
    /// What is filled in; nothing when the form stands on a page elsewhere.
    pub fields: Option<Vec<Field>>,
}

impl Form {
    /// The field of this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().flatten().find(|field| *field.name == *name)
    }
}

/// What the pages of a form say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Words {
    /// Above the form, and in the browser's tab.
    pub title: Option<Arc<str>>,
    /// Below the title.
    pub description: Option<Arc<str>>,
    /// On the button.
    pub button: Option<Arc<str>>,
    /// When it was taken.
    pub thanks: Option<Arc<str>>,
}

/// Which files a form takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Uploads {
    /// The largest, in bytes.
    pub max_bytes: usize,
    /// The most at once.
    pub count: usize,
    /// Which sorts; every sort when empty.
    pub types: Vec<FileType>,
}

/// A sort of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileType {
    /// `image/png`.
    Exact(Arc<str>),
    /// `image/*`: what stands before the slash.
    Family(Arc<str>),
    /// `.csv`: the ending without its dot, in lower case.
    Ending(Arc<str>),
}

/// As it is written.
impl fmt::Display for FileType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(kind) => out.write_str(kind),
            Self::Family(family) => write!(out, "{family}/*"),
            Self::Ending(ending) => write!(out, ".{ending}"),
        }
    }
}

/// One thing to fill in.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name in the event's body.
    pub name: Arc<str>,
    /// What a person reads beside it.
    pub label: Arc<str>,
    /// Whether it has to be filled in.
    pub required: bool,
    /// A line that helps.
    pub help: Option<Arc<str>>,
    /// Shown while it is empty.
    pub placeholder: Option<Arc<str>>,
    /// What it begins with.
    pub value: Option<Arc<str>>,
    /// What may be filled in.
    pub kind: FieldKind,
}

/// What may be filled in.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldKind {
    /// A line of text.
    Text(Length),
    /// An address of e-mail.
    Email(Length),
    /// A telephone number.
    Tel(Length),
    /// Lines of text.
    Textarea(Length),
    /// A number.
    Number {
        /// The least.
        min: Option<f64>,
        /// The most.
        max: Option<f64>,
    },
    /// A day.
    Date {
        /// The first.
        min: Option<jiff::civil::Date>,
        /// The last.
        max: Option<jiff::civil::Date>,
    },
    /// One of a list that opens.
    Select(Vec<Choice>),
    /// One of a few that are all seen.
    Radio(Vec<Choice>),
    /// Yes or no.
    Checkbox,
    /// Any of a few.
    Checkboxes(Vec<Choice>),
    /// A file.
    File {
        /// Several at once.
        multiple: bool,
    },
    /// Not shown: always the field's own value, whatever is sent.
    Hidden,
}

impl FieldKind {
    /// As `type` says it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Email(_) => "email",
            Self::Tel(_) => "tel",
            Self::Textarea(_) => "textarea",
            Self::Number { .. } => "number",
            Self::Date { .. } => "date",
            Self::Select(_) => "select",
            Self::Radio(_) => "radio",
            Self::Checkbox | Self::Checkboxes(_) => "checkbox",
            Self::File { .. } => "file",
            Self::Hidden => "hidden",
        }
    }

    /// What can be chosen.
    #[must_use]
    pub fn choices(&self) -> &[Choice] {
        match self {
            Self::Select(choices) | Self::Radio(choices) | Self::Checkboxes(choices) => choices,
            Self::Text(_)
            | Self::Email(_)
            | Self::Tel(_)
            | Self::Textarea(_)
            | Self::Number { .. }
            | Self::Date { .. }
            | Self::Checkbox
            | Self::File { .. }
            | Self::Hidden => &[],
        }
    }
}

/// How long a text is, in characters, and what it looks like.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Length {
    /// The least.
    pub min: Option<usize>,
    /// The most.
    pub max: Option<usize>,
    /// What the whole of it looks like.
    pub pattern: Option<Pattern>,
}

/// A regular expression, compiled.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// As written.
    pub text: Arc<str>,
    regex: regex::Regex,
}

/// The memory that a compiled pattern may take.
const PATTERN_BYTES: usize = 256 * 1024;

impl Pattern {
    /// Compiles a pattern that has to fit the whole of a text.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: &Arc<str>) -> Result<Self, String> {
        let whole = regex::RegexBuilder::new(&format!("^(?:{text})$")).size_limit(PATTERN_BYTES).build();
        let regex = whole.map_err(|error| {
            if matches!(error, regex::Error::CompiledTooBig(_)) {
                return "it grows too large; shorten its repetitions".to_owned();
            }
            error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
        })?;
        Ok(Self { text: Arc::clone(text), regex })
    }

    /// Whether the whole of a text is so.
    #[must_use]
    pub fn fits(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// One that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What the event's body has.
    pub value: Arc<str>,
    /// What a person reads.
    pub label: Arc<str>,
}
