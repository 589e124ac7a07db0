//! Parser events → tree, with every bound checked while it grows.

use std::collections::HashMap;
use std::sync::Arc;

use serde_saphyr::granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle, ScanError, Span as Marks, Tag};

use super::scalar::{place, resolve, span};
use super::{Entry, FILE_BYTES, Kind, NESTING_DEPTH, NODES, Node, Parsed, Place, Span};
use crate::workflow::problem::{Problem, codes};

/// Reads one document. Duplicate keys are problems that still give a tree; whatever else is wrong ends the reading.
#[must_use]
pub fn parse(file: &Arc<str>, text: &str) -> Parsed {
    if FILE_BYTES < text.len() {
        return (None, vec![too_large(file, text.len())]);
    }
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.flow_nesting_limit = NESTING_DEPTH;
    options.block_nesting_limit = NESTING_DEPTH;
    let mut builder = Builder { file, open: Vec::new(), anchors: HashMap::new(), nodes: 0, copied: 0, root: None, problems: Vec::new() };
    for event in Parser::new_from_str_with_options(text, options) {
        let fed = event.map_err(|error| syntax(file, text, &error)).and_then(|(event, marks)| builder.feed(event, &marks));
        if let Err(problem) = fed {
            builder.problems.push(*problem);
            return (None, builder.problems);
        }
    }
    let Builder { root, mut problems, .. } = builder;
    if root.as_ref().is_none_or(|root| root.kind == Kind::Null) {
        let empty = Problem::error(codes::EMPTY_FILE, file, Span::START, "the file is empty: there is no workflow in it");
        problems.push(empty.help("begin with `when:` and `steps:`, or remove the file"));
        return (None, problems);
    }
    (root, problems)
}

/// The problem of a file over the limit.
#[must_use]
pub fn too_large(file: &Arc<str>, bytes: usize) -> Problem {
    let message = format!("the file has {bytes} bytes; the limit is {FILE_BYTES}");
    Problem::error(codes::FILE_TOO_LARGE, file, Span::START, message).help("split it into several workflows")
}

type Fed<T> = Result<T, Box<Problem>>;

struct Anchored {
    node: Node,
    nodes: usize,
    depth: usize,
}

struct Open {
    span: Span,
    anchor: usize,
    nodes_before: usize,
    /// How many levels are below this one, so far.
    depth: usize,
    shape: Shape,
}

enum Shape {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, places: HashMap<Arc<str>, Span>, key: Option<(Arc<str>, Span)> },
}

struct Builder<'f> {
    file: &'f Arc<str>,
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    nodes: usize,
    /// Nodes copied for anchors: anchors inside anchors copy the same nodes again.
    copied: usize,
    root: Option<Node>,
    problems: Vec<Problem>,
}

