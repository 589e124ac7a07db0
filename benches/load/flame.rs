//! A flame graph of what `perf script` prints, as SVG that can be read on light and on dark pages. A box is a function: as
//! wide as the share of samples that it was found in, above the one that called it. Its name and share are shown on hovering.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::BufRead;

const WIDTH: f64 = 1200.0;
const ROW: f64 = 17.0;
const TOP: f64 = 40.0;
/// What a letter takes.
const LETTER: f64 = 6.6;
/// Boxes below this share of all samples are left out.
const SHARE_MIN: f64 = 0.002;
const STYLE: &str = "text{font:11px ui-monospace,monospace;fill:#24292f}.title{font:600 14px system-ui,sans-serif}rect{stroke:#fff;stroke-width:.5}\
.k{fill:#f6b26b}.h{fill:#8fc1f0}.o{fill:#cfd8e3}@media(prefers-color-scheme:dark){text{fill:#e6edf3}rect{stroke:#0d1117}\
.k{fill:#8a4b00}.h{fill:#1f4f82}.o{fill:#30363d}}";

#[derive(Default)]
struct Frame {
    samples: u32,
    calls: BTreeMap<String, Frame>,
}

impl Frame {
    fn depth(&self, all: f64) -> u32 {
        let seen = self.calls.values().filter(|frame| SHARE_MIN <= f64::from(frame.samples) / all);
        seen.map(|frame| 1 + frame.depth(all)).max().unwrap_or(0)
    }
}

/// Reads the text of `perf script` and draws it.
pub(crate) fn svg(script: impl BufRead, title: &str) -> String {
    let mut root = Frame::default();
    let mut stack: Vec<String> = Vec::new();
    for line in script.lines().map(Result::unwrap).chain([String::new()]) {
        if line.trim().is_empty() {
            add(&mut root, std::mem::take(&mut stack));
        } else if line.starts_with([' ', '\t']) {
            stack.push(function(line.trim()));
        }
    }
    let all = f64::from(root.samples.max(1));
    let height = TOP + ROW * f64::from(root.depth(all)) + 8.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">\n<style>{STYLE}</style>\n\
         <text class=\"title\" x=\"4\" y=\"18\">{title}</text>\n\
         <text x=\"4\" y=\"34\">{all} samples; blue: hence, orange: the kernel, grey: libraries</text>\n"
    );
    draw(&mut svg, &root, 0.0, height - 4.0, all);
    svg + "</svg>\n"
}

fn add(root: &mut Frame, stack: Vec<String>) {
    if stack.is_empty() {
        return;
    }
    root.samples += 1;
    let mut frame = root;
    for name in stack.into_iter().rev() {
        frame = frame.calls.entry(name).or_default();
        frame.samples += 1;
    }
}

/// `7f12 hence::store::write+0x12 (/usr/bin/hence)` is `hence::store::write`.
fn function(line: &str) -> String {
    let (_, rest) = line.split_once(' ').unwrap_or(("", line));
    let (name, module) = rest.rsplit_once(" (").unwrap_or((rest, ""));
    let name = name.rsplit_once("+0x").map_or(name, |(name, _)| name);
    // Every poll of a task and every closure would be a row of its own.
    let name = name.split("::{{closure}}").next().unwrap_or(name);
    if module.starts_with("[kernel") { format!("{name} [k]") } else { name.to_owned() }
}

fn draw(svg: &mut String, frame: &Frame, left: f64, bottom: f64, all: f64) {
    let mut x = left;
    for (name, called) in &frame.calls {
        let share = f64::from(called.samples) / all;
        let width = share * WIDTH;
        if SHARE_MIN <= share {
            let class = if name.ends_with("[k]") {
                "k"
            } else if name.contains("hence::") {
                "h"
            } else {
                "o"
            };
            let (y, shown) = (bottom - ROW, clipped(name, width));
            writeln!(
                svg,
                "<g><title>{} ({:.1} %)</title><rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.0}\" width=\"{width:.1}\" height=\"{ROW}\"/>\
                 <text x=\"{:.1}\" y=\"{:.0}\">{}</text></g>",
                escaped(name),
                share * 100.0,
                x + 2.0,
                y + 12.0,
                escaped(&shown)
            )
            .unwrap();
            draw(svg, called, x, y, all);
        }
        x += width;
    }
}

/// What of a name fits: its last part says most.
fn clipped(name: &str, width: f64) -> String {
    let plain = name.split('<').next().filter(|plain| !plain.is_empty()).unwrap_or(name);
    let mut shown = plain;
    while width < LETTER * f64::from(u32::try_from(shown.len()).unwrap_or(u32::MAX)) {
        match shown.split_once("::") {
            Some((_, rest)) => shown = rest,
            None => return String::new(),
        }
    }
    shown.to_owned()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