impl Builder<'_> {
    fn feed(&mut self, event: Event<'_>, marks: &Marks) -> Fed<()> {
        match event {
            Event::DocumentStart(..) if self.root.is_some() => {
                let problem = self.problem(codes::YAML_SYNTAX, span(marks), "a second document begins here");
                Err(Box::new(problem.help("one file is one workflow: move the rest into a file of its own")))
            }
            Event::Scalar(text, style, anchor, tag) => {
                let node = self.scalar(&text, style, tag.as_deref(), marks)?;
                self.keep(anchor, &node, 1, 0)?;
                self.add(node, 1, 0)
            }
            Event::Alias(id) => self.alias(id, span(marks)),
            Event::SequenceStart(_, anchor, tag) => self.begin(anchor, tag.as_deref(), marks, Shape::List(Vec::new())),
            Event::MappingStart(_, anchor, tag) => {
                self.begin(anchor, tag.as_deref(), marks, Shape::Map { entries: Vec::new(), places: HashMap::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            _ => Ok(()),
        }
    }

    fn problem(&self, code: &'static str, span: Span, message: impl Into<String>) -> Problem {
        Problem::error(code, self.file, span, message)
    }

    fn scalar(&self, text: &str, style: ScalarStyle, tag: Option<&Tag>, marks: &Marks) -> Fed<Node> {
        // The parser writes `~` for a value that is not there at all.
        let absent = text == "~" && style == ScalarStyle::Plain && marks.start == marks.end;
        let kind = match (style, tag.map(Tag::core_suffix)) {
            (_, Some(Some("str"))) => Kind::Text,
            (_, Some(_)) => return Err(self.tag(tag, marks)),
            (ScalarStyle::Plain, None) => resolve(text),
            (ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted | ScalarStyle::Literal | ScalarStyle::Folded, None) => Kind::Text,
        };
        let raw = if absent { "" } else { text };
        Ok(Node { kind, span: span(marks), place: place(marks, style, text), raw: raw.into() })
    }

    fn tag(&self, tag: Option<&Tag>, marks: &Marks) -> Box<Problem> {
        let tag = tag.map(Tag::original).unwrap_or_default();
        let problem = self.problem(codes::YAML_SYNTAX, span(marks), format!("the tag `{tag}` is not known"));
        Box::new(problem.help("remove the tag; only `!!str` has a use here: it makes a number text"))
    }

    fn count(&mut self, nodes: usize, depth: usize, span: Span) -> Fed<()> {
        self.nodes = self.nodes.saturating_add(nodes);
        self.within(self.nodes, depth, span)
    }

    fn within(&self, nodes: usize, depth: usize, span: Span) -> Fed<()> {
        let why = if NODES < nodes {
            format!("the file has more than {NODES} values, aliases followed")
        } else if NESTING_DEPTH < self.open.len() + depth {
            format!("lists and maps are nested more than {NESTING_DEPTH} deep, aliases followed")
        } else {
            return Ok(());
        };
        Err(Box::new(self.problem(codes::YAML_TOO_COMPLEX, span, why).help("write it out with fewer aliases, or split the file")))
    }

    fn alias(&mut self, id: usize, span: Span) -> Fed<()> {
        let Some(anchored) = self.anchors.get(&id) else {
            let problem = self.problem(codes::YAML_TOO_COMPLEX, span, "an alias inside the value that it stands for never ends");
            return Err(Box::new(problem.help("let the alias name another anchor")));
        };
        let (nodes, depth) = (anchored.nodes, anchored.depth);
        self.count(nodes, depth, span)?;
        // Cloned only after it was counted, so that an alias bomb costs nothing.
        let Some(node) = self.anchors.get(&id).map(|anchored| anchored.node.clone()) else { return Ok(()) };
        self.place_in_parent(node, depth)
    }

    fn begin(&mut self, anchor: usize, tag: Option<&Tag>, marks: &Marks, shape: Shape) -> Fed<()> {
        let core = tag.map(Tag::core_suffix);
        if core.is_some_and(|core| !matches!((core, &shape), (Some("seq"), Shape::List(_)) | (Some("map"), Shape::Map { .. }))) {
            return Err(self.tag(tag, marks));
        }
        let span = span(marks);
        self.count(0, 1, span)?;
        self.open.push(Open { span, anchor, nodes_before: self.nodes, depth: 1, shape });
        Ok(())
    }

    fn end(&mut self) -> Fed<()> {
        let Some(Open { span, anchor, nodes_before, depth, shape }) = self.open.pop() else { return Ok(()) };
        let kind = match shape {
            Shape::List(items) => Kind::List(items),
            Shape::Map { entries, .. } => Kind::Map(entries),
        };
        let node = Node { kind, span, place: Place::default(), raw: "".into() };
        self.keep(anchor, &node, self.nodes - nodes_before + 1, depth)?;
        self.add(node, 1, depth)
    }

    fn keep(&mut self, anchor: usize, node: &Node, nodes: usize, depth: usize) -> Fed<()> {
        if anchor != 0 {
            self.copied = self.copied.saturating_add(nodes);
            self.within(self.copied, depth, node.span)?;
            self.anchors.insert(anchor, Anchored { node: node.clone(), nodes, depth });
        }
        Ok(())
    }

    fn add(&mut self, node: Node, nodes: usize, depth: usize) -> Fed<()> {
        self.count(nodes, depth, node.span)?;
        self.place_in_parent(node, depth)
    }

    fn place_in_parent(&mut self, node: Node, depth: usize) -> Fed<()> {
        let file = self.file;
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        open.depth = open.depth.max(depth + 1);
        match &mut open.shape {
            Shape::List(items) => items.push(node),
            Shape::Map { entries, places, key } => match key.take() {
                Some((key, span)) => entries.push(Entry { key, span, value: node }),
                None => {
                    let Some(text) = node.as_text() else {
                        let problem =
                            Problem::error(codes::WRONG_TYPE, file, node.span, format!("a key is text, not {}", node.kind_name()));
                        return Err(Box::new(problem.help("put quotes around it if it is meant as text")));
                    };
                    let text: Arc<str> = text.into();
                    if let Some(first) = places.get(&text) {
                        let message = format!("`{text}` is written twice; the first is in line {}", first.line);
                        self.problems.push(Problem::error(codes::DUPLICATE_KEY, file, node.span, message).help("keep one of the two"));
                    } else {
                        places.insert(Arc::clone(&text), node.span);
                    }
                    *key = Some((text, node.span));
                }
            },
        }
        Ok(())
    }
}

fn syntax(file: &Arc<str>, text: &str, error: &ScanError) -> Box<Problem> {
    let mark = error.marker();
    let line = u32::try_from(mark.line().max(1)).unwrap_or(u32::MAX);
    let column = u32::try_from(mark.col()).unwrap_or(u32::MAX).saturating_add(1);
    let span = Span { line, column, length: 1 };
    if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
        let message = format!("lists and maps are nested more than {NESTING_DEPTH} deep");
        return Box::new(Problem::error(codes::YAML_TOO_COMPLEX, file, span, message).help("split the file"));
    }
    if let Some(tab) = tab_indentation(text, line).filter(|_| error.kind().to_string().contains("tab")) {
        let problem = Problem::error(codes::YAML_SYNTAX, file, tab, "a tab stands where the indentation is");
        return Box::new(problem.help("indent with spaces"));
    }
    let help = match error.kind() {
        ErrorKind::MappingValueNotAllowed => Some("a value that holds `: ` needs quotes"),
        ErrorKind::UnexpectedCharacter { character: '@' | '`' } => Some("a value that begins with this character needs quotes"),
        ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::ExpectedFlowSequenceSeparator => {
            Some("inside `{ }` and `[ ]`, a value that holds `{`, `[`, `,` or a quote needs quotes of its own")
        }
        ErrorKind::UnclosedQuotedScalar => Some("close the quote"),
        ErrorKind::UnknownAnchor => Some("a value that begins with `*` needs quotes; an alias needs `&name` before it"),
        ErrorKind::ExpectedBlockMappingKey => Some("the line is indented otherwise than the lines it belongs to"),
        _ => None,
    };
    let problem = Problem::error(codes::YAML_SYNTAX, file, span, error.kind().to_string());
    Box::new(match help {
        Some(help) => problem.help(help),
        None => problem,
    })
}

/// The first line from `line` on whose indentation holds a tab.
fn tab_indentation(text: &str, line: u32) -> Option<Span> {
    let skip = usize::try_from(line.saturating_sub(1)).ok()?;
    text.lines().enumerate().skip(skip).find_map(|(index, row)| {
        let at = row.chars().take_while(|c| matches!(c, ' ' | '\t')).position(|c| c == '\t')?;
        Some(Span { line: u32::try_from(index + 1).ok()?, column: u32::try_from(at + 1).ok()?, length: 1 })
    })
}
